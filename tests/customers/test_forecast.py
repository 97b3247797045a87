"""Models of value from states of customers: what is counted, what is sampled, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analysis.estimate import Undefined
from segmentation.behaviour.history import History
from segmentation.value.forecast import Forecast, Seen, fit_forecast
from segmentation.value.gamma_gamma import GammaGamma

NOW = datetime(2026, 1, 29, 18, tzinfo=UTC)
UNKNOWN = Undefined(reason="not_fitted", message="None.")


def seen(*customers: list[tuple[float, float | None]]) -> Seen:
    """Of purchases: days ago, and value."""
    states = []
    for bought in customers:
        one = History.of_all([(NOW - timedelta(days=days), value) for days, value in bought])
        states.append((one.first_at, one.last_at, one.previous_at, one.frequency, one.unvalued, one.monetary_cents))
    return Seen.of(states, NOW)


@pytest.mark.parametrize(
    ("bought", "repeats", "last_at", "age"),
    [
        pytest.param([(14, 1)], 0, 0, 2, id="once"),
        pytest.param([(14, 1), (14.1, 1), (14.2, 1)], 0, 0, 2, id="one-day"),
        pytest.param([(21, 1), (21.1, 1), (7, 1), (7.1, 1)], 1, 2, 3, id="two-days"),
        pytest.param([(21, 1), (14, 1), (14.1, 1), (7, 1)], 3, 2, 3, id="three-days-count-purchases"),
        pytest.param([(0.1, 1)], 0, 0, 0, id="today"),
        pytest.param([(7, 1), (-2, 1)], 1, 9 / 7, 9 / 7, id="ahead-of-the-clock"),
    ],
)
def test_what_is_a_repeat(bought: list[tuple[float, float | None]], repeats: int, last_at: float, age: float) -> None:
    found = seen(bought)
    assert (found.repeats[0], found.last_at[0], found.age[0]) == pytest.approx((repeats, last_at, age))


def test_only_values_are_amounts() -> None:
    found = seen([(21, 10), (7, None)], [(3, -5)])
    assert (found.amounts.tolist(), found.cents.tolist()) == ([1, 1], [1_000, -500])
    told = Forecast(purchases=UNKNOWN, amounts=GammaGamma(p=6, q=4, v=1_500)).expected_cents(found)
    assert told[0] == pytest.approx(6 * (1_500 + 1_000) / (6 + 4 - 1))
    assert np.isnan(told[1])


def population(slope: float, weeks: float = 100.0, customers: int = 400) -> Seen:
    """Two kinds who leave or stay, and who spend more at a time by `slope` the more often they come."""
    rng = np.random.default_rng(11)
    repeats = np.minimum(rng.negative_binomial(1, 0.3, customers), 40).astype(float)
    age = rng.integers(int(weeks * 3), int(weeks * 7), customers) / 7.0
    last_at = np.where(repeats > 0, np.maximum(1, np.floor(age * 7 * rng.uniform(0.2, 1, customers))) / 7, 0.0)
    means = rng.gamma(6.0, 1.0, customers) / rng.gamma(4.0, 1 / 1_500, customers) * np.exp(slope * repeats)
    amounts = repeats + 1
    return Seen(repeats=repeats, last_at=last_at, age=age, amounts=amounts, cents=np.round(means) * amounts)


def test_amounts_that_depend_on_how_often_are_not_believed() -> None:
    found = {slope: fit_forecast(population(slope, weeks=12.0), weeks=13) for slope in (0.0, 0.2)}
    assert isinstance(found[0.0].amounts, GammaGamma)
    refused = found[0.2].amounts
    assert isinstance(refused, Undefined)
    assert refused.reason == "amounts_correlated"


def test_a_horizon_beyond_what_was_seen() -> None:
    found = fit_forecast(population(0.0, weeks=12.0), weeks=13).purchases
    assert isinstance(found, Undefined)
    assert found.reason == "observed_too_briefly"


def test_nobody() -> None:
    nobody = Seen.joined([])
    found = fit_forecast(nobody, weeks=13)
    assert isinstance(found.purchases, Undefined)
    assert isinstance(found.amounts, Undefined)
    assert found.amounts.reason == "too_few_returning"


def test_a_sample_does_not_depend_on_the_order_and_is_like_all() -> None:
    everybody = population(0.0, customers=5_000)
    turned = everybody.some(np.random.default_rng(1).permutation(5_000))
    one, other = everybody.sampled(500), turned.sampled(500)
    for name in ("repeats", "last_at", "age", "amounts", "cents"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert len(one.repeats) == 500
    assert one.repeats.mean() == pytest.approx(everybody.repeats.mean(), rel=0.01)
    assert everybody.sampled(5_000) is everybody
