"""Evidence: what is read from a stored report, and what from the experiment's versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.decision import Action
from experiments.domain.evidence import Basis, Evidence
from experiments.domain.metric import Direction, MetricRole
from experiments.domain.policy import AnalysisPlan, LiftPrior
from experiments.domain.promotion_policy import PromotionPolicy, PromotionScope
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from tests.conftest import FakeClock
from tests.unit.builders import VISIT
from tests.unit.reports import comparison, metric, report, scope, store

NOT_FINITE = {"undefined": "not_finite", "message": "Too large or too small for a number."}


@pytest.fixture
def started(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Winnow:
    """Running for 15 days."""
    winnow.author.create(wish, actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=15)
    return winnow


def evidence(winnow: Winnow, clock: FakeClock, segment: str = "mens", *, version: int = 1, **lift: Any) -> Evidence:
    """On a winner whose comparison with the control holds these entries."""
    shown = scope(segment)
    shown["metrics"][0]["comparisons"][0].update(lift)
    store(winnow.open_unit_of_work, "banner", report(shown), at=clock.now, version=version)
    return winnow.promoter.propose("banner", segment)[0].evidence


@pytest.mark.parametrize(
    ("ends", "gain"),
    [
        pytest.param({"low": 0.04, "high": 0.7}, (0.04, 0.7), id="both"),
        pytest.param({"low": 0.04, "high": NOT_FINITE}, (0.04, None), id="no upper end"),
        pytest.param({"low": NOT_FINITE, "high": 0.7}, (None, 0.7), id="no lower end"),
        pytest.param({"undefined": "too_early", "message": "Too early."}, (None, None), id="none"),
    ],
)
def test_the_gain_is_bounded_by_what_holds_for_the_whole_family(
    started: Winnow, clock: FakeClock, ends: dict[str, Any], gain: tuple[float | None, float | None]
) -> None:
    """The comparison's own interval, .1 to .5, is not looked at."""
    found = evidence(started, clock, lift_in_family=ends)
    assert (found.gain_low, found.gain_high) == gain


def test_what_is_predicted_is_the_estimate_less_what_was_luck(started: Winnow, clock: FakeClock) -> None:
    """30% with a standard error of 1%; an estimate without one is what it is."""
    assert evidence(started, clock).predicted_gain == pytest.approx(0.3 * (1 - 1 / 900))
    bare = evidence(started, clock, lift={"value": 0.3, "std_error": NOT_FINITE})
    assert (bare.gain, bare.predicted_gain) == (0.3, 0.3)
    assert evidence(started, clock, lift={"value": NOT_FINITE, "std_error": NOT_FINITE}).predicted_gain is None


@pytest.mark.parametrize(("direction", "sign"), [(Direction.INCREASE, 1), (Direction.DECREASE, -1)])
def test_a_plan_s_prior_is_weighed_in_the_direction_that_is_wished_for(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock, direction: Direction, sign: int
) -> None:
    """Lifts of 10% ± 1% were expected of a metric to be raised, of -10% ± 1% of one to be lowered; 30% ± 1% came."""
    winnow.author.metrics.create(replace(VISIT, key="aimed", direction=direction), actor="ann")
    prior = LiftPrior(mean=sign * 0.1, std_dev=0.01)
    aimed = replace(
        wish, metrics=(MetricWish(metric="aimed", role=MetricRole.PRIMARY),), analysis=AnalysisPlan(lift_prior=prior)
    )
    winnow.author.create(aimed, actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    found = evidence(winnow, clock, lift={"value": sign * 0.3, "std_error": 0.01})
    assert (found.gain, found.predicted_gain) == (pytest.approx(0.3), pytest.approx(0.2))


def test_a_report_that_knows_no_families_promotes_nothing(started: Winnow, clock: FakeClock) -> None:
    old = scope("mens")
    del old["metrics"][0]["comparisons"][0]["lift_in_family"]
    store(started.open_unit_of_work, "banner", report(old), at=clock.now)
    decision = started.promoter.propose("banner", "mens")[0].decision
    assert (decision.action, decision.reasons[0].code) == (Action.HOLD, "below_minimum_lift")


def test_a_segment_starts_when_it_comes_into_the_experiment(
    started: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    started.author.segments.create(Segment(key="late", name="Late", condition={"late": True}), actor="ann")
    revision = started.author.get("banner").revision
    more = replace(wish, segments=(SegmentWish(segment="late"), *wish.segments))
    edited = started.author.edit("banner", more, expected_revision=revision, actor="ann")
    came = clock.now
    clock.advance(days=13)
    version = edited.current.number
    assert evidence(started, clock, "late", version=version).segment_since == came
    decision = started.promoter.propose("banner", "late")[0].decision
    assert [reason.code for reason in decision.reasons] == ["minimum_duration"]
    assert evidence(started, clock, "mens", version=version).segment_since < came


def test_who_is_offered_is_read_from_the_split_as_it_stands(
    started: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    assert evidence(started, clock).offered == ("a", "b")
    gone = [
        SegmentWish(segment="mens", weights={"a": 1, "b": 0}) if one.segment == "mens" else one for one in wish.segments
    ]
    revision = started.author.get("banner").revision
    started.author.edit("banner", replace(wish, segments=tuple(gone)), expected_revision=revision, actor="ann")
    proposal = started.promoter.propose("banner", "mens")[0]
    assert proposal.evidence.offered == ("a",)
    assert [reason.code for reason in proposal.decision.reasons] == ["split_changed", "not_offered"]


def _for_all(advice: str, own: dict[str, Any]) -> dict[str, Any]:
    overall = scope(None, "winner", 0.05, 0.3)
    advised = {"advice": advice, "variant": None, "winners": [], "sentence": ""}
    return report(own, scope("everyone", "undecided")) | {"overall": overall, "recommendation": advised}


@pytest.fixture
def for_all(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Winnow:
    """One winner for all, running for 15 days."""
    winnow.author.create(replace(wish, promotion=PromotionPolicy(scope=PromotionScope.ONE_FOR_ALL)), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=15)
    return winnow


@pytest.mark.parametrize(
    ("advice", "basis", "action"),
    [
        ("one_for_all", Basis.OVERALL, Action.PROMOTE),
        ("wait", Basis.SEGMENT, Action.HOLD),
        ("none", Basis.OVERALL, Action.PROMOTE),
    ],
)
def test_who_wins_over_all_is_for_all_only_where_the_report_advises_it(
    for_all: Winnow, clock: FakeClock, advice: str, basis: Basis, action: Action
) -> None:
    """`wait` beside a winner over all: segments are shown to differ, and none of them alone is sure yet.

    `none` beside it: it does harm somewhere, and who is harmed is judged as ever.
    """
    store(for_all.open_unit_of_work, "banner", _for_all(advice, scope("mens", "undecided", -0.1, 0.2)), at=clock.now)
    found = for_all.promoter.propose("banner", "mens")[0]
    assert (found.evidence.basis, found.decision.action) == (basis, action)


def test_who_is_left_out_is_given_no_winner(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> None:
    """With no traffic everybody sees the control, whoever wins over all."""
    segments = (SegmentWish(segment="mens"), SegmentWish(segment="everyone", traffic_bp=0))
    policy = PromotionPolicy(scope=PromotionScope.ONE_FOR_ALL)
    winnow.author.create(replace(wish, segments=segments, promotion=policy), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=15)
    store(winnow.open_unit_of_work, "banner", _for_all("one_for_all", scope("mens")), at=clock.now)
    in_it, left_out = (winnow.promoter.propose("banner", segment)[0].decision for segment in ("mens", "everyone"))
    assert in_it.action is Action.PROMOTE
    assert (left_out.action, [reason.code for reason in left_out.reasons]) == (Action.HOLD, ["not_offered"])


def test_who_wins_over_all_but_harms_goes_live_nowhere(for_all: Winnow, clock: FakeClock) -> None:
    """In the segment it wins as well, and is safe: what all together show is not set aside."""
    own = scope("mens")
    own["metrics"].append(metric("returns", "guardrail", [comparison("b", 0.0, 0.1, guardrail="safe")]))
    document = _for_all("none", own)
    harm = metric("returns", "guardrail", [comparison("b", -0.4, -0.2, guardrail="harmed")])
    document["overall"]["metrics"].append(harm)
    store(for_all.open_unit_of_work, "banner", document, at=clock.now)
    decision = for_all.promoter.propose("banner", "mens")[0].decision
    assert (decision.action, [reason.code for reason in decision.reasons]) == (Action.HOLD, ["guardrail_harmed"])


def test_who_is_worse_in_a_segment_is_not_for_it_though_others_may_be(for_all: Winnow, clock: FakeClock) -> None:
    """With three arms: b is surely worse than the control, and whether c is better is open."""
    store(
        for_all.open_unit_of_work,
        "banner",
        _for_all("one_for_all", scope("mens", "undecided", -0.2, -0.01)),
        at=clock.now,
    )
    decision = for_all.promoter.propose("banner", "mens")[0].decision
    assert (decision.action, decision.reasons[0].code) == (Action.HOLD, "segment_disagrees")


def test_a_guardrail_that_came_after_the_snapshot_is_not_proven_safe(
    started: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    store(started.open_unit_of_work, "banner", report(scope("mens")), at=clock.now)
    assert started.promoter.propose("banner", "mens")[0].decision.action is Action.PROMOTE
    guarded = replace(
        wish, metrics=(*wish.metrics, MetricWish(metric="spend", role=MetricRole.GUARDRAIL, margin_lift=0.02))
    )
    started.author.edit("banner", guarded, expected_revision=started.author.get("banner").revision, actor="ann")
    decision = started.promoter.propose("banner", "mens")[0].decision
    assert (decision.action, decision.reasons[0].code) == (Action.HOLD, "guardrail_unproven")
