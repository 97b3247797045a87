"""Looks in the report: what is spent at each of them, and when it is decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import ceil, sqrt
from typing import Any

import pytest
from scipy.stats import norm

from analysis.estimate import Interval, Outlook, Undefined
from analysis.inference.sequential import always_valid_p, mixture_scale, multiplier
from analysis.moments import ArmKey, ArrivalKey, MetricKey, Moments
from analysis.plan import Cell, Looks, Standing
from analysis.report import build
from tests.stats.builders import at, comparison, metric, plan, segment, table
from tests.stats.exact_means import mean_with, means

# Lan–DeMets spending of O'Brien–Fleming's kind, two-sided .05, at fifths of the information: the boundaries that
# Reboussin, DeMets, Kim & Lan compute, Controlled Clinical Trials 21 (2000), pp. 190-207.
LAN_DEMETS = (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)


@pytest.mark.parametrize("look", range(5))
def test_a_group_sequential_plan_decides_at_its_boundary(look: int) -> None:
    """2,000 units at this look, planned so that they are (look + 1)/5; the earlier looks at equal steps."""
    planned = 2_000 * 5 / (look + 1)
    earlier = tuple(round(planned * step / 5) for step in range(1, look + 1))
    looks = Looks(planned_units=round(planned), earlier_units={"all": earlier, None: earlier})
    error = sqrt(2) * 0.01
    for z, significant in ((LAN_DEMETS[look] - 0.02, False), (LAN_DEMETS[look] + 0.02, True)):
        found = means((10.0, 0.01), (10.0 + z * error, 0.01), stopping_rule="group_sequential", looks=looks)
        row = comparison(segment(found))
        assert isinstance(row.p_value_adjusted, float)
        assert (row.p_value_adjusted < 0.05) is significant
        assert isinstance(row.difference_in_family, Interval)
        assert (row.difference_in_family.low > 0) is significant
        half_width = (row.difference_in_family.high - row.difference_in_family.low) / 2
        # t with 1,998 degrees of freedom in place of z: 3 parts in a thousand at 4.9.
        assert half_width / error == pytest.approx(LAN_DEMETS[look], rel=4e-3)
        assert found.overall.metrics[0].comparisons[0].p_value_adjusted == row.p_value_adjusted


def test_after_the_last_look_nothing_is_left_to_spend() -> None:
    looks = Looks(planned_units=1_000, earlier_units={"all": (1_000,), None: (1_000,)})
    row = comparison(segment(means((10, 0.01), (11, 0.01), stopping_rule="group_sequential", looks=looks)))
    for number in (row.p_value_adjusted, row.difference_in_family, row.lift_in_family):
        assert isinstance(number, Undefined)
        assert number.reason == "nothing_to_spend"


@pytest.mark.parametrize("last", [2_000, 2_001])
def test_the_same_units_again_have_nothing_to_spend(last: int) -> None:
    """Their outcomes may have changed meanwhile: 15 looks at the same 10,000 units, of which some convert every day,
    err in .26 of A/A tests if all but the first are free. Units that left do not give a look back either."""
    looks = Looks(planned_units=4_000, earlier_units={"all": (1_000, last)})
    row = comparison(segment(means((10, 0.01), (11, 0.01), stopping_rule="group_sequential", looks=looks)))
    assert isinstance(row.p_value_adjusted, Undefined)
    assert row.p_value_adjusted.reason == "nothing_to_spend"


def standing(p_value: float, low: float, high: float) -> dict[str | None, tuple[Standing, ...]]:
    """What a look has found of b against a, alike over all and in the segment; of means of 10 and about."""
    difference = Interval(low=low, high=high, level=0.95, method="by hand")
    lift = Interval(low=low / 10, high=high / 10, level=0.95, method="by hand")
    found = Standing(treatment="b", baseline="a", p_value=p_value, difference=difference, lift=lift)
    return {"all": (found,), None: (found,)}


B_IS_BETTER = standing(0.01, 0.5, 1.5)


@pytest.mark.parametrize(
    ("found", "verdict", "says"),
    [
        pytest.param(B_IS_BETTER, ("winner", "one_for_all"), "are higher than with a (between 5.0% and 15%)", id="b"),
        pytest.param(standing(0.01, -1.5, -0.5), ("control_wins", "none"), "are lower (between 5.0% and 15%)", id="a"),
        pytest.param(standing(0.2, -0.5, 1.5), ("undecided", "wait"), "no difference from a was shown", id="nobody"),
        pytest.param({}, ("undecided", "wait"), "no difference from a was shown", id="nothing"),
    ],
)
@pytest.mark.parametrize(("last", "by_now"), [(2_000, 10.01), (2_500, 9.99)])
def test_what_the_last_look_decided_stands(
    found: Any, verdict: tuple[str, str], says: str, last: int, by_now: float
) -> None:
    """Planned for 2,000 units, of which some may have been erased since: whatever the numbers say by now."""
    earlier = {"all": (1_000, last), None: (1_000, last)}
    looks = Looks(planned_units=last, earlier_units=earlier, standing=found)
    report = means((10, 0.01), (by_now, 0.01), stopping_rule="group_sequential", looks=looks)
    for scope in (report.overall, *report.segments):
        assert (scope.verdict.outcome, report.recommendation.advice) == verdict
        assert says in scope.verdict.sentence
        assert "That stands as the last look left it" in scope.verdict.sentence
        assert " yet" not in scope.verdict.sentence
        row = comparison(scope)
        if found:
            ((one,), _) = found.values()
            assert (row.p_value_adjusted, row.difference_in_family) == (one.p_value, one.difference)
            assert row.lift_in_family == one.lift


def test_what_an_earlier_look_decided_does_not_bind_one_that_decides() -> None:
    looks = Looks(planned_units=2_000, earlier_units={"all": (1_000,), None: (1_000,)}, standing=B_IS_BETTER)
    found = means((10, 0.01), (10.01, 0.01), stopping_rule="group_sequential", looks=looks)
    assert found.overall.verdict.outcome == "undecided"
    assert "last look" not in found.overall.verdict.sentence


def test_who_was_shown_to_be_worse_somewhere_is_not_advised_for_everybody() -> None:
    """b won over all, and lost to c in x: a look that decides nothing knows that, too."""

    def found(treatment: str, baseline: str, low: float) -> Standing:
        ends = Interval(low=low, high=low + 1.0, level=0.95, method="by hand")
        return Standing(treatment=treatment, baseline=baseline, p_value=0.01, difference=ends, lift=ends)

    over_all = found("b", "a", 1.0), found("c", "a", 0.1), found("c", "b", -2.0)
    in_x = (found("c", "b", 0.5),)
    looks = Looks(
        planned_units=6_000,
        earlier_units={None: (6_000,), "x": (3_000,), "y": (3_000,)},
        standing={None: over_all, "x": in_x},
    )
    arms = {(1, where, arm): {"visits": mean_with(10.0, 0.05)} for where in "xy" for arm in "abc"}
    question = plan(
        metric(kind="mean"),
        variants="abc",
        segments="xy",
        stopping_rule="group_sequential",
        family="bonferroni",
        looks=looks,
    )
    report = build(question, table(arms))
    assert (report.overall.verdict.outcome, report.overall.verdict.variant) == ("winner", "b")
    assert report.recommendation.advice != "one_for_all"


def test_segments_of_a_group_sequential_plan_expect_equal_shares_unless_told() -> None:
    """2,000 of 8,000 units in each of two segments are half of what is planned there, a quarter of 4,000·2 = 8,000."""
    arms = {
        (1, name, arm): {"visits": mean_with(value, 0.01)}
        for name in "xy"
        for arm, value in (("a", 10.0), ("b", 10.05))
    }
    question = {"segments": ("x", "y"), "stopping_rule": "group_sequential", "family": "bonferroni"}

    def half_width(looks: Looks) -> float:
        row = comparison(segment(build(plan(metric(kind="mean"), looks=looks, **question), table(arms))))
        assert isinstance(row.difference_in_family, Interval)
        return (row.difference_in_family.high - row.difference_in_family.low) / 2 / (sqrt(2) * 0.01)

    # One look at half of the information, alpha .025: 2·(2 - 2Φ(z(.025/4)/√.5)) on two sides.
    spent = 4 * norm.sf(norm.isf(0.025 / 4) / sqrt(0.5))
    assert half_width(Looks(planned_units=8_000)) == pytest.approx(norm.isf(spent / 2), rel=4e-3)
    told = Looks(planned_units=8_000, planned_by_segment={"x": 8_000})
    spent = 4 * norm.sf(norm.isf(0.025 / 4) / sqrt(0.25))
    assert half_width(told) == pytest.approx(norm.isf(spent / 2), rel=1e-2)


def test_an_unbounded_lift_of_a_group_sequential_plan_says_so() -> None:
    """The control's mean is half a standard error above 0: no percentage, and yet a look like any other."""
    looks = Looks(planned_units=4_000)
    arms = {
        (1, "all", arm): {"visits": replace(mean_with(value, 0.01), absolute_mean=1.0)}
        for arm, value in (("a", 0.005), ("b", 1.0))
    }
    question = plan(metric(kind="mean"), stopping_rule="group_sequential", looks=looks)
    row = comparison(segment(build(question, table(arms))))
    assert isinstance(row.p_value_adjusted, float)
    assert isinstance(row.lift_in_family, Undefined)
    assert row.lift_in_family.reason == "unbounded"


@pytest.mark.parametrize(
    ("planned", "severity", "says"),
    [
        (2_000, "info", "looking again and again makes them wrong more often"),
        (2_001, "warning", "Only 2,000 of the 2,001 planned units are in: who looks early and often finds winners"),
        (50_000, "warning", "Only 2,000 of the 50,000 planned units are in"),
    ],
)
def test_one_look_is_said_to_be_one_look_and_an_early_one_is_warned_of(planned: int, severity: str, says: str) -> None:
    """Ten looks at A/A data, all before a tenth of the units, end in a winner in 12 of 40 experiments, not in 2."""
    found = means((10, 1), (10, 1), stopping_rule="fixed_horizon", tuned_for_units=planned).findings
    assert [(one.code, one.severity) for one in found] == [("single_look", severity)]
    assert says in found[0].message


@pytest.mark.parametrize(("maturing", "severity"), [(0, "info"), (1, "warning"), (1_000, "warning")])
def test_the_one_look_comes_when_all_have_had_their_time(maturing: int, severity: str) -> None:
    """3,000 planned and in, and the windows of some are not over: a look now, and one later, would be two."""
    arms = {
        (1, "all", arm): {"visits": mean_with(value, 0.05, n=1_500 - maturing // 2)}
        for arm, value in (("a", 10.0), ("b", 11.0))
    }
    question = plan(metric(kind="mean", window_seconds=60), stopping_rule="fixed_horizon", tuned_for_units=3_000)
    known = {MetricKey(1, "all", "a", "visits"): maturing} if maturing else {}
    units = {ArmKey(1, "all", arm): 1_500 for arm in "ab"}
    found = build(question, replace(table(arms), maturing=known, units=units))
    assert [one.severity for one in found.findings if one.code == "single_look"] == [severity]
    assert found.recommendation.advice == ("wait" if maturing else "one_for_all")
    early = f"Only {3_000 - maturing:,} of the 3,000 planned units have had their time"
    assert found.recommendation.sentence.startswith(early) is bool(maturing)


@pytest.mark.parametrize(("planned", "ends", "advice"), [(2_001, None, "wait"), (2_001, 1_000, "one_for_all")])
def test_a_plan_that_ended_before_its_time_waits_for_nothing(planned: int, ends: int | None, advice: str) -> None:
    """Nobody comes in any more: what it says is said, with what to think of it."""
    cell = Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}, follow_up_ends_at=None if ends is None else at(ends))
    rules = {"stopping_rule": "fixed_horizon", "tuned_for_units": planned, "watermark_at": at(1_000), "cells": [cell]}
    arms = {(1, "all", one): {"visits": mean_with(value, 0.05)} for one, value in (("a", 10.0), ("b", 11.0))}
    found = build(plan(metric(kind="mean"), **rules), table(arms))
    assert found.recommendation.advice == advice
    assert found.recommendation.sentence.count("Only 2,000 of the 2,001 planned units are in") == 1
    assert [one.severity for one in found.findings if one.code == "single_look"] == ["info" if ends else "warning"]


def test_who_looks_always_is_not_warned() -> None:
    assert means((10, 1), (10, 1)).findings == ()


def test_an_open_comparison_says_when_it_decides_and_a_decided_one_does_not() -> None:
    """100 units a day in the last seven whole days; the sequence meets 0 where z·√(n/now) is its multiplier."""
    error = sqrt(2) * 0.05
    arms = {
        (1, "all", "a"): {"visits": mean_with(10, 0.05)},
        (1, "all", "b"): {"visits": mean_with(10 + 2 * error, 0.05)},
    }
    days = [(at(0) + timedelta(days=day)).date().isoformat() for day in range(10)]
    arrivals = {ArrivalKey("all", day): 100 if day >= days[2] else 5_000 for day in days}
    question = plan(metric(kind="mean"), watermark_at=at(9 * 86_400), minimum_lift=0.02)
    row = comparison(segment(build(question, table(arms, arrivals=arrivals))))
    assert isinstance(row.outlook, Outlook)
    assert isinstance(row.outlook.units_left, int)
    rho = mixture_scale(0.05, 5_000)
    total = 2_000 + row.outlook.units_left
    assert multiplier(total, 0.05, rho) == pytest.approx(2 * sqrt(total / 2_000), rel=1e-3)
    assert row.outlook.days_left == pytest.approx(row.outlook.units_left / 100)
    at_end = error * sqrt(2_000 / 5_000)
    critical = multiplier(5_000, 0.05, rho)
    assert row.outlook.detectable_lift == pytest.approx((critical + norm.isf(0.2)) * at_end / 10, rel=1e-6)
    decided = comparison(segment(means((10, 0.01), (11, 0.01))))
    assert decided.outlook is None


@pytest.mark.parametrize(
    ("days", "ends_at", "watermark", "says"),
    [
        # A file has one day: how many come in a day is not known of it.
        ([0], None, at(3_600), "something can be said after "),
        ([0, 1], None, at(7 * 86_400), "in about "),
        ([0], None, at(9 * 86_400), "Nobody new has come for a week"),
        ([0, 1, 2], at(2.5 * 86_400), at(3 * 86_400), "Nobody new comes in"),
        ([0, 1, 2], at(4 * 86_400), at(3 * 86_400), "in about "),
    ],
    ids=["one day", "a week", "long silent", "stopped", "not stopped yet"],
)
def test_nothing_is_promised_where_nobody_comes(days: list[int], ends_at: Any, watermark: Any, says: str) -> None:
    error = sqrt(2) * 0.05
    arms = {(1, "all", arm): {"visits": mean_with(10 + z * error, 0.05)} for arm, z in (("a", 0.0), ("b", 2.0))}
    arrivals = {ArrivalKey("all", (at(0) + timedelta(days=day)).date().isoformat()): 600 for day in days}
    cells = [Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}, follow_up_ends_at=ends_at)]
    question = plan(metric(kind="mean"), cells=cells, watermark_at=watermark)
    assert says in build(question, table(arms, arrivals=arrivals)).recommendation.sentence


@pytest.mark.parametrize(
    ("arrivals", "until", "per_day"),
    [
        ({0: 5_000}, 0.4, None),
        ({0: 5_000, 1: 3}, 1.01, None),
        ({0: 10, 1: 400, 2: 3}, 2.01, 400.0),
        ({0: 10, 1: 400}, 4.1, 400 / 3),
    ],
    ids=["seconds-of-one-day", "over-midnight", "one-whole-day", "days-without-anybody"],
)
def test_traffic_is_known_after_a_whole_day(arrivals: dict[int, int], until: float, per_day: float | None) -> None:
    """The first day began somewhere and the last one is not over: only days between them tell a rate."""
    error = sqrt(2) * 0.05
    arms = {(1, "all", "a"): {"visits": mean_with(10, 0.05)}, (1, "all", "b"): {"visits": mean_with(10 + error, 0.05)}}
    came = {ArrivalKey("all", at(day * 86_400).date().isoformat()): units for day, units in arrivals.items()}
    question = plan(metric(kind="mean"), watermark_at=at(round(until * 86_400)))
    outlook = comparison(segment(build(question, table(arms, arrivals=came)))).outlook
    assert isinstance(outlook, Outlook)
    assert isinstance(outlook.units_left, int)
    if per_day is None:
        assert isinstance(outlook.days_left, Undefined)
        assert outlook.days_left.reason == "unknown_traffic"
        assert "a whole day" in outlook.days_left.message
    else:
        assert outlook.days_left == pytest.approx(outlook.units_left / per_day)


@pytest.mark.parametrize(("planned", "reason"), [(2_000, "planned_units_reached"), (2_100, "no_effect_in_sight")])
@pytest.mark.parametrize("rule", ["fixed_horizon", "group_sequential"])
def test_what_is_planned_is_all_that_decides(rule: str, planned: int, reason: str) -> None:
    """One standard error of 2,000 units: it would take 2,000 · (1.96² - 1) = 5,683 more, of which 100 may come."""
    looks = {"looks": Looks(planned_units=planned)} if rule == "group_sequential" else {"tuned_for_units": planned}
    found = means((10.0, 0.01), (10.0 + sqrt(2) * 0.01, 0.01), stopping_rule=rule, **looks)
    ahead = comparison(segment(found)).outlook
    assert isinstance(ahead, Outlook)
    assert isinstance(ahead.units_left, Undefined)
    assert isinstance(ahead.days_left, Undefined)
    assert (ahead.units_left.reason, ahead.days_left.reason) == (reason, reason)
    told, over = found.recommendation, "All units that were planned are in: nothing more can be expected at this size."
    assert told.sentence.endswith(over) is (planned == 2_000)
    assert told.waits_for == ("nothing" if planned == 2_000 else "units")
    assert "more units" not in told.sentence


def test_beyond_its_plan_a_sequence_goes_on() -> None:
    found = means((10.0, 0.01), (10.0 + 2 * sqrt(2) * 0.01, 0.01), tuned_for_units=1_000)
    ahead = comparison(segment(found)).outlook
    assert isinstance(ahead, Outlook)
    assert isinstance(ahead.units_left, int)


def test_of_a_winner_who_waits_for_a_segment_no_other_question_is_told() -> None:
    """b wins over all and is not on offer in y; c, of whom nobody asked, is not told apart from a."""
    error = sqrt(2) * 0.01
    arms = {
        (1, where, arm): {"visits": mean_with(value, 0.01)}
        for where in "xy"
        for arm, value in (("a", 10.0), ("b", 11.0), ("c", 10.0 + error))
        if (where, arm) != ("y", "b")
    }
    cells = [
        Cell(epoch=1, segment="x", weights={"a": 1, "b": 1, "c": 1}),
        Cell(epoch=1, segment="y", weights={"a": 1, "b": 0, "c": 1}),
    ]
    question = plan(metric(kind="mean"), variants="abc", segments=("x", "y"), cells=cells)
    found = build(question, table(arms))
    assert found.overall.verdict.variant == "b"
    assert "in sight" not in found.recommendation.sentence
    assert "probably be seen" not in found.recommendation.sentence


def test_leaders_that_are_not_told_apart_say_when_they_may_be() -> None:
    """b and c beat a; c leads b by one standard error of 2,000 units: at z² times as many it decides at one look."""
    error = sqrt(2) * 0.01
    values = (10.0, 0.01), (11.0, 0.01), (11.0 + error, 0.01)
    scope = segment(means(*values, stopping_rule="fixed_horizon", tuned_for_units=100_000))
    assert (scope.verdict.outcome, scope.verdict.leaders) == ("tied", ("c", "b"))
    rows = {(one.treatment, one.baseline): one for one in scope.metrics[0].comparisons}
    tie = rows["c", "b"]
    assert isinstance(tie.outlook, Outlook)
    assert isinstance(tie.difference_in_family, Interval)
    z = norm.isf((1 - tie.difference_in_family.level) / 2)
    # Of the two arms 2,000 · (z² - 1), of all three half as many again.
    assert tie.outlook.units_left == pytest.approx(3_000 * (z * z - 1), abs=1)
    assert [rows[one, "a"].outlook for one in "bc"] == [None, None]


def test_what_is_waited_for_over_all_is_who_of_the_leaders_is_best() -> None:
    """400 a day: the tie of b and c takes weeks; d, which nobody waits for, would be sooner."""
    error = sqrt(2) * 0.01
    days = {ArrivalKey("all", (at(0) + timedelta(days=day)).date().isoformat()): 400 for day in range(9)}
    arms = {
        (1, "all", name): {"visits": mean_with(value, 0.01)}
        for name, value in (("a", 10.0), ("b", 11.0), ("c", 11.0 + error), ("d", 10.0 + 2.2 * error))
    }
    rules = {"tuned_for_units": 100_000, "watermark_at": at(8 * 86_400)}
    question = plan(metric(kind="mean"), variants="abcd", **rules)
    found = build(question, table(arms, arrivals=days))
    rows = {(one.treatment, one.baseline): one.outlook for one in found.overall.metrics[0].comparisons}
    tie, trailing = rows["c", "b"], rows["d", "a"]
    assert isinstance(tie, Outlook)
    assert isinstance(trailing, Outlook)
    assert isinstance(tie.days_left, float)
    assert isinstance(trailing.days_left, float)
    assert trailing.days_left < tie.days_left
    weeks = ceil(tie.days_left / 7)
    assert weeks > 3
    assert found.recommendation.sentence.endswith(f"something can be said in about {weeks} weeks.")


def test_the_clock_counts_variance_not_units() -> None:
    """Two epochs of 1,000 units an arm, standard deviations 1 and 5: u = 2,000·(1 + 25)/1 = 52,000."""
    cells = [Cell(epoch=epoch, segment="all", weights={"a": 1, "b": 1}) for epoch in (1, 2)]
    arms = {
        (epoch, "all", name): {"visits": Moments(n=1_000, mean=value, m2=deviation**2 * 999)}
        for epoch, deviation in ((1, 1.0), (2, 5.0))
        for name, value in (("a", 10.0), ("b", 10.3))
    }
    row = comparison(segment(build(plan(metric(kind="mean"), cells=cells), table(arms))))
    error = sqrt(0.25 * (2 / 1000 + 50 / 1000))
    assert row.difference.std_error == pytest.approx(error)
    z = 0.3 / error
    assert row.p_value_always_valid == pytest.approx(always_valid_p(z, 52_000, mixture_scale(0.05, 5_000)))
