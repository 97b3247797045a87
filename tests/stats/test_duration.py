"""How long it takes: whole weeks, segments at their share, and the time left of what runs."""

from __future__ import annotations

from math import inf, nan, sqrt

import pytest
from scipy.stats import norm

from analysis.design.designs import Design
from analysis.design.duration import Duration, duration, segment_durations, time_left_for_effect, time_left_for_width
from analysis.design.metrics import Conversion
from analysis.design.power import SampleSize
from analysis.design.rules import Arms, Rule
from analysis.estimate import Undefined
from tests.stats.builders import reason


@pytest.mark.parametrize(
    ("units", "per_day", "share", "days", "weeks"),
    [
        (70_000, 10_000, 1.0, 7.0, 1),
        (70_001, 10_000, 1.0, 7.0001, 2),
        (100, 10_000, 1.0, 0.01, 1),
        (21_000, 10_000, 0.1, 21.0, 3),
        (0, 0, 1.0, 0.0, 1),
    ],
)
def test_durations_are_whole_weeks(units: float, per_day: float, share: float, days: float, weeks: int) -> None:
    assert duration(units, per_day, share=share) == Duration(days=pytest.approx(days), weeks=weeks)


def test_whole_weeks_count_from_the_start() -> None:
    assert duration(30_000, 10_000, days_so_far=4.0) == Duration(days=3.0, weeks=1)
    assert duration(30_000, 10_000, days_so_far=5.0) == Duration(days=3.0, weeks=2)


def test_without_traffic_it_never_ends() -> None:
    assert reason(duration(1, 0)) == "no_traffic"
    assert reason(duration(1, 100, share=0.0)) == "no_traffic"
    for arguments in ((-1, 1), (1, -1), (nan, 1), (1, inf)):
        with pytest.raises(ValueError, match="no duration"):
            duration(*arguments)
    with pytest.raises(ValueError, match="no duration"):
        duration(1, 1, share=1.1)


def test_segments_take_as_long_as_their_share_makes_them() -> None:
    needed = {"many": SampleSize(control=1000, treatment=1000, total=2000), "few": Undefined(reason="x", message="")}
    shares = {"few": 0.1, "many": 0.4}
    assert segment_durations(needed, 500, shares) == {"many": Duration(days=10.0, weeks=2), "few": needed["few"]}
    with pytest.raises(ValueError, match="share"):
        segment_durations(needed, 500, {"many": 0.4})
    with pytest.raises(ValueError, match="share"):
        segment_durations(needed, 500, {"many": 0.9, "few": 0.2})


def test_time_left_until_an_effect_would_be_found() -> None:
    """1,030.22 in the control needed, 530.22 there: three arms at 300 a day fill it in 5.3022 days."""
    design = Design(metric=Conversion(rate=0.2), arms=Arms(treatments=2), null_variance="baseline")
    left = time_left_for_effect(design, control_units=500, units_per_day=300, difference=0.05, days_so_far=2.0)
    assert left == Duration(days=pytest.approx(5.3022, abs=1e-4), weeks=2)
    done = time_left_for_effect(design, control_units=5_000, units_per_day=300, difference=0.05, days_so_far=15.0)
    assert done == Duration(days=0.0, weeks=3)
    nothing = time_left_for_effect(design, control_units=500, units_per_day=0, difference=0.05)
    assert reason(nothing) == "no_traffic"
    assert reason(time_left_for_effect(design, control_units=5, units_per_day=9, difference=0.0)) == "no_effect"


def test_time_left_until_an_interval_is_narrow() -> None:
    """Half the width takes four times the units at one look; a sequence: arXiv 2103.06476, eq. 9, σ = 1, n = 5,000."""
    once = time_left_for_width(
        Rule(), units=1_000, std_error=1.0, half_width=float(norm.isf(0.025)) / 2, units_per_day=100
    )
    assert once == Duration(days=pytest.approx(30.0), weeks=5)
    always = time_left_for_width(
        Rule(tuned_for_units=5_000),
        units=1_000,
        std_error=1 / sqrt(1_000),
        half_width=0.0429243,
        units_per_day=100,
    )
    assert always == Duration(days=pytest.approx(40.0, abs=1e-3), weeks=6)
    there = time_left_for_width(Rule(), units=100, std_error=0.1, half_width=0.5, units_per_day=0)
    assert there == Duration(days=0.0, weeks=1)


@pytest.mark.parametrize(
    ("units", "std_error", "half_width", "expected"),
    [(0, 0.1, 0.1, "no_units"), (1, 0.1, 0.1, "one_unit"), (9, 0.0, 0.1, "zero_variance"), (9, 1.0, 1e-9, "too_many")],
)
def test_intervals_that_do_not_exist_are_named(
    units: float, std_error: float, half_width: float, expected: str
) -> None:
    found = time_left_for_width(Rule(), units=units, std_error=std_error, half_width=half_width, units_per_day=10)
    assert reason(found).startswith(expected)
    with pytest.raises(ValueError, match="no interval"):
        time_left_for_width(Rule(), units=units, std_error=std_error, half_width=0.0, units_per_day=10)
