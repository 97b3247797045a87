"""What a segment can be tested in for: against textbook sample sizes, written out here from normal quantiles."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.estimate import Undefined
from segmentation.card import Question, SegmentCard, Tables, Thresholds, Trial, make_cards

Z = NormalDist().inv_cdf
ONE_LOOK = Trial(
    outcome="y", kind="conversion", units_per_week=2_000, always_valid=False, refills=True, minimum_lift=0.2
)
SIZE = 10_000


def rates_per_arm(p: float, lift: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Fleiss, Levin & Paik (2003), (4.14): two rates, the test pooled."""
    q = p * (1 + lift)
    pooled = (p + q) / 2
    root = Z(1 - alpha / 2) * sqrt(2 * pooled * (1 - pooled)) + Z(power) * sqrt(p * (1 - p) + q * (1 - q))
    return (root / (q - p)) ** 2


def means_per_arm(std_dev: float, difference: float, alpha: float = 0.05, power: float = 0.8) -> float:
    return 2 * ((Z(1 - alpha / 2) + Z(power)) * std_dev / difference) ** 2


def card(trial: Trial, outcome: Any, **more: Any) -> SegmentCard:
    """The first half of all units are in the segment."""
    flags = [number < SIZE for number in range(2 * SIZE)]
    units = pa.table({"unit_id": range(2 * SIZE), "s": flags, "y": np.concatenate([outcome, np.zeros(SIZE)])})
    return make_cards(Tables(units=units, segments={"s": "s"}), Question(trial=trial, **more)).card("s")


def converted(rate: float) -> Any:
    return (np.arange(SIZE) < rate * SIZE).astype(float)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("lift", [0.1, 0.3])
def test_conversions_needed(rate: float, lift: float) -> None:
    found: Any = card(replace(ONE_LOOK, minimum_lift=lift), converted(rate)).testability
    needed = rates_per_arm(rate, lift)
    assert found.baseline == pytest.approx(rate)
    assert found.units_per_week == 1_000
    assert found.units_needed == pytest.approx(2 * needed, abs=2)
    assert found.weeks_needed == ceil(2 * needed / 1_000)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_lift_that_weeks_show_is_the_one_that_needs_them(rate: float) -> None:
    found: Any = card(ONE_LOOK, converted(rate)).testability
    assert [(one.weeks, one.units) for one in found.shown] == [(w, 1_000 * w) for w in (1, 2, 4, 8, 12)]
    for one in found.shown:
        assert rates_per_arm(rate, one.lift) == pytest.approx(one.units / 2, rel=1e-6)


def test_means_needed() -> None:
    outcome = np.random.default_rng(3).gamma(2.0, 5.0, SIZE)
    found: Any = card(replace(ONE_LOOK, kind="mean", minimum_lift=0.05), outcome).testability
    needed = means_per_arm(float(outcome.std(ddof=1)), 0.05 * float(outcome.mean()))
    assert found.baseline == pytest.approx(outcome.mean())
    # Student's t asks for a unit or two more than the normal quantile.
    assert 0 <= found.units_needed - 2 * needed <= 8
    for one in found.shown:
        exact = means_per_arm(float(outcome.std(ddof=1)), one.lift * float(outcome.mean()))
        assert exact == pytest.approx(one.units / 2, rel=0.01)


def test_several_comparisons_and_variants() -> None:
    """Bonferroni by six; three variants share the traffic, of which a comparison has two."""
    trial = replace(ONE_LOOK, variants=3, comparisons=6)
    found: Any = card(trial, converted(0.1)).testability
    needed = rates_per_arm(0.1, 0.2, alpha=0.05 / 6)
    assert found.units_needed == pytest.approx(3 * needed, abs=3)
    assert rates_per_arm(0.1, found.shown[2].lift, alpha=0.05 / 6) == pytest.approx(4_000 // 3, rel=1e-6)


def test_looking_at_any_time_costs_units() -> None:
    once: Any = card(ONE_LOOK, converted(0.1)).testability
    always: Any = card(replace(ONE_LOOK, always_valid=True), converted(0.1)).testability
    assert 1.3 < always.units_needed / once.units_needed < 2.2
    assert always.shown[2].lift > once.shown[2].lift


def test_a_segment_has_no_more_units_than_it_has() -> None:
    """2,000 a week of a list of 10,000 are through after ten weeks at half of the traffic."""
    found: Any = card(replace(ONE_LOOK, refills=False, minimum_lift=0.05), converted(0.1)).testability
    assert [one.units for one in found.shown] == [1_000, 2_000, 4_000, 8_000, 10_000]
    assert found.units_needed > SIZE
    assert found.weeks_needed.reason == "too_few_units"
    assert found.sentence.endswith(f"it has 10,000 customers, and {found.units_needed:,} are needed.")


def test_traffic_of_the_segments_own() -> None:
    own: Any = card(replace(ONE_LOOK, units_per_week={"s": 300}), converted(0.1)).testability
    assert own.units_per_week == 300
    assert own.weeks_needed == ceil(2 * rates_per_arm(0.1, 0.2) / 300)
    nobody: Any = card(replace(ONE_LOOK, units_per_week={}), converted(0.1)).testability
    assert (nobody.weeks_needed.reason, nobody.shown[0].lift.reason) == ("no_traffic", "no_units")


@pytest.mark.parametrize(
    ("rate", "reason", "words"),
    [
        (1.0, "nothing_to_lift", "all of its customers did what is counted already, so there is nothing to lift."),
        (
            0.9,
            "out_of_range",
            "90% of its customers did what is counted already, and a lift of 20% would be more than all",
        ),
    ],
    ids=["all-of-them", "nearly-all"],
)
def test_no_lift_leads_beyond_all_of_them(rate: float, reason: str, words: str) -> None:
    """20 % on 100 % or 90 % is no rate: that makes 10,000 customers not too small, and what they show is not known."""
    made = card(ONE_LOOK, converted(rate))
    found: Any = made.testability
    assert (found.units_needed.reason, found.weeks_needed.reason) == (reason, reason)
    assert found.sentence.startswith(f"What it can show is not known: {words}")
    assert codes(made) == []


def test_traffic_that_nobody_has_seen_is_not_called_small() -> None:
    """One customer in a hundred weeks: 7,682 are needed (R, below), which the 10,000 have."""
    for rate in (0.0, 0.01):
        made = card(replace(ONE_LOOK, units_per_week={"s": rate}), converted(0.1))
        assert made.testability is not None
        assert made.testability.sentence == (
            "What it can show is not known: hardly any of its 10,000 customers have been seen in an experiment so far. "
            "A lift of 20% takes 7,682 customers."
        )
        assert codes(made) == []


def test_a_list_that_is_too_short_is_too_small_whoever_was_seen() -> None:
    made = card(replace(ONE_LOOK, units_per_week={}, refills=False, minimum_lift=0.05), converted(0.1))
    found: Any = made.testability
    assert found.units_needed == pytest.approx(2 * rates_per_arm(0.1, 0.05), abs=2)
    told = f"A lift of 5% cannot be shown: it has 10,000 customers, and {found.units_needed:,} are needed."
    assert [(one.code, one.sentence) for one in made.warnings] == [("too_small", f"Too small to test in. {told}")]


def test_in_words() -> None:
    found: Any = card(ONE_LOOK, converted(0.1)).testability
    assert found.units_needed == 7_682  # R: 2 * ceiling(power.prop.test(p1 = .1, p2 = .12, power = .8)$n)
    assert found.sentence == (
        "In 4 weeks, with 4,000 customers, it can show a lift of 28% or more. "
        "A lift of 20% takes 8 weeks (7,682 customers)."
    )


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(np.zeros(SIZE), "no_baseline"), (np.full(SIZE, np.nan), "no_units"), (-np.ones(SIZE), "no_baseline")],
    ids=["nobody-converted", "no-outcome", "negative"],
)
def test_without_a_baseline_nothing_is_promised(outcome: Any, reason: str) -> None:
    found: Any = card(replace(ONE_LOOK, kind="mean"), outcome).testability
    assert {one.lift.reason for one in found.shown} | {found.units_needed.reason, found.weeks_needed.reason} == {reason}
    assert isinstance(found.baseline, Undefined)
    assert found.sentence.startswith("What it can show is not known: ")


def codes(made: SegmentCard) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in made.warnings]


def test_too_small_to_test_in() -> None:
    assert codes(card(ONE_LOOK, converted(0.1))) == []
    slow = card(replace(ONE_LOOK, longest_weeks=7), converted(0.1))
    assert codes(slow) == [("too_small", "warning")]
    assert slow.warnings[0].sentence.endswith("A lift of 20% takes 8 weeks (7,682 customers).")
    assert codes(card(ONE_LOOK, converted(0.1), thresholds=Thresholds(nearly_everybody=0.4))) == [
        ("nearly_everybody", "warning")
    ]
