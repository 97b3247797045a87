"""From question to stored exposure: who is counted, what is refused, what is stored once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import ExposurePolicy, Randomisation
from experiments.domain.errors import NotFound
from experiments.domain.event import Event, ExposureClaim, ItemStatus, ItemVerdict
from experiments.domain.layer import Layer, LayerClaim
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from experiments.services.recording.ports import Watermark
from tests.conftest import FakeClock
from tests.golden.reference import bucket
from tests.unit.builders import NOW


def start(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    winnow.author.step(wish.key, "start", actor="ann")


def shown_by_reference(unit_id: str) -> str:
    """The variant of a fifty-fifty split with the salt `banner`, from the second implementation."""
    return "a" if bucket("banner/variant", unit_id) < 5_000 else "b"


def claim(unit_id: str, **changes: object) -> ExposureClaim:
    parts = {
        "event_id": f"x-{unit_id}",
        "unit_id": unit_id,
        "experiment": "banner",
        "version": 1,
        "segment": "everyone",
        "variant": shown_by_reference(unit_id),
        "occurred_at": NOW,
    }
    return ExposureClaim(**{**parts, **changes})


def exposures(winnow: Winnow) -> list[tuple[str, str, str, int]]:
    with winnow.open_unit_of_work(read_only=True) as work:
        everything = Watermark(exposure_id=10**9, event_id=10**9, at=NOW)
        return [row[:4] for batch in work.log.exposures("banner", everything) for row in batch]


def test_the_first_matching_segment_answers(winnow: Winnow, wish: ExperimentWish) -> None:
    start(winnow, wish)
    both = Unit(unit_id="u1", attributes={"mens": 1, "recency": 1})
    new = Unit(unit_id="u1", attributes={"mens": 0, "recency": 1})
    rest = Unit(unit_id="u1", attributes={"mens": 0, "recency": 12})
    answers = winnow.assigner.assign([both, new, rest], "banner")
    assert [answer[0].segment for answer in answers] == ["mens", "new", "everyone"]
    assert {answer[0].variant for answer in answers} == {shown_by_reference("u1")}


def test_a_customer_who_changes_segment_keeps_its_variant_where_the_splits_agree(
    winnow: Winnow, wish: ExperimentWish
) -> None:
    start(winnow, wish)
    for number in range(200):
        answers = winnow.assigner.assign(
            [Unit(unit_id=f"u{number}", attributes={"mens": mens}) for mens in (0, 1)], "banner"
        )
        assert answers[0][0].variant == answers[1][0].variant == shown_by_reference(f"u{number}")


def test_drafts_are_unknown_paused_and_stopped_show_the_control(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    unit = Unit(unit_id="u1", attributes={})
    with pytest.raises(NotFound):
        winnow.assigner.assign([unit], "banner")
    winnow.author.step("banner", "start", actor="ann")
    for step, reason in (("pause", "paused"), ("stop", "stopped")):
        winnow.author.step("banner", step, actor="ann")
        answer = winnow.assigner.assign([unit], "banner")[0][0]
        assert (answer.variant, answer.reason) == ("a", reason)
        assert winnow.assigner.assign([unit]) == [[]]


def test_asking_is_showing_where_the_experiment_says_so(winnow: Winnow, wish: ExperimentWish) -> None:
    half = (SegmentWish(segment="everyone", traffic_bp=5_000),)
    start(winnow, replace(wish, segments=half, exposure_policy=ExposurePolicy.ON_ASSIGNMENT))
    units = [Unit(unit_id=f"u{n}", attributes={}) for n in range(100)]
    for _ in range(2):
        winnow.assigner.assign(units, "banner")
    entered = [u.unit_id for u in units if bucket("banner/traffic", u.unit_id) < 5_000]
    assert sorted(exposures(winnow)) == sorted((unit, shown_by_reference(unit), "everyone", 1) for unit in entered)


def test_one_bad_item_never_fails_its_batch(winnow: Winnow, wish: ExperimentWish) -> None:
    start(winnow, wish)
    unreadable = ItemVerdict(event_id=None, status=ItemStatus.REJECTED, code="required", path="/unit_id")
    event = Event(event_id="e1", unit_id="u1", name="visit", occurred_at=NOW, value=None)
    late = replace(event, event_id="e2", occurred_at=NOW + timedelta(minutes=5, seconds=1))
    edge = replace(event, event_id="e3", occurred_at=NOW + timedelta(minutes=5))
    verdicts = winnow.recorder.record([event, unreadable, late, event, edge, claim("u1")])
    assert [(v.status.value, v.code) for v in verdicts] == [
        ("accepted", None),
        ("rejected", "required"),
        ("rejected", "occurred_in_future"),
        ("duplicate", None),
        ("accepted", None),
        ("accepted", None),
    ]
    again = winnow.recorder.record([event, edge, claim("u1")])
    assert [v.status.value for v in again] == ["duplicate"] * 3
    assert exposures(winnow) == [("u1", shown_by_reference("u1"), "everyone", 1)]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"experiment": "other"}, "experiment_unknown", "/experiment"),
        ({"version": 2}, "version_unknown", "/version"),
        ({"segment": "women"}, "segment_unknown", "/segment"),
        ({"variant": "c"}, "variant_unknown", "/variant"),
        ({"variant": "b" if shown_by_reference("u1") == "a" else "a"}, "exposure_mismatch", "/variant"),
    ],
)
def test_a_claim_that_no_assignment_can_have_made_is_rejected(
    winnow: Winnow, wish: ExperimentWish, changes: dict[str, object], code: str, path: str
) -> None:
    start(winnow, wish)
    verdict = winnow.recorder.record([claim("u1", **changes)])[0]
    assert (verdict.status, verdict.code, verdict.path) == (ItemStatus.REJECTED, code, path)
    assert exposures(winnow) == []


def test_drafts_take_no_exposures_and_stopped_ones_only_older(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    winnow.author.create(wish, actor="ann")
    assert winnow.recorder.record([claim("u1")])[0].code == "experiment_not_live"
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(hours=1)
    winnow.author.step("banner", "stop", actor="ann")
    clock.advance(hours=1)
    verdicts = winnow.recorder.record([claim("u1"), claim("u2", occurred_at=clock.now)])
    assert [(v.status.value, v.code) for v in verdicts] == [("accepted", None), ("rejected", "after_stop")]


def test_testers_see_what_they_are_forced_to_and_are_not_counted(winnow: Winnow, wish: ExperimentWish) -> None:
    other = "b" if shown_by_reference("tester") == "a" else "a"
    start(winnow, replace(wish, forced={"tester": other}))
    answer = winnow.assigner.assign([Unit(unit_id="tester", attributes={})], "banner")[0][0]
    assert (answer.variant, answer.reason) == (other, "forced")
    assert winnow.recorder.record([claim("tester", variant=other)])[0].status is ItemStatus.ACCEPTED
    assert exposures(winnow) == []


def test_what_others_randomised_is_taken_as_reported(winnow: Winnow, wish: ExperimentWish) -> None:
    start(winnow, replace(wish, randomisation=Randomisation.EXTERNAL))
    verdicts = winnow.recorder.record([claim("u1", variant="a"), claim("u2", variant="a")])
    assert [v.status.value for v in verdicts] == ["accepted", "accepted"]


def test_an_exposure_of_an_earlier_version_belongs_to_its_epoch(winnow: Winnow, wish: ExperimentWish) -> None:
    start(winnow, wish)
    wanted = (SegmentWish(segment="everyone", weights={"a": 1, "b": 9}),)
    winnow.author.edit("banner", replace(wish, segments=wanted), expected_revision=2, actor="ann")
    answer = winnow.assigner.assign([Unit(unit_id="u9", attributes={})], "banner")[0][0]
    assert (answer.version, answer.epoch) == (2, 2)
    winnow.recorder.record([claim("u1"), claim("u9", version=2, variant=answer.variant)])
    assert sorted((unit, epoch) for unit, _, _, epoch in exposures(winnow)) == [("u1", 1), ("u9", 2)]


def test_who_is_outside_of_the_layer_cannot_be_exposed(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.layers.create(Layer(key="home", name="Home", salt="home", holdout_bp=2_000), actor="ann")
    start(winnow, replace(wish, layer=LayerClaim(layer="home", share_bp=3_000)))
    units = [f"u{n}" for n in range(100)]
    verdicts = winnow.recorder.record([claim(unit) for unit in units])
    inside = [bucket("home", unit) < 3_000 for unit in units]
    assert [verdict.code for verdict in verdicts] == [None if within else "exposure_mismatch" for within in inside]


def test_an_exposure_from_before_its_version_is_rejected(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    """Five minutes of grace are for frontends whose clock is late."""
    clock.advance(days=1)
    start(winnow, wish)
    early = claim("u1", occurred_at=clock.now - timedelta(minutes=5, seconds=1))
    edge = claim("u2", occurred_at=clock.now - timedelta(minutes=5))
    assert [v.code for v in winnow.recorder.record([early, edge])] == ["before_version", None]


def test_nobody_is_exposed_to_a_paused_version(winnow: Winnow, wish: ExperimentWish) -> None:
    start(winnow, wish)
    winnow.author.step("banner", "pause", actor="ann")
    verdicts = winnow.recorder.record([claim("u1", version=2), claim("u2", version=1)])
    assert [v.code for v in verdicts] == ["experiment_paused", None]
