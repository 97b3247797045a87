"""What a live winner has come to, through the real engine: the holdback has to be able to show harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation
from experiments.domain.event import Event, ExposureClaim
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion import PromotionState
from experiments.services.analyse import Analyst
from experiments.services.verify_promotion import verify_promotion
from experiments.services.wishes import ExperimentWish, SegmentWish
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store

HELD_BACK, LIVE = 60, 1_140


@pytest.fixture
def live(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> ExperimentWish:
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


def a_day(winnow: Winnow, clock: FakeClock, one_in: int = 20) -> None:
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
            items.append(Event(event_id=f"v-{unit}", unit_id=unit, name="visit", occurred_at=at))
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
