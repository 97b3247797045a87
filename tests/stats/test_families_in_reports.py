"""Families of comparisons in reports: who is in them, and intervals that hold together."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from analysis.estimate import Interval, Undefined
from analysis.moments import Moments
from analysis.report import build
from tests.stats.builders import (
    comparison,
    conversions,
    metric,
    moments_of,
    plan,
    segment,
    table,
)


def test_families_segments_together_and_the_whole_alone() -> None:
    """Two segments of three pairs are a Holm family of six; the overall scope has its own three."""
    strong, equal = {"a": 1000, "b": 1150, "c": 1000}, {"a": 1000, "b": 1000, "c": 1000}
    arms = {
        (1, name, variant): {"visits": conversions(x, 10_000)}
        for name, successes in (("s", strong), ("t", equal))
        for variant, x in successes.items()
    }
    found = build(plan(variants=("a", "b", "c"), segments=("s", "t")), table(arms))
    for scope, size in ((found.segments[0], 6), (found.overall, 3)):
        p, adjusted = comparison(scope).p_value_always_valid, comparison(scope).p_value_adjusted
        assert isinstance(p, float)
        assert adjusted == pytest.approx(min(1.0, size * p))


def half_width(units: int, alpha: float, tuned_at: float, tuned_for: int = 5_000) -> float:
    """Standard errors, by hand: √((v+1)/v · log((v+1)/α²)) with v = units · ρ², arXiv 2103.06476."""
    evidence = -2 * log(tuned_at)
    v = units * (evidence + log(1 + evidence)) / tuned_for
    return sqrt((v + 1) / v * log((v + 1) / alpha**2))


EVEN = [1.0, 3.0] * 5000


def shifted(by: float) -> Moments:
    return moments_of([value + by for value in EVEN])


def test_intervals_of_a_holm_family_hold_together() -> None:
    """Two segments of one pair each: level .975 and sequences tuned there; alone, the level stays .95."""
    arms = {
        (1, name, variant): {"visits": shifted(by if variant == "b" else 0.0)}
        for name, by in (("s", 0.1), ("t", 0.0))
        for variant in "ab"
    }
    found = build(plan(metric(kind="mean"), segments=("s", "t")), table(arms))
    std_error = sqrt(2 * (10_000 / 9_999) / 10_000)
    for scope, by in zip(found.segments, (0.1, 0.0), strict=True):
        row = comparison(scope)
        for interval, alpha in ((row.difference_in_family, 0.025), (row.difference.always_valid, 0.05)):
            assert isinstance(interval, Interval)
            width = half_width(20_000, alpha, tuned_at=0.025) * std_error
            assert (interval.low, interval.high) == pytest.approx((by - width, by + width), abs=1e-9)
            assert interval.level == pytest.approx(1 - alpha)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_only_holm_rejects_has_an_interval_that_ends_at_zero(sign: int) -> None:
    """p ≈ .03 of two, beside one that is far below .025: Holm rejects both, Bonferroni one of them (Guilbaud 2008)."""
    std_error = sqrt(2 * (10_000 / 9_999) / 10_000)
    # Between the multipliers at alpha/2 and at alpha.
    by = (half_width(20_000, 0.025, 0.025) + half_width(20_000, 0.05, 0.025)) / 2 * std_error * sign
    effects = {"s": by, "t": 0.5}
    arms = {
        (1, name, variant): {"visits": shifted(shift if variant == "b" else 0.0)}
        for name, shift in effects.items()
        for variant in "ab"
    }
    found = build(plan(metric(kind="mean"), segments=("s", "t")), table(arms)).segments[0]
    row = comparison(found)
    assert isinstance(row.p_value_adjusted, float)
    assert 0.025 < row.p_value_adjusted < 0.05
    assert found.verdict.variant == ("b" if sign > 0 else "a")
    for interval in (row.difference_in_family, row.lift_in_family):
        assert isinstance(interval, Interval)
        nearest, farthest = (interval.low, interval.high) if sign > 0 else (-interval.high, -interval.low)
        assert nearest == 0
        assert farthest > abs(by) / 2.1
    assert "(more than 0% and at most" in found.verdict.sentence


def test_intervals_of_the_false_discovery_rate_widen_with_what_is_not_rejected() -> None:
    """Three segments, two of them rejected: level 1 - .05·2/3 (Xu, Wang & Ramdas; Benjamini & Yekutieli 2005)."""
    arms = {
        (1, name, variant): {"visits": shifted(shift if variant == "b" else 0.0)}
        for name, shift in (("s", 0.3), ("t", 0.5), ("u", 0.0))
        for variant in "ab"
    }
    question = plan(metric(kind="mean"), segments=("s", "t", "u"), family="benjamini_hochberg")
    for scope in build(question, table(arms)).segments:
        interval = comparison(scope).difference_in_family
        assert isinstance(interval, Interval)
        assert interval.level == pytest.approx(1 - 0.05 * 2 / 3)


def test_a_rare_winner_among_many_segments_shows_an_interval_that_holds() -> None:
    """100 segments, no difference anywhere: with fixed intervals at one look 5 % of them would leave out 0 alone.

    Together all of them hold with 95 %: over 40 experiments at most 2 + 4·√(40·.05·.95) = 7.5 have one that does not.
    """
    rng, missed = np.random.default_rng(3), 0
    names = tuple(f"s{index}" for index in range(100))
    for _ in range(40):
        counts = {(1, name, variant): int(rng.binomial(2000, 0.1)) for name in names for variant in "ab"}
        arms = {key: {"visits": conversions(x, 2000)} for key, x in counts.items()}
        found = build(plan(segments=names, stopping_rule="fixed_horizon"), table(arms))
        intervals = [comparison(scope).lift_in_family for scope in found.segments]
        missed += any(isinstance(one, Interval) and (one.low >= 0 or one.high <= 0) for one in intervals)
    assert missed <= 7


def test_only_the_primary_metric_has_a_family() -> None:
    metrics = (metric(), metric(key="again", role="secondary"))
    same = {"visits": conversions(100, 1000), "again": conversions(100, 1000)}
    found = build(plan(*metrics), table({(1, "all", "a"): same, (1, "all", "b"): same}))
    other = comparison(segment(found), metric_index=1)
    assert isinstance(other.p_value_adjusted, Undefined)
    assert other.p_value_adjusted.reason == "not_in_family"
    assert other.lift_in_family == other.difference_in_family == other.p_value_adjusted
    assert other.guardrail is None
