"""How often something is proposed where there is nothing, and where there is something."""

from __future__ import annotations

import pytest
from scipy.stats import beta

from segmentation.discovery import Search, discover
from tests.learnt.trials import NULLS, Response, inside, trial
from tests.repeats import repeats

RUNS = repeats(600, 1_000)
"""With 1,000 the rates are those that the page states."""
POWER_RUNS = repeats(60, 200)


def proposed(response: Response, runs: int, units: int) -> int:
    """Runs with a proposal; every second one has 30 in a hundred treated."""
    count = 0
    for run in range(runs):
        one = trial(run, units, response, share=0.5 if run % 2 else 0.3)
        count += bool(discover(one.ids, one.treated, one.outcome, one.attributes, Search(seed=run)).proposals)
    return count


def upper(count: int, runs: int) -> float:
    """One-sided 95 % bound of a share: Clopper & Pearson, Biometrika 26 (1934), pp. 404-413."""
    return float(beta.ppf(0.95, count + 1, runs - count))


def test_where_effects_do_not_differ_hardly_anything_is_proposed() -> None:
    """240 runs of six nulls; the bound of their common rate is below .05."""
    count = sum(proposed(response, 40, 1600) for response in NULLS.values())
    assert upper(count, 240) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", NULLS)
def test_the_error_rate_of_each_null(name: str) -> None:
    """The bound of each null's own rate is below .05."""
    assert upper(proposed(NULLS[name], RUNS, 2000), RUNS) <= 0.05


def planted(difference: float) -> Response:
    return lambda rng, x, w: 0.2 * w + difference * w * inside(x) + rng.normal(size=len(w))


def test_planted_heterogeneity_is_found() -> None:
    """Stated: half a standard deviation in 44 of a hundred units, 4,000 units, power .8: of 20 runs 12 at the least."""
    assert proposed(planted(0.5), 20, 4000) >= 12


@pytest.mark.slow
def test_the_power_that_is_stated() -> None:
    """.8 for half a standard deviation and 4,000 units, .6 for .3 and 8,000 units; lower bounds of 95 % each."""
    assert 1 - upper(POWER_RUNS - proposed(planted(0.5), POWER_RUNS, 4000), POWER_RUNS) >= 0.8
    assert 1 - upper(POWER_RUNS - proposed(planted(0.3), POWER_RUNS, 8000), POWER_RUNS) >= 0.6
