"""Twyman's law as a finding: what it takes, and how rarely it speaks of sound data."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from analysis.estimate import Finding, Undefined
from analysis.quality.too_good import too_good_finding

NONE = Undefined(reason="no_units", message="")


def finding(
    difference: float | Undefined, std_error: float | Undefined, detectable: float | Undefined, critical: float = 3.0
) -> Finding | None:
    return too_good_finding(
        difference,
        std_error,
        detectable,
        critical=critical,
        metric="visits",
        treatment="b",
        treatment_name="New",
    )


@pytest.mark.parametrize(
    ("difference", "std_error", "detectable", "found"),
    [
        pytest.param(0.31, 0.1, 0.1, True, id="beyond three times"),
        pytest.param(-0.31, 0.1, 0.1, True, id="a loss"),
        pytest.param(0.3, 0.01, 0.1, False, id="three times"),
        pytest.param(0.31, 0.104, 0.1, False, id="not significant"),
        pytest.param(NONE, 0.1, 0.1, False, id="no difference"),
        pytest.param(0.5, NONE, 0.1, False, id="no error"),
        pytest.param(0.5, 0.1, NONE, False, id="no plan"),
        pytest.param(0.5, 0.0, 0.1, False, id="no spread"),
        pytest.param(0.5, 0.1, 0.0, False, id="nothing detectable"),
    ],
)
def test_beyond_three_times_what_was_planned_for(
    difference: float | Undefined, std_error: float | Undefined, detectable: float | Undefined, found: bool
) -> None:
    assert (finding(difference, std_error, detectable) is not None) == found


def test_what_it_says() -> None:
    found = finding(0.42, 0.05, 0.1)
    assert found is not None
    assert (found.code, found.severity, found.metric, found.variant) == (
        "too_good_to_be_true",
        "warning",
        "visits",
        "b",
    )
    assert found.message.startswith("The effect of New is 4.2 times what this experiment was planned for")


def test_how_rarely_sound_data_are_that_good() -> None:
    """At the planned end 3 × MDE are 3·(1.96 + .84) = 8.4 errors: arithmetic of the docstring."""
    detectable = norm.isf(0.025) + norm.isf(0.2)
    assert 2 * norm.sf(3 * detectable) < 1e-16
    assert norm.sf((3 - 1.25) * detectable) < 1e-6
