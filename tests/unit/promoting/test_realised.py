"""What a live winner has come to, through the real engine: the holdback has to be able to show harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation
from experiments.domain.event import Event, ExposureClaim
from experiments.domain.evidence import GuardrailState
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole
from experiments.domain.policy import DAY_SECONDS, AnalysisPlan
from experiments.domain.promotion import PromotionState
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.analysing.analyse import Analyst
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.promoting.evidence import evidence_of
from experiments.services.promoting.look import look_at
from experiments.services.promoting.verify import verify_promotion
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store

HELD_BACK, LIVE = 60, 1_140


@pytest.fixture
def live(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> ExperimentWish:
    return go_live(winnow, wish, clock)


def go_live(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> ExperimentWish:
    """b is live for men; all but the holdback. Others randomise, so that a test may say who saw what."""
    wanted = replace(
        wish,
        analysis=AnalysisPlan(minimum_duration_seconds=0),
        randomisation=Randomisation.EXTERNAL,
    )
    winnow.author.create(wanted, actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    store(winnow.open_unit_of_work, "banner", report(scope("mens"), scope("new", "undecided")), at=clock.now)
    winnow.promoter.apply("banner", "mens", actor="ann")
    return wanted


def a_day(winnow: Winnow, clock: FakeClock, one_in: int = 20, value: float | None = None) -> None:
    """A third of those with the control visit, of the others one in twenty, or in so many."""
    version, day = winnow.author.get("banner").current.number, clock.now
    shown = [("a", number) for number in range(HELD_BACK)] + [("b", number) for number in range(LIVE)]
    items: list[Event | ExposureClaim] = []
    for variant, number in shown:
        unit = f"{variant}{number}-{day:%d}"
        items.append(
            ExposureClaim(
                event_id=f"x-{unit}",
                unit_id=unit,
                experiment="banner",
                version=version,
                segment="mens",
                variant=variant,
                occurred_at=day,
            )
        )
        if number % {"a": 3, "b": one_in}[variant] == 0:
            at = day + timedelta(minutes=1)
            items.append(Event(event_id=f"v-{unit}", unit_id=unit, name="visit", value=value, occurred_at=at))
    clock.advance(days=1)
    assert {verdict.status for verdict in winnow.recorder.record(items)} == {"accepted"}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["alone", "beside a segment whose split changes every day"])
def test_harm_shows_whatever_happens_to_other_segments(
    winnow: Winnow, live: ExperimentWish, clock: FakeClock, elsewhere: bool
) -> None:
    """Two days of 60 are more than the minimum of 100, though each by itself is not."""
    analyst = Analyst(winnow.open_unit_of_work, clock)
    for day in range(2):
        if elsewhere:
            mens = SegmentWish(segment="mens", weights={"a": 500, "b": 9_500})
            new = SegmentWish(segment="new", weights={"a": 50 + day, "b": 49 - day})
            revision = winnow.author.get("banner").revision
            edited = replace(live, segments=(mens, new))
            winnow.author.edit("banner", edited, expected_revision=revision, actor="ann")
        a_day(winnow, clock)
    analyst.analyse("banner")
    assert analyst.verify("banner").identical
    reverted = winnow.advancer.step("banner", "mens")
    assert reverted is not None
    assert (reverted.state, reverted.steps[-1].reasons[0].code) == (PromotionState.REVERTED, "lift_lost")


def test_who_puts_everybody_off_is_taken_back_though_too_few_visit_for_an_interval(
    winnow: Winnow, live: ExperimentWish, clock: FakeClock
) -> None:
    """One visit of 1,140, twenty of 60: less than the minimum of units, and of visits."""
    analyst = Analyst(winnow.open_unit_of_work, clock)
    a_day(winnow, clock, one_in=LIVE)
    analyst.analyse("banner")
    reverted = winnow.advancer.step("banner", "mens")
    assert reverted is not None
    step = reverted.steps[-1]
    assert (reverted.state, step.reasons[0].code) == (PromotionState.REVERTED, "lift_lost")
    assert step.evidence is not None
    assert step.evidence.live is not None
    assert (step.evidence.live.gain_low, (step.evidence.live.gain_high or 0) < -0.9) == (None, True)
    assert verify_promotion(winnow.open_unit_of_work, reverted.id).holds


def test_a_share_that_nobody_has_seen_has_not_been_watched(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    """Who came by the share before it says nothing of this one."""
    policy = PromotionPolicy(ramp_bp=(9_400, 9_450), soak_seconds=DAY_SECONDS)
    go_live(winnow, replace(wish, promotion=policy), clock)
    analyst = Analyst(winnow.open_unit_of_work, clock)
    shown: dict[str, object] = {}
    for visited in (True, False, True):
        a_day(winnow, clock, one_in=2) if visited else clock.advance(days=1)
        analyst.analyse("banner")
        assert analyst.verify("banner").identical
        step = winnow.advancer.step("banner", "mens")
        shown[f"day {len(shown)}"] = None if step is None else step.shares[-1].share_bp
        if step is None:
            [proposal] = winnow.promoter.propose("banner", "mens")
            assert [reason.message for reason in proposal.decision.reasons] == ["Nobody has been counted at 94.5% yet."]
    assert shown == {"day 0": 9_450, "day 1": None, "day 2": 9_500}
    [promotion] = winnow.promoter.history(experiment="banner", after=None, limit=10).items
    assert verify_promotion(winnow.open_unit_of_work, promotion.id).holds


def use(winnow: Winnow, key: str, role: MetricRole, kind: MetricKind, direction: Direction) -> MetricWish:
    metric = Metric(key=key, name=key.title(), kind=kind, event_name="visit", direction=direction)
    winnow.author.metrics.create(metric, actor="test")
    return MetricWish(metric=key, role=role, margin_lift=0.1 if role is MetricRole.GUARDRAIL else None)


@pytest.mark.parametrize("kind", [MetricKind.COUNT, MetricKind.MEAN])
def test_hardly_any_event_takes_back_a_winner_on_a_sum_as_well(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock, kind: MetricKind
) -> None:
    """Two visits of 2,280 against 40 of 120: two are too few for a standard error, but not for the holdback's."""
    visits = use(winnow, "visits", MetricRole.PRIMARY, kind, Direction.INCREASE)
    go_live(winnow, replace(wish, metrics=(visits,)), clock)
    analyst = Analyst(winnow.open_unit_of_work, clock)
    for _ in range(2):
        a_day(winnow, clock, one_in=LIVE, value=1.0)
    analyst.analyse("banner")
    reverted = winnow.advancer.step("banner", "mens")
    assert reverted is not None
    step = reverted.steps[-1]
    assert (reverted.state, step.reasons[0].code) == (PromotionState.REVERTED, "lift_lost")
    assert step.evidence is not None
    assert step.evidence.live is not None
    assert (step.evidence.live.gain_low, (step.evidence.live.gain_high or 0) < -0.9) == (None, True)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param((Direction.INCREASE, LIVE, True), id="nobody does any more what is wished for"),
        pytest.param((Direction.DECREASE, LIVE, False), id="nobody does any more what is not"),
        pytest.param((Direction.INCREASE, 4, False), id="a little less, in a holdback too small to say so"),
    ],
)
@pytest.mark.parametrize("kind", [MetricKind.CONVERSION, MetricKind.COUNT])
def test_a_guardrail_with_hardly_any_event_breaks_too(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock, kind: MetricKind, case: tuple[Direction, int, bool]
) -> None:
    direction, one_in, harmed = case
    guardrail = use(winnow, "visits", MetricRole.GUARDRAIL, kind, direction)
    go_live(winnow, replace(wish, metrics=(MetricWish(metric="spend", role=MetricRole.PRIMARY), guardrail)), clock)
    analyst = Analyst(winnow.open_unit_of_work, clock)
    for _ in range(2):
        a_day(winnow, clock, one_in=one_in)
    analyst.analyse("banner")
    with winnow.open_unit_of_work() as work:
        live = evidence_of(look_at(work, "banner"), "mens").live
    assert live is not None
    assert [one.state is GuardrailState.HARMED for one in live.guardrails] == [harmed]
