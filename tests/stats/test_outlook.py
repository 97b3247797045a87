"""What is left of an open comparison: by simulation, by the multipliers themselves, and the smallest segment."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.design.designs import Design
from analysis.design.metrics import Conversion, Mean
from analysis.design.outlook import Deciding, outlook
from analysis.design.power import SampleSize, power
from analysis.design.rules import Rule
from analysis.design.segments import smallest_segment
from analysis.estimate import Outlook, Undefined
from analysis.inference.sequential import mixture_scale, multiplier

ALPHA = 0.05 / 6
RHO = mixture_scale(ALPHA, 20_000)
SEQUENCE, ONCE = Deciding(alpha=ALPHA, rho=RHO), Deciding(alpha=0.05)


def left(difference: Any = 0.01, std_error: Any = 0.004, value: Any = 0.1, **changes: Any) -> Outlook:
    fields: dict[str, Any] = {
        "units": 5_000,
        "units_in_scope": 5_000,
        "planned_units": 20_000,
        "deciding": SEQUENCE,
        "minimum_lift": 0.1,
        "units_per_day": 500.0,
    }
    return outlook(difference, std_error, value, **fields | changes)


@pytest.mark.parametrize("deciding", [SEQUENCE, ONCE], ids=["sequence", "once"])
@pytest.mark.parametrize("seen", [-0.004, 0.002, 0.012])
def test_the_power_left_by_simulation(deciding: Deciding, seen: float) -> None:
    """The rest of the units drawn with the minimum lift of 10 % on .1, added to what is in: S = 200,000."""
    rng, draws, n, planned = np.random.default_rng(7), 200_000, 5_000, 20_000
    sd = 0.004 * sqrt(n)
    rest = 0.01 + sd / sqrt(planned - n) * rng.normal(size=draws)
    final = (n * seen + (planned - n) * rest) / planned
    critical = multiplier(planned, ALPHA, RHO) if deciding is SEQUENCE else norm.isf(0.025)
    expected = float((final > critical * sd / sqrt(planned)).mean())
    found = left(seen, deciding=deciding).power_left
    assert found == pytest.approx(expected, abs=4 * sqrt(0.25 / draws))


def test_where_less_is_better_power_is_that_of_a_fall() -> None:
    assert left(-0.005, increase=False).power_left == left(0.005).power_left
    assert left(0.005, increase=False).power_left < left(0.005).power_left  # type: ignore[operator]


def test_the_detectable_lift_is_detected_with_a_power_of_80_percent() -> None:
    """Against `power`, and for one look (z₀.₉₇₅ + z₀.₈)·s/value by hand."""
    sd = 0.004 * sqrt(5_000) / 2  # of a unit of either of two equal arms
    design = Design(metric=Mean(mean=0.1, std_dev=sd), rule=Rule(alpha=0.05, comparisons=6, tuned_for_units=20_000))
    lift = left().detectable_lift
    assert isinstance(lift, float)
    assert power(design, control_units=10_000, difference=lift * 0.1) == pytest.approx(0.8, abs=1e-6)
    assert left(deciding=ONCE).detectable_lift == pytest.approx((1.959964 + 0.841621) * 0.002 / 0.1, rel=1e-6)


def test_once_more_are_in_than_were_planned_the_detectable_lift_is_that_of_those() -> None:
    """29,000 in, 5,000 planned: what so many find, not what 5,000 would have found; in one of two segments alike."""
    sd = 0.004 * sqrt(29_000) / 2
    design = Design(metric=Mean(mean=0.1, std_dev=sd), rule=Rule(alpha=0.05, comparisons=6, tuned_for_units=20_000))
    exceeded = {"units": 29_000, "planned_units": 5_000}
    lift = left(**exceeded, units_in_scope=29_000).detectable_lift
    assert isinstance(lift, float)
    assert power(design, control_units=14_500, difference=lift * 0.1) == pytest.approx(0.8, abs=1e-6)
    assert left(**exceeded, units_in_scope=58_000).detectable_lift == lift
    once = left(**exceeded, units_in_scope=29_000, deciding=ONCE).detectable_lift
    assert once == pytest.approx((1.959964 + 0.841621) * 0.004 / 0.1, rel=1e-6)


@given(st.floats(0.004, 0.05), st.sampled_from([SEQUENCE, ONCE]), st.sampled_from([5_000, 7_500, 40_000]))
def test_at_the_units_left_the_interval_ends_at_0(difference: float, deciding: Deciding, in_scope: int) -> None:
    found = left(difference, deciding=deciding, units_in_scope=in_scope).units_left
    if isinstance(found, Undefined):
        farthest = 10 * max(20_000 * 5_000 / in_scope, 5_000)
        assert deciding.critical(farthest) > difference / 0.004 * sqrt(farthest / 5_000)
        return
    per_pair = in_scope / 5_000

    def distance(in_scope_left: int) -> float:
        """Of the estimate from 0 less the reach of its interval, in standard errors."""
        units = 5_000 + in_scope_left / per_pair
        return difference / (0.004 * sqrt(5_000 / units)) - deciding.critical(units)

    assert distance(found) >= -1e-9
    assert found == 0 or distance(found - 1) < 0


def test_the_critical_value_is_the_multiplier() -> None:
    assert SEQUENCE.critical(12_345) == pytest.approx(multiplier(12_345, ALPHA, RHO), rel=1e-12)
    assert ONCE.critical(1) == pytest.approx(1.959964, rel=1e-6)


def test_a_loss_is_decided_as_soon_as_a_gain() -> None:
    assert left(-0.01).units_left == left(0.01).units_left


def test_days_are_units_at_the_present_traffic() -> None:
    found = left()
    assert isinstance(found.units_left, int)
    assert found.days_left == found.units_left / 500
    for unknown, words in ((None, "before a whole day of data is in"), (0.0, "no new units came")):
        days = left(units_per_day=unknown).days_left
        assert isinstance(days, Undefined)
        assert days.reason == "unknown_traffic"
        assert words in days.message
    decided = left(0.05, units_per_day=None)
    assert (decided.units_left, decided.days_left) == (0, 0.0)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"difference": 0.0}, "units_left", "no_effect_in_sight"),
        ({"difference": 0.0005}, "units_left", "no_effect_in_sight"),
        ({"difference": 0.0005}, "days_left", "no_effect_in_sight"),
        ({"minimum_lift": None}, "power_left", "no_minimum_lift"),
        ({"value": 0.0}, "power_left", "no_control_value"),
        ({"value": 0.0}, "detectable_lift", "no_control_value"),
        ({"planned_units": 5_000}, "power_left", "planned_units_reached"),
        ({"difference": Undefined(reason="no_units", message="")}, "units_left", "no_estimate"),
        ({"std_error": Undefined(reason="zero_variance", message="")}, "power_left", "no_estimate"),
        ({"std_error": 0.0}, "detectable_lift", "no_estimate"),
    ],
)
def test_what_cannot_be_said_is_named(changes: dict[str, Any], field: str, reason: str) -> None:
    found = getattr(left(**changes), field)
    assert isinstance(found, Undefined)
    assert found.reason == reason


def test_the_smallest_segment_has_the_power_in_its_family() -> None:
    """10 % on a rate of .1, one of twelve comparisons: at its size the power is .8, at a percent less it is not."""
    rule = Rule(alpha=0.05, comparisons=12, tuned_for_units=20_000)
    found = smallest_segment(Conversion(rate=0.1), 0.1, family_size=12, tuned_for_units=20_000)
    assert isinstance(found, SampleSize)
    design = Design(metric=Conversion(rate=0.1), rule=rule)
    assert power(design, control_units=found.control, difference=0.01) == pytest.approx(0.8, abs=1e-9)
    assert found.total == 2 * np.ceil(found.control)
    alone = smallest_segment(Conversion(rate=0.1), 0.1, family_size=1)
    assert isinstance(alone, SampleSize)
    # R: power.prop.test(p1 = .1, p2 = .11, power = .8): n = 14750.79.
    assert alone.control == pytest.approx(14750.79, rel=1e-6)
    assert alone.total < found.total


def test_no_segment_finds_a_lift_over_nothing() -> None:
    found = smallest_segment(Mean(mean=0.0, std_dev=1.0), 0.1, family_size=1)
    assert isinstance(found, Undefined)
    assert found.reason == "no_effect"
    with pytest.raises(ValueError, match="positive"):
        smallest_segment(Conversion(rate=0.1), 0.0, family_size=1)
