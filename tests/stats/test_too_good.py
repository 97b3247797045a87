"""Twyman's law as a finding: what it takes, and how rarely it speaks of sound data."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.estimate import Finding, Undefined
from analysis.quality.too_good import nearest_to_zero, too_good_finding
from analysis.report import build
from tests.stats.builders import conversions, plan, table

NONE = Undefined(reason="no_units", message="")


def finding(lift: float | Undefined, at_least: float, detectable: float | Undefined) -> Finding | None:
    return too_good_finding(lift, at_least, detectable, metric="visits", treatment="b", treatment_name="New")


@pytest.mark.parametrize(
    ("lift", "at_least", "detectable", "found"),
    [
        pytest.param(0.42, 0.31, 0.1, True, id="surely beyond three times"),
        pytest.param(-0.42, -0.31, 0.1, True, id="a loss"),
        pytest.param(0.42, 0.3, 0.1, False, id="three times"),
        pytest.param(0.42, 0.0, 0.1, False, id="perhaps nothing"),
        pytest.param(NONE, 0.0, 0.1, False, id="no lift"),
        pytest.param(0.5, 0.4, NONE, False, id="no plan"),
        pytest.param(0.5, 0.4, 0.0, False, id="nothing detectable"),
    ],
)
def test_beyond_three_times_what_was_planned_for(
    lift: float | Undefined, at_least: float, detectable: float | Undefined, found: bool
) -> None:
    assert (finding(lift, at_least, detectable) is not None) == found


@pytest.mark.parametrize(
    ("low", "high", "end"), [(0.1, 0.3, 0.1), (-0.3, -0.1, -0.1), (-0.1, 0.3, 0.0), (0.0, 1.0, 0.0)]
)
def test_the_end_nearest_to_zero(low: float, high: float, end: float) -> None:
    assert nearest_to_zero(low, high) == end


def test_what_it_says() -> None:
    found = finding(0.42, 0.4, 0.1)
    assert found is not None
    assert (found.code, found.severity, found.metric, found.variant) == (
        "too_good_to_be_true",
        "warning",
        "visits",
        "b",
    )
    assert found.message.startswith("The effect of New is 4.2 times what this experiment was planned for")


def test_early_looks_of_a_large_plan_are_no_alarm() -> None:
    """A/A at a rate of .2, tuned for 100,000 units, 20 looks from 400 units on: 100 experiments, all of them quiet.

    At 400 units three times the detectable lift is less than two standard errors: point estimates alarmed in .167.
    """
    rng = np.random.default_rng(3)
    for _ in range(100):
        counts = rng.binomial(200, 0.2, (20, 2)).cumsum(axis=0)
        for look, (a, b) in enumerate(counts.tolist()[::4]):
            n = 200 * (4 * look + 1)
            arms = {(1, "all", "a"): {"visits": conversions(a, n)}, (1, "all", "b"): {"visits": conversions(b, n)}}
            found = build(plan(tuned_for_units=100_000), table(arms))
            assert "too_good_to_be_true" not in [one.code for one in found.segments[0].findings]
