"""Discovery on a simulated experiment by the command: what is planted, what is not, and what was said too late."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ttest_ind

from analysis.plan import Cell, MetricPlan, Plan
from experiments.bootstrap import Winnow as Services
from experiments.bootstrap import build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.definition import Variant
from experiments.domain.event import Event, Exposure
from experiments.domain.metric import Metric, MetricKind, MetricRole
from experiments.domain.source import Source, SourceKind
from experiments.domain.study import StudyKind
from experiments.services.authoring.wishes import ExperimentWish, MetricWish
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.studies.discovery_rows import compared
from experiments.settings import Settings
from segmentation.discovery import proposing_half
from tests.unit.builders import SPEND, VISIT
from tests.unit.commands.test_cli import Winnow

UNITS = 2_400
SEED = 3
DURATION = Metric(key="wait", name="Wait", kind=MetricKind.QUANTILE, event_name="load", quantile=0.5)
ATTRIBUTES = {"age": AttributeType.NUMBER, "app": AttributeType.BOOLEAN, "place": AttributeType.TEXT}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The services, the command line over the same database, and the truth."""

    services: Services
    winnow: Winnow
    known: list[dict[str, Any]]
    treated: Any
    spend: Any


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """In the city, over 45, the banner brings .9 standard deviations more spend; visits have nothing to do with it."""
    folder = tmp_path_factory.mktemp("discovery")
    shutil.copyfile(sqlite_template, folder / "winnow.sqlite")
    url = f"sqlite:///{folder / 'winnow.sqlite'}"
    services = build(Settings(database_url=url))
    rng = np.random.default_rng(11)
    known = [
        {"age": int(age), "app": bool(app), "place": str(place)}
        for age, app, place in zip(
            rng.integers(18, 80, UNITS),
            rng.uniform(size=UNITS) < 0.3,
            rng.choice(["city", "country"], UNITS),
            strict=True,
        )
    ]
    treated = rng.uniform(size=UNITS) < 0.5
    inside = np.array([one["age"] > 45 and one["place"] == "city" for one in known])
    spend = np.round(50 + 10 * rng.normal(size=UNITS) + 9 * inside * treated, 2)
    register(services)
    exposed_at = datetime.now(UTC) - timedelta(hours=2)
    say(services, known, exposed_at)
    record(services, treated, spend, rng.uniform(size=UNITS) < 0.4, exposed_at)
    return House(services=services, winnow=Winnow(url, folder), known=known, treated=treated, spend=spend)


def register(services: Services) -> None:
    author = services.author
    author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), actor="t")
    for key, kind in {**ATTRIBUTES, "late": AttributeType.NUMBER, "gone": AttributeType.TEXT}.items():
        author.attributes.create(Attribute(key=key, name=key, type=kind), actor="t")
    for metric in (SPEND, VISIT, DURATION):
        author.metrics.create(metric, actor="t")
    wish = ExperimentWish(
        key="banner",
        name="Banner",
        variants=(Variant(key="a", name="A", is_control=True), Variant(key="b", name="B")),
        metrics=(
            MetricWish(metric="spend", role=MetricRole.PRIMARY),
            MetricWish(metric="visit", role=MetricRole.SECONDARY),
            MetricWish(metric="wait", role=MetricRole.SECONDARY),
        ),
    )
    author.create(wish, actor="t")
    author.create(replace(wish, key="empty"), actor="t")
    author.create(replace(wish, key="draft"), actor="t")
    for key in ("banner", "empty"):
        author.step(key, "start", actor="t")


def say(services: Services, known: list[dict[str, Any]], exposed_at: datetime) -> None:
    """Everything before the exposures, but of the first forty units `late`, and of the last five that `gone` is so."""
    before, after = exposed_at - timedelta(days=1), exposed_at + timedelta(minutes=1)
    told = [
        ProfileChange(unit_id=f"u{n}", source="crm", attributes={**one, "late": n, "gone": "x"}, at=before)
        for n, one in enumerate(known)
    ]
    told += [ProfileChange(unit_id=f"u{n}", source="crm", attributes={"late": n + 1}, at=after) for n in range(40)]
    told += [
        ProfileChange(unit_id=f"u{n}", source="crm", attributes={"gone": None}, at=after)
        for n in range(UNITS - 5, UNITS)
    ]
    assert {one.status for one in services.profiles.upsert_many(told)} == {"accepted"}


def record(services: Services, treated: Any, spend: Any, visits: Any, exposed_at: datetime) -> None:
    shown = [
        Exposure(
            event_id=f"x{n}",
            unit_id=f"u{n}",
            experiment="banner",
            version=1,
            epoch=1,
            segment="everyone",
            variant="ab"[int(treated[n])],
            occurred_at=exposed_at,
        )
        for n in range(UNITS)
    ]
    at = exposed_at + timedelta(minutes=30)
    done = [
        Event(event_id=f"e{n}", unit_id=f"u{n}", name="purchase", value=float(spend[n]), occurred_at=at)
        for n in range(UNITS)
    ]
    done += [
        Event(event_id=f"v{n}", unit_id=f"u{n}", name="visit", value=None, occurred_at=at)
        for n in np.flatnonzero(visits).tolist()
    ]
    with services.open_unit_of_work() as work:
        work.log.append_exposures(shown, received_at=services.clock())
        work.log.append_events(done, received_at=services.clock())
        work.commit()


def look(house: House, *more: str, attributes: str = ",".join(ATTRIBUTES)) -> Any:
    return house.winnow("segments", "discover", "banner", "--attributes", attributes, "--seed", str(SEED), *more)


def newest(house: House) -> dict[str, Any]:
    return dict(house.services.studies.get(StudyKind.DISCOVERY, "banner").document)


def test_what_is_planted_is_proposed_with_the_numbers_of_the_other_half(house: House) -> None:
    """Membership by the compiler of conditions, means and intervals by scipy, on the half that did not propose."""
    told = look(house)
    assert told.exit_code == 0, told.output
    document = newest(house)
    ids = [f"u{n}" for n in range(UNITS)]
    estimating = ~proposing_half(ids, house.treated, SEED)
    assert document["comparisons"][0]["units_estimating"] == estimating.sum()
    for leaf in document["groups"]:
        test = compile_condition(leaf["condition"])
        member = np.array([test(one) for one in house.known]) & estimating
        shown, others = house.spend[member & house.treated], house.spend[member & ~house.treated]
        welch = ttest_ind(shown, others, equal_var=False).confidence_interval(0.95)
        assert leaf["units"] == member.sum()
        assert leaf["effect"] == pytest.approx(shown.mean() - others.mean())
        interval = leaf["effect_interval"]
        assert (interval["low"], interval["high"]) == pytest.approx((welch.low, welch.high))
        assert f"{leaf['effect']:+.4g}" in told.stdout
    best = max((leaf for leaf in document["groups"] if leaf["proposed"]), key=lambda leaf: leaf["effect"])
    std_error = (best["effect_interval"]["high"] - best["effect_interval"]["low"]) / (2 * 1.96)
    assert best["effect"] == pytest.approx(9, abs=3.3 * std_error)
    truth = [one["age"] > 45 and one["place"] == "city" for one in house.known]
    rule = compile_condition(best["condition"])
    assert np.mean([bool(rule(one)) == inside for one, inside in zip(house.known, truth, strict=True)]) > 0.9
    assert "Proposals for the next experiment, never winners" in told.stdout
    assert '"u1' not in json.dumps(document), "no unit is named"
    check_adopting(house, document, best["key"])


def check_adopting(house: House, document: dict[str, Any], best: str) -> None:
    adopted = house.winnow("segments", "adopt", "banner", "--leaf", best, "--as", "young_city")
    assert adopted.exit_code == 0, adopted.output
    segment = house.services.author.segments.get("young_city").value
    assert segment.condition == next(leaf["condition"] for leaf in document["groups"] if leaf["key"] == best)
    assert segment.kind == "discovered"
    shown = house.winnow("segments", "discoveries", "banner", "--version", "1").stdout
    assert best in shown
    assert f"Segment young_city ({best}) asks what the newest version says." in shown
    assert "banner" in house.winnow("segments", "discoveries").stdout
    (made,) = house.services.studies.adopted(StudyKind.DISCOVERY, "banner")
    assert (made.adoption.group, made.standing) == (best, "current")


def test_where_nothing_is_planted_nothing_is_proposed_and_every_look_is_counted(house: House) -> None:
    first = look(house, "--metric", "visit")
    again = look(house, "--metric", "visit", "--json")
    document = json.loads(again.stdout)
    assert first.exit_code == again.exit_code == 0
    assert "Nothing was found." in first.stdout
    assert (document["outcome"], [leaf for leaf in document["groups"] if leaf["proposed"]]) == ("nothing", [])
    assert document["metric"]["key"] == "visit"
    number = document["look"]
    assert number >= 2
    assert any(note.startswith(f"This is look {number} at this experiment") for note in document["notes"])
    for leaf in document["groups"]:
        refused = house.winnow("segments", "adopt", "banner", "--leaf", leaf["key"], "--as", "x")
        assert refused.stderr.startswith("winnow: leaf_not_adoptable")


def test_what_was_said_after_exposures_is_left_out_unless_wanted(house: House) -> None:
    names = "age,late,gone"
    told = look(house, "--metric", "visit", attributes=names)
    assert told.exit_code == 0, told.output
    left_out = [
        {"attribute": name, "why": "said_after_exposure", "units": n} for name, n in (("late", 40), ("gone", 5))
    ]
    assert (newest(house)["left_out"], newest(house)["late"]) == (left_out, [])
    assert "late was said after the exposure of 40 units: so it was left out." in told.stdout
    wanted = look(house, "--metric", "visit", "--late", attributes=names)
    assert (newest(house)["left_out"], newest(house)["late"]) == ([], left_out)
    assert "it may be an effect of the treatment itself" in wanted.stdout
    refused = look(house, attributes="late")
    assert refused.stderr.startswith("winnow: attributes_late")


@pytest.mark.parametrize(
    ("experiment", "more", "code"),
    [
        ("none", (), "experiment_not_found"),
        ("draft", (), "not_started"),
        ("empty", (), "too_few_units"),
        ("banner", ("--metric", "none"), "metric_unknown"),
        ("banner", ("--metric", "wait"), "metric_unfit"),
        ("banner", ("--alpha", "0"), "search_invalid"),
    ],
)
def test_refusals(house: House, experiment: str, more: tuple[str, ...], code: str) -> None:
    refused = house.winnow("segments", "discover", experiment, "--attributes", "age", *more)
    assert (refused.exit_code, refused.stderr.split(":")[1].strip()) == (1, code)


def test_only_units_of_one_proportion_are_compared() -> None:
    """Thirty at 1:1 (in two segments), twenty at 3:1, where pooling them would make the better segment an effect."""
    cells = [("one", 1, 1), ("two", 2, 2), ("three", 3, 1), ("no control", 1, 0)]
    plan = Plan(
        variants=("a", "b", "c"),
        control="a",
        segments=tuple(segment for segment, _, _ in cells),
        metrics=(MetricPlan(key="m", kind="mean", role="primary", event_name="m"),),
        cells=tuple(Cell(epoch=1, segment=s, weights={"b": b, "a": a, "c": 1}) for s, b, a in cells),
    )
    rows = [("one", "ab"[n % 2], 1.0) for n in range(10)] + [("two", "ab"[n % 2], 1.0) for n in range(20)]
    rows += [("three", "ab"[n % 4 > 0], 5.0) for n in range(20)] + [("no control", "b", 5.0)] * 3
    rows += [("one", "c", 1.0)] * 7 + [("one", "a", None)] * 2
    segment, variant, value = zip(*rows, strict=True)
    units = pa.table({"epoch": [1] * len(rows), "segment": segment, "variant": variant, "value": value})
    found = compared(units, plan, "b")
    assert (list(found.places), found.outside) == (list(range(30)), 20 + 3 + 2)
