"""What an answer waits for, and where waiting does not help."""

from __future__ import annotations

import pytest

from analysis.estimate import Undefined, Verdict
from analysis.inference.recommend import recommend
from analysis.inference.waiting import Prospects
from analysis.moments import MetricKey
from analysis.report import build
from tests.stats.builders import comparison, conversions, metric, moments_of, plan, segment, table
from tests.stats.situations import EARLY, NAMES, OPEN, outlook

TIED_VALUES = Undefined(reason="zero_variance", message="One value holds the whole interval: no spread shows.")


@pytest.mark.parametrize(
    ("overall", "prospects", "sentence"),
    [
        pytest.param(
            OPEN,
            Prospects(untestable=TIED_VALUES, closed="over"),
            "There is no winner. It cannot be tested: one value holds the whole interval: no spread shows. "
            "More customers like these will not change that.",
            id="no test, whoever comes",
        ),
        pytest.param(
            EARLY,
            Prospects(maturing=3_000, enough=True),
            "Too early to say: wait. Give it time.",
            id="time is missing",
        ),
        pytest.param(
            EARLY,
            Prospects(maturing=30),
            "Too early to say: wait. Give it time; more customers are needed, too.",
            id="both are missing",
        ),
        pytest.param(
            EARLY,
            Prospects(maturing=30, closed="silent"),
            "Too early to say: wait. Give it time; nobody new has come for a week, so it may not be enough.",
            id="both are missing, and nobody comes",
        ),
        pytest.param(
            OPEN,
            Prospects(closed="over"),
            "There is no winner yet. Nobody new comes in: with these customers it stays open. To know more, run it "
            "again, with more customers.",
            id="nobody comes any more",
        ),
        pytest.param(
            OPEN,
            Prospects(closed="silent"),
            "There is no winner yet. Nobody new has come for a week: with these customers it stays open. To know more, "
            "bring in more customers.",
            id="nobody came lately",
        ),
        pytest.param(
            OPEN,
            Prospects(closed="over", maturing=10_000),
            "There is no winner yet. Nobody new comes in, but 10,000 customers are in whose time is not over yet: wait "
            "for that.",
            id="nobody comes, and many are still to count",
        ),
    ],
)
def test_nobody_is_told_to_wait_for_customers_who_cannot_help(
    overall: Verdict, prospects: Prospects, sentence: str
) -> None:
    found = recommend(overall, {"w": overall}, (), [outlook(days=2.0)], control="a", names=NAMES, prospects=prospects)
    assert found.sentence == sentence


@pytest.mark.parametrize(("days", "long"), [(364.0, False), (366.0, True), (5_649.0, True)])
def test_what_takes_longer_than_a_year_is_no_promise(days: float, long: bool) -> None:
    """16,947 units at three a day are 5,649 days."""
    found = recommend(OPEN, {"w": OPEN}, (), [outlook(days=days)], control="a", names=NAMES)
    assert found.waits_for == ("nothing" if long else "units")
    assert found.sentence.endswith(
        "At this traffic nothing can be said within a year: bring in more customers, test something bolder, or decide "
        "without a winner."
        if long
        else "something can be said in about 12 months."
    )


def test_the_smallest_difference_that_is_seen_has_no_exponent() -> None:
    """36.23 as a fraction of the control's value."""
    found = recommend(OPEN, {"w": OPEN}, (), [outlook(lift=36.23)], control="a", names=NAMES)
    assert "a difference of 3,623% or more would probably be seen" in found.sentence


def test_what_cannot_be_tested_is_said_to_be_so() -> None:
    """All of one arm have 5 and all of the other 7: no number of such customers gives the spread of a test."""
    arms = {(1, "all", arm): {"visits": moments_of([value] * 4_000)} for arm, value in (("a", 5.0), ("b", 7.0))}
    found = build(plan(metric(kind="mean"), units_name="customers"), table(arms))
    assert found.overall.verdict.outcome == "undecided"
    assert segment(found).verdict.sentence == (
        "No winner for all: visits cannot be tested. Nobody differs from anybody within an arm: no scale to test on. "
        "More customers like these will not change that."
    )
    assert found.recommendation.sentence.startswith("There is no winner. It cannot be tested: nobody differs")
    ahead = comparison(segment(found)).outlook
    assert ahead is not None
    assert isinstance(ahead.units_left, Undefined)
    assert ahead.units_left.reason == "zero_variance"


def test_denominators_of_zero_cannot_be_tested_either() -> None:
    arms = {
        (1, "all", arm): {"visits": moments_of([1.0, 3.0] * 500, [of, of] * 500)}
        for arm, of in (("a", 1.0), ("b", 0.0))
    }
    ratio = metric(kind="ratio", denominator_event_name="view")
    assert "visits cannot be tested. The denominators add up to zero." in (
        segment(build(plan(ratio), table(arms))).verdict.sentence
    )


def test_time_alone_is_not_enough_where_one_arm_has_too_few() -> None:
    """2,000 are maturing, of whom 20 in b: 50 and 20 are no 100."""
    arms = {(1, "all", arm): {"visits": conversions(20, 50)} for arm in "ab"}
    maturing = {MetricKey(1, "all", "a", "visits"): 1_980, MetricKey(1, "all", "b", "visits"): 20}
    found = build(plan(metric(window_seconds=86_400)), table(arms, maturing=maturing))
    assert found.recommendation.sentence.endswith("Give it time; more units are needed, too.")
    assert found.recommendation.waits_for == "time"


@pytest.mark.parametrize(
    ("recent", "advice"),
    [
        (3_000, "not over yet. Give it time."),
        (20, "not over yet. Give it time; more units are needed, too."),
    ],
)
def test_windows_that_are_open_miss_time(recent: int, advice: str) -> None:
    """The minimum is 100 units of each arm; 50 are complete."""
    arms = {(1, "all", arm): {"visits": conversions(20, 50)} for arm in "ab"}
    maturing = {MetricKey(1, "all", arm, "visits"): recent for arm in "ab"}
    found = build(plan(metric(window_seconds=86_400)), table(arms, maturing=maturing))
    assert found.overall.verdict.sentence == (
        "Too early to say for all segments together: a has 50 of the 100 units with a complete window needed. "
        f"{2 * recent:,} units are in whose time is not over yet."
    )
    assert found.recommendation.sentence.endswith(advice)
