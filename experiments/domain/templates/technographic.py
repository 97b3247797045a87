"""Templates of what customers use."""

from __future__ import annotations

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import all_of, among, version_before, version_from, yes
from experiments.domain.templates.parameter import Parameter, ParameterType
from experiments.domain.templates.template import Document, Example, SegmentTemplate


def _version(name: str, description: str) -> Parameter:
    return Parameter(name=name, type=ParameterType.VERSION, description=description)


def _browser_from(*, attribute: str, browser: tuple[str, ...], version: str, least: str) -> Document:
    return all_of(among(attribute=attribute, values=browser), version_from(version, least))


def _app_before(*, attribute: str, below: str) -> Document:
    return version_before(attribute, below)


def _app_from(*, attribute: str, least: str) -> Document:
    return version_from(attribute, least)


def _has_app(*, attribute: str) -> Document:
    return yes(attribute)


_APP_VERSION = blanks.attribute("app_version", "The attribute that holds the version, as text.")

TEMPLATES = (
    SegmentTemplate(
        key="devices",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="Devices",
        sentence="Customers on one of these kinds of device.",
        parameters=(blanks.attribute("device"), blanks.values("Devices, spelt as your attribute spells them.")),
        build=among,
        example=Example(sentence="Telephones and tablets.", parameters={"values": ["mobile", "tablet"]}),
    ),
    SegmentTemplate(
        key="browsers",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="Browsers",
        sentence="Customers with one of these browsers.",
        parameters=(blanks.attribute("browser"), blanks.values("Browsers, spelt as your attribute spells them.")),
        build=among,
        example=Example(sentence="Safari.", parameters={"values": ["Safari"]}),
    ),
    SegmentTemplate(
        key="browser_from_version",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="Modern browser",
        sentence="Customers with one of these browsers in this version or a newer one.",
        parameters=(
            blanks.attribute("browser"),
            Parameter(name="browser", type=ParameterType.VALUES, description="Browsers; one of them is enough."),
            blanks.named("version", "browser_version", "The attribute that holds the version, as text."),
            _version("least", "Oldest version that counts."),
        ),
        build=_browser_from,
        example=Example(sentence="Chrome from 120 on.", parameters={"browser": ["Chrome"], "least": "120"}),
    ),
    SegmentTemplate(
        key="operating_systems",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="Operating systems",
        sentence="Customers on one of these operating systems.",
        parameters=(blanks.attribute("os"), blanks.values("Systems, spelt as your attribute spells them.")),
        build=among,
        example=Example(sentence="iOS and macOS.", parameters={"values": ["iOS", "macOS"]}),
    ),
    SegmentTemplate(
        key="app_before_version",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="Old app",
        sentence="Customers whose app is older than this version.",
        parameters=(_APP_VERSION, _version("below", "First version that does not count any more.")),
        build=_app_before,
        example=Example(sentence="Before 3.0.0.", parameters={"below": "3.0.0"}),
    ),
    SegmentTemplate(
        key="app_from_version",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="New app",
        sentence="Customers whose app has this version or a newer one.",
        parameters=(_APP_VERSION, _version("least", "Oldest version that counts.")),
        build=_app_from,
        example=Example(sentence="2.10.0 or newer.", parameters={"least": "2.10.0"}),
    ),
    SegmentTemplate(
        key="has_app",
        kind=SegmentKind.TECHNOGRAPHIC,
        name="App users",
        sentence="Customers who have the app.",
        parameters=(blanks.attribute("has_app", "The flag: true or 1 for those who have it."),),
        build=_has_app,
        example=Example(sentence="Those with the app.", parameters={}),
    ),
)
