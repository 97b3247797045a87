"""Steps of an adaptive experiment through the services: one version for all segments, once per batch."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from experiments.bootstrap import Winnow
from experiments.cli.tables import adaptive_lines
from experiments.domain.adaptive import AdaptivePolicy, read_step, recompute
from experiments.domain.canonical import canonical_json
from experiments.domain.errors import NotFound
from experiments.domain.event import Event, ExposureClaim
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole
from experiments.services.analysing.adapt import ACTION, Adapted, Adapter
from experiments.services.analysing.analyse import Analyst
from experiments.services.analysing.ports import NewSnapshot
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, MetricWish
from experiments.services.recording.ports import Watermark
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store

POLICY = AdaptivePolicy(seed="test")
Counts = dict[str, tuple[int, int]]
GOOD_B: Counts = {"a": (100, 1_000), "b": (130, 1_000)}
GOOD_A: Counts = {"a": (150, 1_000), "b": (100, 1_000)}


def conversions(successes: int, units: int) -> Moments:
    return Moments(n=units, mean=successes / units, m2=successes * (units - successes) / units)


def table(cells: dict[tuple[int, str], Counts], metric: str = "visit") -> MomentTable:
    found = {
        MetricKey(epoch, segment, variant, metric): conversions(*counts)
        for (epoch, segment), arms in cells.items()
        for variant, counts in arms.items()
    }
    return MomentTable(units={ArmKey(*key[:3]): moments.n for key, moments in found.items()}, moments=found)


def seen(winnow: Winnow, clock: FakeClock, moments: MomentTable, version: int | None = None) -> int:
    """Store the snapshot that the worker would have made now."""
    number = version or winnow.author.get("banner").current.number
    with winnow.open_unit_of_work() as work:
        stored = work.snapshots.add(
            NewSnapshot(
                experiment="banner",
                version=number,
                watermark=Watermark(exposure_id=0, event_id=0, at=clock.now),
                computed_at=clock.now,
                engine_version="test",
                input_sha256="0" * 64,
                report_sha256="0" * 64,
                moments=moments.to_dict(),
                report=report(scope("mens"), scope("new"), scope("everyone")),
            )
        )
        work.commit()
    return stored.id


@pytest.fixture
def adapter(winnow: Winnow, clock: FakeClock) -> Adapter:
    return Adapter(winnow.catalog, winnow.open_unit_of_work, clock)


@pytest.fixture
def started(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Winnow:
    """A draft of last week that started a day ago."""
    winnow.author.create(replace(wish, adaptive=POLICY), actor="ann")
    clock.advance(days=7)
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=1)
    return winnow


def splits(winnow: Winnow) -> dict[str, dict[str, int]]:
    plans = winnow.author.get("banner").definition.segments
    return {plan.segment.key: plan.allocation.weights_bp for plan in plans}


EVEN = {"a": 5_000, "b": 5_000}


def test_all_segments_change_in_one_version(started: Winnow, adapter: Adapter, clock: FakeClock) -> None:
    snapshot = seen(started, clock, table({(1, "mens"): GOOD_B, (1, "new"): GOOD_A}))
    adapted = adapter.step("banner", actor="worker")
    assert adapted is not None
    after = started.author.get("banner")
    assert (after.current.number, after.current.epoch, after.current.created_by) == (2, 2, "worker")
    found = splits(started)
    assert found["mens"]["b"] > 9_000
    assert found["new"]["b"] < 1_000
    assert found["everyone"] == EVEN
    assert [step.weights for step in adapted.steps] == [found["mens"], found["new"]]
    assert [plan.weights for plan in after.definition.segments] == [{"a": 1, "b": 1}] * 3
    assert [plan.since_epoch for plan in after.definition.segments] == [2, 2, 1]
    assert {step.snapshot_id for step in adapted.steps} == {snapshot}


def test_the_audit_trail_has_all_that_the_weights_follow_from(
    started: Winnow, adapter: Adapter, clock: FakeClock
) -> None:
    seen(started, clock, table({(1, "mens"): GOOD_B, (1, "new"): GOOD_A}))
    adapted = adapter.step("banner", actor="worker")
    assert adapted is not None
    [entry] = started.results.audit(subject="banner", after=None, limit=1).items
    assert (entry.action, entry.actor) == (ACTION, "worker")
    records = entry.detail["steps"]
    assert entry.evidence_sha256 == hashlib.sha256(canonical_json(records).encode()).hexdigest()
    steps = tuple(read_step(record) for record in records)
    assert steps == adapted.steps
    assert [recompute(step) for step in steps] == [step.weights for step in steps]


def test_doing_it_again_does_nothing(started: Winnow, adapter: Adapter, clock: FakeClock) -> None:
    seen(started, clock, table({(1, "mens"): GOOD_B}))
    assert adapter.step("banner", actor="worker") is not None
    assert adapter.step("banner", actor="worker") is None
    clock.advance(hours=23)
    seen(started, clock, table({(1, "mens"): GOOD_B, (2, "mens"): GOOD_A}))
    assert adapter.step("banner", actor="worker") is None
    clock.advance(hours=1)
    assert adapter.step("banner", actor="worker") is None, "the snapshot does not reach the end of the batch"
    seen(started, clock, table({(1, "mens"): GOOD_B, (2, "mens"): GOOD_A}))
    assert adapter.step("banner", actor="worker") is not None
    assert started.author.get("banner").current.epoch == 3


def test_a_snapshot_of_an_earlier_epoch_is_not_of_this_batch(
    started: Winnow, adapter: Adapter, clock: FakeClock
) -> None:
    seen(started, clock, table({(1, "mens"): GOOD_B}))
    adapter.step("banner", actor="worker")
    clock.advance(days=2)
    seen(started, clock, table({(1, "mens"): GOOD_B}), version=1)
    assert adapter.step("banner", actor="worker") is None


def test_the_first_batch_begins_with_the_start(
    winnow: Winnow, wish: ExperimentWish, adapter: Adapter, clock: FakeClock
) -> None:
    winnow.author.create(replace(wish, adaptive=POLICY), actor="ann")
    clock.advance(days=7)
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(hours=23)
    seen(winnow, clock, table({(1, "mens"): GOOD_B}))
    assert adapter.step("banner", actor="worker") is None


def test_without_a_policy_or_a_snapshot_nothing_is_adapted(
    winnow: Winnow, wish: ExperimentWish, adapter: Adapter, clock: FakeClock
) -> None:
    winnow.author.create(wish, actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    assert adapter.step("banner", actor="worker") is None
    clock.advance(days=1)
    seen(winnow, clock, table({(1, "mens"): GOOD_B}))
    assert adapter.step("banner", actor="worker") is None
    with pytest.raises(NotFound):
        adapter.step("nothing", actor="worker")


def test_nobody_is_adapted_for_before_they_are_warm(started: Winnow, adapter: Adapter, clock: FakeClock) -> None:
    seen(started, clock, table({(1, "mens"): {"a": (10, 100), "b": (30, 99)}}))
    assert adapter.step("banner", actor="worker") is None
    assert started.author.get("banner").current.number == 1


@pytest.mark.parametrize("step", ["pause", "stop"])
def test_only_what_runs_is_adapted(started: Winnow, adapter: Adapter, clock: FakeClock, step: Any) -> None:
    started.author.step("banner", step, actor="ann")
    clock.advance(days=1)
    seen(started, clock, table({(1, "mens"): GOOD_B}))
    assert adapter.step("banner", actor="worker") is None


def test_what_was_promoted_is_left_alone(started: Winnow, adapter: Adapter, clock: FakeClock) -> None:
    clock.advance(days=14)
    store(started.open_unit_of_work, "banner", report(scope("mens"), scope("new"), scope("everyone")), at=clock.now)
    started.promoter.apply("banner", "mens", actor="ann")
    clock.advance(days=1)
    both = {(2, "mens"): GOOD_A, (2, "new"): GOOD_B}
    seen(started, clock, table(both))
    adapted = adapter.step("banner", actor="worker")
    assert adapted is not None
    assert [step.segment for step in adapted.steps] == ["new"]
    assert splits(started)["mens"] == {"a": 500, "b": 9_500}


def test_a_falling_base_rate_favours_nobody(started: Winnow, adapter: Adapter, clock: FakeClock) -> None:
    """b was shown more in the batch in which everybody bought less."""
    cells: dict[tuple[int, str], Counts] = {
        (1, "mens"): {"a": (1_600, 8_000), "b": (440, 2_000)},
        (2, "mens"): {"a": (100, 2_000), "b": (440, 8_000)},
    }
    seen(started, clock, table(cells))
    adapted = adapter.step("banner", actor="worker")
    assert adapted is not None
    assert adapted.steps[0].weights["b"] > 9_000


def test_an_edit_of_something_else_keeps_the_split(
    started: Winnow, adapter: Adapter, wish: ExperimentWish, clock: FakeClock
) -> None:
    seen(started, clock, table({(1, "mens"): GOOD_B}))
    adapter.step("banner", actor="worker")
    before = splits(started)
    revision = started.author.get("banner").revision
    renamed = replace(wish, adaptive=POLICY, name="Another name")
    started.author.edit("banner", renamed, expected_revision=revision, actor="ann")
    assert splits(started) == before


def test_less_may_be_better_and_values_are_normal(
    winnow: Winnow, wish: ExperimentWish, adapter: Adapter, clock: FakeClock
) -> None:
    ratio = Metric(
        key="wait",
        name="Wait",
        kind=MetricKind.RATIO,
        event_name="seconds",
        denominator_event_name="call",
        direction=Direction.DECREASE,
    )
    winnow.author.metrics.create(ratio, actor="ann")
    uses = (MetricWish(metric="wait", role=MetricRole.PRIMARY),)
    winnow.author.create(replace(wish, metrics=uses, adaptive=POLICY), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=1)
    arms = {
        MetricKey(1, "mens", variant, "wait"): Moments(
            n=400, mean=mean, m2=400.0, denominator_mean=2.0, denominator_m2=100.0, co_m2=50.0
        )
        for variant, mean in (("a", 10.0), ("b", 10.5))
    }
    seen(winnow, clock, MomentTable(moments=arms))
    adapted = adapter.step("banner", actor="worker")
    assert adapted is not None
    [step] = adapted.steps
    a, b = step.arms
    assert (a.mean, b.mean) == (5.0, 5.25)
    # var(x - 5y) = (400 + 25·100 - 10·50)/399, over 400 units and a squared denominator of 4.
    assert a.std_error == pytest.approx((2_400 / 399 / 400 / 4) ** 0.5)
    assert step.weights["a"] > 7_500


def test_of_two_workers_one_makes_the_step(
    started: Winnow, adapter: Adapter, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one steps while the first is sampling; the first looks again and finds the batch not over."""
    seen(started, clock, table({(1, "mens"): GOOD_B}))
    other = Adapter(started.catalog, started.open_unit_of_work, clock)
    made: list[Adapted | None] = []
    from experiments.services.analysing import adapt  # noqa: PLC0415

    slow = adapt._steps

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(adapt, "_steps", slow)
        made.append(other.step("banner", actor="other"))
        return slow(*arguments)

    monkeypatch.setattr(adapt, "_steps", overtaken)
    assert adapter.step("banner", actor="worker") is None
    assert made[0] is not None
    after = started.author.get("banner").current
    assert (after.number, after.created_by) == (2, "other")


def test_the_report_after_a_step_is_verified_and_says_what_was_gained(
    started: Winnow, adapter: Adapter, clock: FakeClock
) -> None:
    """From rows to rows: 600 men on day one, 600 on day two, of whom most see b."""
    analyst = Analyst(started.open_unit_of_work, clock)

    def day(number: int, rates: dict[str, float]) -> None:
        version = started.author.get("banner").current.number
        began = clock.now - timedelta(hours=20)
        items: list[Any] = []
        for unit in (f"{number}-{k}" for k in range(600)):
            [answer] = started.assigner.assign([Unit(unit_id=unit, attributes={"mens": 1})], "banner")[0]
            claim = {"unit_id": unit, "experiment": "banner", "version": version, "segment": "mens"}
            items.append(ExposureClaim(**claim, event_id=f"x{unit}", variant=str(answer.variant), occurred_at=began))
            if Random(unit).random() < rates[str(answer.variant)]:
                at = began + timedelta(minutes=5)
                items.append(Event(event_id=f"v{unit}", unit_id=unit, name="visit", occurred_at=at))
        for first in range(0, len(items), 500):
            assert {one.status for one in started.recorder.record(items[first : first + 500])} == {"accepted"}

    day(1, {"a": 0.1, "b": 0.3})
    analyst.analyse("banner")
    assert adapter.step("banner", actor="worker") is not None
    clock.advance(days=1)
    day(2, {"a": 0.1, "b": 0.3})
    snapshot = analyst.analyse("banner")
    assert analyst.verify("banner").identical
    found = next(one for one in snapshot.report["segments"] if one["segment"] == "mens")["adaptive"]
    assert found["units"] == 1_200
    assert 250 < dict(found["shown"])["b"] - 600 < 290
    # 600 · .45 · .2 and three standard errors.
    assert found["gained"]["value"] == pytest.approx(54, abs=50)
    assert found["costs"][0]["units_missing"] > 0.3
    [told, cost] = adaptive_lines(snapshot.report, {"b": "Other"})
    assert told.startswith("Adaptive split: visit +")
    assert cost.startswith("  Other: as certain as if ")
    assert cost.endswith("of the units were missing.")
