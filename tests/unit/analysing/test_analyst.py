"""From recorded rows to a snapshot that can be recomputed: epochs, follow-up and testers included."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation
from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.event import Event, ExposureClaim
from experiments.services.analysing.analyse import Analyst
from experiments.services.analysing.ports import Snapshot
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from tests.conftest import FakeClock
from tests.unit.builders import NOW
from tests.unit.reports import report, scope, store


@pytest.fixture
def analyst(winnow: Winnow, clock: FakeClock) -> Analyst:
    return Analyst(winnow.open_unit_of_work, clock)


@pytest.fixture
def external(winnow: Winnow, wish: ExperimentWish) -> Winnow:
    """Others randomise, so that a test may say who saw what."""
    winnow.author.create(replace(wish, randomisation=Randomisation.EXTERNAL), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    return winnow


def show(winnow: Winnow, unit_id: str, variant: str, segment: str = "mens", **changes: Any) -> None:
    parts: dict[str, Any] = {
        "event_id": f"x-{unit_id}-{variant}",
        "unit_id": unit_id,
        "experiment": "banner",
        "version": 1,
        "segment": segment,
        "variant": variant,
        "occurred_at": NOW,
    }
    verdict = winnow.recorder.record([ExposureClaim(**{**parts, **changes})])[0]
    assert verdict.status == "accepted", verdict


def visit(winnow: Winnow, unit_id: str, hours: float) -> None:
    at = NOW + timedelta(hours=hours)
    verdict = winnow.recorder.record(
        [Event(event_id=f"v-{unit_id}-{hours}", unit_id=unit_id, name="visit", occurred_at=at)]
    )
    assert verdict[0].status == "accepted", verdict


def arms(snapshot: Any, segment: str) -> list[tuple[str, int, float]]:
    scope = next(scope for scope in snapshot.report["segments"] if scope["segment"] == segment)
    return [(arm["variant"], arm["units"], arm["total"]) for arm in scope["metrics"][0]["arms"]]


def test_counts_by_hand(external: Winnow, analyst: Analyst, clock: FakeClock) -> None:
    for unit, variant in (("u1", "a"), ("u2", "a"), ("u3", "b"), ("u4", "b"), ("u5", "b")):
        show(external, unit, variant)
    show(external, "u6", "a")
    show(external, "u6", "b")  # mixed
    clock.advance(days=1)
    for unit in ("u1", "u3", "u4", "u6", "stranger"):
        visit(external, unit, 2)
    visit(external, "u2", -1)  # before exposure
    visit(external, "u3", 3)  # twice: a conversion counts once
    snapshot = analyst.analyse("banner")
    assert arms(snapshot, "mens") == [("a", 2, 1.0), ("b", 3, 2.0)]
    assert arms(snapshot, "new") == [("a", 0, 0.0), ("b", 0, 0.0)]
    assert (snapshot.report["units"], snapshot.report["units_mixed"]) == (5, 1)


def test_outcomes_end_where_units_may_have_moved(
    external: Winnow, analyst: Analyst, wish: ExperimentWish, clock: FakeClock
) -> None:
    show(external, "u1", "a")
    show(external, "u2", "a", segment="new")
    clock.advance(hours=5)
    changed = replace(
        wish,
        randomisation=Randomisation.EXTERNAL,
        segments=(SegmentWish(segment="mens", weights={"a": 1, "b": 3}), SegmentWish(segment="new")),
    )
    external.author.edit("banner", changed, expected_revision=2, actor="ann")
    show(external, "u1", "b", version=2, occurred_at=clock.now)  # legitimate: another epoch
    clock.advance(days=1)
    visit(external, "u1", 6)
    visit(external, "u2", 6)
    snapshot = analyst.analyse("banner")
    assert arms(snapshot, "mens") == [("a", 1, 0.0), ("b", 0, 0.0)]
    assert arms(snapshot, "new") == [("a", 1, 1.0), ("b", 0, 0.0)]
    assert snapshot.report["units_mixed"] == 0


def test_srm_is_against_the_declared_weights(external: Winnow, analyst: Analyst) -> None:
    """chi-square of 70 against 30 at one to one: (20² + 20²) / 50 = 16, p = erfc(sqrt(8))."""
    for number in range(100):
        show(external, f"u{number}", "a" if number < 70 else "b")
    srm = analyst.analyse("banner").report["segments"][0]["srm"]
    assert srm["chi_square"] == pytest.approx(16)
    assert srm["p_value"] == pytest.approx(math.erfc(math.sqrt(8)), rel=1e-9)


def test_a_snapshot_is_recomputed_to_the_byte_even_after_more_has_come_in(
    external: Winnow, analyst: Analyst, wish: ExperimentWish, clock: FakeClock
) -> None:
    for number in range(50):
        show(external, f"u{number}", "ab"[number % 2])
    clock.advance(days=1)
    for number in range(0, 50, 3):
        visit(external, f"u{number}", 1)
    snapshot = analyst.analyse("banner")
    show(external, "later", "a", occurred_at=clock.now)
    visit(external, "u1", 1)
    wanted = replace(
        wish,
        randomisation=Randomisation.EXTERNAL,
        segments=(SegmentWish(segment="mens", weights={"a": 1, "b": 3}), SegmentWish(segment="new")),
    )
    external.author.edit("banner", wanted, expected_revision=2, actor="ann")
    verification = analyst.verify("banner")
    assert verification.identical
    assert (verification.snapshot_id, verification.recomputed_sha256) == (snapshot.id, snapshot.report_sha256)


def test_a_report_that_was_tampered_with_is_found_out(external: Winnow, analyst: Analyst) -> None:
    show(external, "u1", "a")
    stored = analyst.analyse("banner")
    with external.open_unit_of_work() as work:
        report = {**stored.report, "units": 2}
        fields = {name: getattr(stored, name) for name in type(stored).__mro__[1].__dataclass_fields__}
        work.snapshots.add(type(stored).__mro__[1](**{**fields, "report": report}))
        work.commit()
    assert not analyst.verify("banner").identical


def test_whose_rows_were_erased_since_is_told(external: Winnow, analyst: Analyst, clock: FakeClock) -> None:
    for number in range(50):
        show(external, f"u{number}", "ab"[number % 2])
    analyst.analyse("banner")
    clock.advance(seconds=1)
    external.eraser.erase("stranger", actor="test")
    found = analyst.verify("banner")
    assert (found.identical, found.intact, found.erased_since) == (True, True, 1)
    external.eraser.erase("u7", actor="test")
    found = analyst.verify("banner")
    assert (found.identical, found.intact, found.erased_since) == (False, True, 2)
    clock.advance(seconds=1)
    assert analyst.analyse("banner").report["units"] == 49
    found = analyst.verify("banner")
    assert (found.identical, found.intact, found.erased_since) == (True, True, 0)


def test_progress_ends_at_the_total(external: Winnow, analyst: Analyst) -> None:
    for number in range(10):
        show(external, f"u{number}", "a")
    visit(external, "u1", 0)
    seen: list[tuple[int, int]] = []
    analyst.analyse("banner", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (11, 11)


def test_due_when_rows_or_a_version_came_in_or_time_passed(
    external: Winnow, analyst: Analyst, clock: FakeClock
) -> None:
    assert analyst.is_due("banner", 3_600)
    analyst.analyse("banner")
    assert not analyst.is_due("banner", 3_600)
    show(external, "u1", "a")
    assert analyst.is_due("banner", 3_600)
    analyst.analyse("banner")
    clock.advance(seconds=3_601)
    assert analyst.is_due("banner", 3_600)


def test_what_has_not_started_or_was_never_analysed_is_refused(
    winnow: Winnow, wish: ExperimentWish, analyst: Analyst
) -> None:
    winnow.author.create(wish, actor="ann")
    with pytest.raises(InvalidInput, match="has not started"):
        analyst.analyse("banner")
    with pytest.raises(NotFound):
        analyst.verify("banner")


def test_outcomes_end_with_a_pause_and_with_the_stop(external: Winnow, analyst: Analyst, clock: FakeClock) -> None:
    """During a pause and after the stop everybody sees the control, so later outcomes are not the variant's."""
    show(external, "u1", "b")
    show(external, "u2", "b")
    clock.advance(hours=2)
    external.author.step("banner", "pause", actor="ann")
    clock.advance(hours=2)
    external.author.step("banner", "start", actor="ann")
    show(external, "u3", "b", version=3, occurred_at=clock.now)
    show(external, "u4", "b", version=3, occurred_at=clock.now)
    clock.advance(hours=2)
    before_stop = analyst.analyse("banner")
    external.author.step("banner", "stop", actor="ann")
    clock.advance(hours=2)
    for unit, hours in (("u1", 1), ("u2", 3), ("u3", 5), ("u4", 7)):
        visit(external, unit, hours)
    assert arms(analyst.analyse("banner"), "mens") == [("a", 0, 0.0), ("b", 4, 2.0)]
    assert arms(before_stop, "mens") == [("a", 0, 0.0), ("b", 4, 0.0)]
    assert analyst.verify("banner").identical


def test_rows_of_others_make_nothing_due(external: Winnow, analyst: Analyst) -> None:
    show(external, "u1", "a")
    analyst.analyse("banner")
    external.recorder.record([Event(event_id="e1", unit_id="u1", name="unrelated", occurred_at=NOW)])
    assert not analyst.is_due("banner", 3_600)
    visit(external, "u1", 0)
    assert analyst.is_due("banner", 3_600)


def test_a_revert_after_the_stop_does_not_reopen_the_follow_up(
    external: Winnow, analyst: Analyst, clock: FakeClock
) -> None:
    """The stop came first: outcomes between it and the revert are nobody's any more."""
    show(external, "u1", "b")
    clock.advance(days=15)
    store(external.open_unit_of_work, "banner", report(scope("mens")), at=clock.now)
    promotion = external.promoter.apply("banner", "mens", actor="ann")
    show(external, "u2", "b", version=2, occurred_at=clock.now)
    clock.advance(hours=1)
    external.author.step("banner", "stop", actor="ann")
    clock.advance(hours=2)
    external.promoter.revert(promotion.id, reason="the offer ended", actor="ann")
    clock.advance(hours=1)
    visit(external, "u2", 15 * 24 + 2)
    assert arms(analyst.analyse("banner"), "mens") == [("a", 0, 0.0), ("b", 2, 0.0)]


def test_a_live_winner_is_measured_anew_against_the_holdback(
    external: Winnow, analyst: Analyst, clock: FakeClock
) -> None:
    """Customers of before count again, by what they see now; other segments and earlier outcomes do not."""
    show(external, "u1", "a")
    clock.advance(days=15)
    visit(external, "u1", 1)
    store(external.open_unit_of_work, "banner", report(scope("mens"), scope("new")), at=clock.now)
    promotion = external.promoter.apply("banner", "mens", actor="ann")
    now = {"version": 2, "occurred_at": clock.now}
    show(external, "u1", "b", **now)
    show(external, "u2", "b", **now)
    show(external, "u3", "a", **now)
    show(external, "u4", "b", segment="new", **now)
    clock.advance(days=1)
    for unit in ("u2", "u3", "u4"):
        visit(external, unit, 15 * 24 + 2)
    snapshot = analyst.analyse("banner")
    realised = snapshot.realised[promotion.id]
    [measured] = realised["report"]["segments"]
    found = [(arm["variant"], arm["units"], arm["total"]) for arm in measured["metrics"][0]["arms"]]
    assert (realised["since_epoch"], measured["segment"], found) == (2, "mens", [("a", 1, 1.0), ("b", 2, 1.0)])
    assert analyst.verify("banner").identical
    external.promoter.revert(promotion.id, reason="enough", actor="ann")
    assert analyst.verify("banner").identical
    assert analyst.analyse("banner").realised == {}


@pytest.mark.parametrize("units", [0, 1], ids=["an hour later", "one unit later"])
def test_an_analysis_that_another_overtook_is_dropped(
    external: Winnow, analyst: Analyst, clock: FakeClock, units: int
) -> None:
    """The latest snapshot never knows less than the one before it."""
    show(external, "u1", "a")
    theirs: list[Snapshot] = []

    def overtake(_done: int, _total: int) -> None:
        if not theirs:
            for number in range(units):
                show(external, f"later-{number}", "b")
            clock.advance(hours=1 - units)
            theirs.append(analyst.analyse("banner"))

    answer = analyst.analyse("banner", overtake)
    assert answer == theirs[0]
    with external.open_unit_of_work(read_only=True) as work:
        assert work.snapshots.page("banner", after=None, limit=9).items == (theirs[0],)
        assert [one.action for one in work.audit.page(subject="banner", after=None, limit=9).items].count(
            "results.compute"
        ) == 1


def test_an_analysis_that_saw_more_than_one_stored_meanwhile_stands(
    external: Winnow, analyst: Analyst, clock: FakeClock
) -> None:
    show(external, "u1", "a")
    theirs: list[int] = []

    def slower(_done: int, _total: int) -> None:
        if not theirs:
            older = store(external.open_unit_of_work, "banner", report(scope("mens")), at=NOW - timedelta(hours=1))
            theirs.append(older.id)

    assert analyst.analyse("banner", slower).id > theirs[0]
