"""Assignment by the service, in one process and thread: what a profile that is remembered adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.harness import Work
from benchmarks.online.house import experiment, house
from benchmarks.online.question import COUNTRY, KEY, TREATMENT, unit_ids
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.source import Source, SourceKind
from experiments.services.assigning.assign import Unit
from experiments.services.profiles.profiles import ProfileChange

_AT_ONCE = 1_000


def with_profile(count: int) -> Work:
    """What the condition asks for is in the profile, and the request brings another attribute."""
    return _work(count, {"device": "phone"}, known=True)


def without(count: int) -> Work:
    """What it asks for comes with the request, and nothing is registered."""
    return _work(count, {"device": "phone", "country": COUNTRY}, known=False)


def _work(count: int, attributes: Mapping[str, Any], *, known: bool) -> Work:
    with house(experiment()) as made:
        winnow = made.winnow
    ids = unit_ids(count)
    if known:
        source = Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0)
        winnow.author.sources.create(source, actor="benchmark")
        country = Attribute(key="country", name="Country", type=AttributeType.TEXT)
        winnow.author.attributes.create(country, actor="benchmark")
        for start in range(0, count, _AT_ONCE):
            said = {"country": COUNTRY}
            part = ids[start : start + _AT_ONCE]
            winnow.profiles.upsert_many([ProfileChange(unit_id=one, source="crm", attributes=said) for one in part])
    winnow.catalog.refresh()
    units = [[Unit(unit_id=unit_id, attributes=attributes)] for unit_id in ids]
    assign = winnow.assigner.assign
    treated = sum(assign(unit, KEY)[0][0].variant == TREATMENT for unit in units)  # and all are remembered now

    def run() -> None:
        for unit in units:
            assign(unit, KEY)

    return Work(run=run, numbers=lambda _: {"treated, in tenths": round(10 * treated / count)}, count=count)
