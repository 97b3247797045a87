"""A start with 1 % of the traffic, then halves: few units of much weight must not name a winner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.effects.events import EVENTS_NEEDED, rate_supports, support
from analysis.estimate import Undefined
from analysis.moments import Moments
from analysis.plan import Cell, MetricKind, Plan
from analysis.report import build
from tests.stats.builders import comparison, conversions, metric, plan, segment, table

SPLITS = {1: {"a": 99.0, "b": 1.0}, 2: {"a": 1.0, "b": 1.0}}
FIRST, SMALL = 12_000, 120
"""Units of the first epoch, and how many of them are treated."""


def started_small(kind: MetricKind, *segments: str) -> Plan:
    cells = [Cell(epoch=epoch, segment=one, weights=split) for epoch, split in SPLITS.items() for one in segments]
    visit = {"denominator_event_name": "visit"} if kind == "ratio" else {}
    return plan(metric(kind=kind, event_name="order", **visit), segments=segments, cells=cells)


def moments(kind: MetricKind, events: int, n: int) -> Moments:
    """So many units with one event; of a ratio everybody has one visit."""
    found = conversions(events, n)
    return Moments(n=n, mean=found.mean, m2=found.m2, denominator_mean=1.0) if kind == "ratio" else found


def test_an_arm_without_an_event_in_a_stratum_has_there_what_both_have() -> None:
    """180 of 12,000: .015. Shares ½: (½·.015)² / (¼/120·.015 + ¼/6000·.015); without it 90 events would be 90."""
    treatment, baseline = (
        [conversions(0, 120), conversions(90, 6000)],
        [conversions(180, 11_880), conversions(90, 6000)],
    )
    found = support("count", [0.5, 0.5], treatment, baseline)
    assert found.treatment == pytest.approx((0.5 * 0.015) ** 2 / (0.25 / 120 * 0.015 + 0.25 / 6000 * 0.015))
    assert not found.is_enough
    assert support("count", [0.5, 0.5], baseline, treatment).baseline == pytest.approx(found.treatment)


def test_of_a_metric_of_both_signs_it_is_the_squares_that_both_have() -> None:
    """Values -2 and 2 beside none in the first stratum: Σx² of both is 8 among 8, so 1 each."""
    one, other = (
        [Moments(n=4), Moments(n=4, mean=1.0)],
        [Moments(n=4, m2=8.0, absolute_mean=1.0), Moments(n=4, mean=1.0)],
    )
    found = support("mean", [0.5, 0.5], one, other)
    assert found.treatment == pytest.approx((0.5 * 1.0) ** 2 / (0.25 / 4 * 1.0 + 0.25 / 4 * 1.0))


def test_effective_conversions_are_what_an_arm_has_or_may_expect() -> None:
    """3 of 1,000 beside 0 of 9,000 are no more than chance: .0003, so .3 and 2.7. 30 are what they are, beside 27."""
    n, found = np.array([[[1000.0]], [[9000.0]]]), np.array([[[3.0]], [[0.0]]])
    one = np.array([[1.0]])
    few, many = rate_supports(one, n, found), rate_supports(one, n, 10 * found)
    assert (few.treatment[0], few.baseline[0]) == (pytest.approx(0.3), pytest.approx(2.7))
    assert (many.treatment[0], many.baseline[0]) == (pytest.approx(30.0), pytest.approx(27.0))
    without = rate_supports(one, n, n - found)
    assert (without.treatment[0], without.baseline[0]) == (few.treatment[0], few.baseline[0])
    assert few.needed[0] == EVENTS_NEEDED
    assert rate_supports(one, np.array([[[3000.0]], [[9000.0]]]), found).needed[0] == 0


@pytest.mark.parametrize(
    ("kind", "small", "code", "each"),
    [
        ("count", 0, "few_events", ""),
        ("ratio", 0, "few_events", ""),
        ("conversion", 7, "few_conversions", ", with an event and without"),
    ],
)
def test_few_units_of_much_weight_name_no_winner(kind: MetricKind, small: int, code: str, each: str) -> None:
    """The same rate in all but the 120: nothing, or seven where two were to be expected."""
    events = {(1, "a"): (178, FIRST - SMALL), (1, "b"): (small, SMALL), (2, "a"): (90, 6000), (2, "b"): (90, 6000)}
    arms = {(epoch, "all", arm): {"visits": moments(kind, *of)} for (epoch, arm), of in events.items()}
    found = segment(build(started_small(kind, "all"), table(arms)))
    assert found.verdict.outcome == "too_early"
    [finding] = [one for one in found.findings if one.code == code]
    assert finding.variant == "b"
    assert finding.message.endswith(f"units needed{each}, as it had few of them while the split was another")
    assert isinstance(comparison(found).p_value_always_valid, Undefined)


@pytest.mark.parametrize(
    ("kind", "rate", "alpha"), [("count", 0.015, 0.05), ("ratio", 0.015, 0.0025), ("conversion", 0.0004, 0.0083)]
)
def test_after_a_small_start_tests_keep_their_level(kind: MetricKind, rate: float, alpha: float) -> None:
    """A/A, three looks, 1,000 runs: alpha + 4 standard errors. Without the floor .16, whatever alpha is, and .02."""
    runs, rng = 1000, np.random.default_rng(7)
    names = tuple(f"run{index}" for index in range(runs))
    question = started_small(kind, *names)
    sizes = {(1, "a"): FIRST - SMALL, (1, "b"): SMALL, (2, "a"): 0, (2, "b"): 0}
    events = {arm: rng.binomial(n, rate, runs) for arm, n in sizes.items()}
    wrong = np.zeros(runs, bool)
    for more in (6000, 4000, 10_000):
        for arm in ((2, "a"), (2, "b")):
            sizes[arm] += more
            events[arm] = events[arm] + rng.binomial(more, rate, runs)
        arms = {
            (epoch, name, arm): {"visits": moments(kind, int(events[epoch, arm][index]), n)}
            for (epoch, arm), n in sizes.items()
            for index, name in enumerate(names)
        }
        found = [comparison(scope).p_value_always_valid for scope in build(question, table(arms)).segments]
        wrong |= [isinstance(p, float) and p < alpha for p in found]
    assert wrong.mean() <= alpha + 4 * (alpha * (1 - alpha) / runs) ** 0.5


def verdict_of(splits: list[dict[str, float]], arms: dict[tuple[int, str], tuple[int, int]], **changes: Any) -> Any:
    """(epoch, arm) -> conversions, units."""
    cells = [Cell(epoch=number, segment="all", weights=split) for number, split in enumerate(splits, start=1)]
    variants = tuple(dict.fromkeys(arm for _, arm in arms))
    found = {(epoch, "all", arm): {"visits": conversions(*of)} for (epoch, arm), of in arms.items()}
    return segment(build(plan(metric(), variants=variants, cells=cells, **changes), table(found)))


RETIRED = {
    (1, "a"): (12, 1200),
    (1, "b"): (8, 1200),
    (1, "c"): (11, 1200),
    (2, "a"): (100, 1000),
    (2, "b"): (200, 1000),
}
LATE = {(1, "a"): (100, 1000), (1, "b"): (200, 1000), (2, "a"): (5, 300), (2, "b"): (24, 300), (2, "c"): (12, 300)}


def test_an_arm_that_is_offered_no_more_holds_up_its_own_comparisons_alone() -> None:
    """b and c have 8 and 11 where both were offered, for ever: that says nothing of b against a."""
    found = verdict_of([{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1}], RETIRED)
    assert (found.verdict.outcome, found.verdict.variant) == ("winner", "b")
    assert [(one.variant, one.message) for one in found.findings if one.code == "few_conversions"] == [
        ("c", "c comes down to 9 of the 10 units needed, with an event and without")
    ]


def test_who_comes_late_is_who_is_waited_for() -> None:
    """Beside c it is a that has too few: 5, and 8 to be expected; of a itself there is enough."""
    found = verdict_of([{"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1}], LATE)
    assert {one.variant for one in found.findings if one.code == "few_conversions"} == {"c"}


def test_rates_of_all_or_nothing_cannot_be_tested_however_unequal_arms_are() -> None:
    found = verdict_of([{"a": 9, "b": 1}], {(1, "a"): (45_000, 45_000), (1, "b"): (5000, 5000)}, min_conversions=0)
    assert "nothing to test" in found.verdict.sentence


def test_a_split_that_stays_is_not_blamed() -> None:
    cells = [Cell(epoch=epoch, segment="all", weights={"a": epoch, "b": epoch}) for epoch in (1, 2)]
    arms = {(epoch, "all", arm): {"visits": conversions(2, 500)} for epoch in (1, 2) for arm in "ab"}
    found = segment(build(plan(metric(kind="count"), cells=cells), table(arms)))
    assert found.verdict.sentence == "Too early to say for all: visits of a comes down to 4 of the 10 units needed."


def test_harm_is_seen_soon_after_a_small_start() -> None:
    """A fifth of the control's rate in both epochs: 9 % of all come from the start, where 3 of 120 may be expected."""
    rates = {(1, "a"): (50, 11_880), (1, "b"): (0, 120), (2, "a"): (300, 60_000), (2, "b"): (60, 60_000)}
    cells = [Cell(epoch=epoch, segment="all", weights=split) for epoch, split in SPLITS.items()]
    guardrail = metric(key="orders", role="guardrail", margin_lift=0.1)
    arms = {
        (epoch, "all", arm): {"visits": conversions(of[1] // 10, of[1]), "orders": conversions(*of)}
        for (epoch, arm), of in rates.items()
    }
    found = comparison(segment(build(plan(metric(), guardrail, cells=cells), table(arms))), metric_index=1)
    assert found.guardrail == "harmed"


def test_a_guardrail_in_a_small_arm_waits_for_events_that_it_may_expect() -> None:
    """3 of 742 beside 18 of 35,678 was "harmed, surely by 38 % or more"; none of 95 % beside 137 of 5 % still is."""
    rates = {"few": ((18, 35_678), (3, 742)), "many": ((0, 95_000), (137, 5_000))}
    states = {}
    for name, (control, treatment) in rates.items():
        guardrail = metric(key="crashes", role="guardrail", direction="decrease", margin_lift=0.1)
        arms = {
            (1, "all", arm): {"visits": conversions(of[1] // 10, of[1]), "crashes": conversions(*of)}
            for arm, of in (("a", control), ("b", treatment))
        }
        states[name] = comparison(segment(build(plan(metric(), guardrail), table(arms))), metric_index=1).guardrail
    assert states == {"few": "unknown", "many": "harmed"}
