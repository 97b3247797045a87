"""Whether a customer is active and what one will buy, against integrals over the model itself."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta

from segmentation.value.bg_nbd import BgNbd
from segmentation.value.counts import RepeatPurchases
from segmentation.value.distinct import distinct

# Fader, Hardie & Lee 2005, table 1.
PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


def likelihoods(model: BgNbd, x: int, last_at: float, age: float) -> tuple[float, float]:
    """Of a history by somebody who is active at its end, and by somebody who has left: integrals over the chance p.

    Over the rate λ, ∫ λ^x e^(-λt) dGamma(r, α) = Γ(r+x)/Γ(r) · α^r/(α+t)^(r+x) is known; left out is what both have.
    """
    density = beta(model.a, model.b).pdf
    kept = quad(lambda p: (1 - p) ** x * density(p), 0, 1)[0]
    left = quad(lambda p: p * (1 - p) ** (x - 1) * density(p), 0, 1)[0] if x else 0.0
    ratio = ((model.alpha + age) / (model.alpha + last_at)) ** (model.r + x)
    return kept, left * ratio


@pytest.mark.parametrize(("x", "last_at", "age"), [(0, 0.0, 10.0), (1, 3.0, 38.86), (2, 30.43, 38.86), (9, 20.0, 38.0)])
def test_who_is_still_active(x: int, last_at: float, age: float) -> None:
    """By Bayes' theorem, with both likelihoods integrated."""
    model = BgNbd(r=0.6, alpha=5.0, a=1.4, b=2.4)
    active, left = likelihoods(model, x, last_at, age)
    found = model.probability_alive(RepeatPurchases.of(x, last_at, age))
    assert found == pytest.approx([active / (active + left)], rel=1e-6)


def purchases_while_active(model: BgNbd, x: int, age: float, time: float) -> float:
    """E[(1 - e^(-λpt))/p] over p ~ Beta(a, b+x) and λ ~ Gamma(r+x, α+T), which is what is left of a known integral."""
    rest = model.alpha + age

    def at(p: float) -> float:
        return -np.expm1((model.r + x) * -np.log1p(p * time / rest)) / p

    low, high = beta(model.a, model.b + x).ppf([1e-13, 1 - 1e-13])
    middle = beta(model.a, model.b + x).median()
    pieces = ((low, middle), (middle, high))
    density = beta(model.a, model.b + x).pdf
    return sum(quad(lambda p: at(p) * density(p), *piece, limit=400, epsabs=0, epsrel=1e-9)[0] for piece in pieces)


_parameters = st.tuples(*[st.floats(log(0.2), log(20)).map(exp)] * 4)
_pasts = st.tuples(st.integers(0, 300), st.floats(0.01, 100))


@settings(max_examples=60)
@given(_parameters, _pasts, st.floats(0.01, 500))
def test_expected_purchases_are_their_integral(
    parameters: tuple[float, float, float, float], past: tuple[int, float], time: float
) -> None:
    (r, alpha, a, b), (x, age) = parameters, past
    model = BgNbd(r=r, alpha=alpha, a=a, b=b)
    one = RepeatPurchases.of(x, age if x else 0.0, age)
    expected = purchases_while_active(model, x, age, time) * model.probability_alive(one)
    assert model.expected_purchases(one, time) == pytest.approx(expected, rel=1e-7)


def test_expected_purchases_are_the_closed_form() -> None:
    """Eq. (10) with the hypergeometric function, where that can be trusted."""
    x, last_at, age, time = np.array([0.0, 1.0, 2.0, 9.0]), np.array([0.0, 3.0, 30.43, 20.0]), np.full(4, 38.86), 39.0
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    left = (alpha + age) / (alpha + age + time)
    series = hyp2f1(r + x, b + x, a + b + x - 1, 1 - left)
    odds = np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + last_at)) ** (r + x), 0.0)
    expected = (a + b + x - 1) / (a - 1) * (1 - left ** (r + x) * series) / (1 + odds)
    found = PUBLISHED.expected_purchases(RepeatPurchases.of(x, last_at, age), time)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("a", [1e-3, 0.05, 60.0, 3_000.0])
@pytest.mark.parametrize("x", [0, 4, 5_000])
def test_extreme_chances_to_leave(a: float, x: int) -> None:
    """Bounds that hold for every p: no more than without leaving, no less than leaving at the mean chance (Jensen)."""
    model = BgNbd(r=0.5, alpha=4.0, a=a, b=2.0)
    found = float(model.expected_purchases(RepeatPurchases.of(x, 30.0 if x else 0.0, 30.0), 26.0)[0])
    active = float(model.probability_alive(RepeatPurchases.of(x, 30.0 if x else 0.0, 30.0))[0])
    chance = a / (a + 2.0 + x)
    at_mean = -np.expm1(-(0.5 + x) * np.log1p(chance * 26 / 34)) / chance
    assert active * at_mean * (1 - 1e-9) <= found <= active * (0.5 + x) * 26 / 34 * (1 + 1e-9)


def test_no_time_no_purchases() -> None:
    assert PUBLISHED.expected_purchases(RepeatPurchases.of([0, 3], [0.0, 4.0], [9.0, 9.0]), 0.0).tolist() == [0, 0]


@pytest.mark.parametrize("a", [1 - 1e-9, 1.0, 1 + 5e-5], ids=["below", "at 1", "above"])
@pytest.mark.parametrize("x", [0, 3, 2_000])
def test_where_the_closed_form_is_nought_over_nought(a: float, x: int) -> None:
    model = BgNbd(r=0.5, alpha=4.0, a=a, b=2.0)
    one = RepeatPurchases.of(x, 20.0 if x else 0.0, 30.0)
    expected = purchases_while_active(model, x, 30.0, 26.0) * model.probability_alive(one)
    assert model.expected_purchases(one, 26.0) == pytest.approx(expected, rel=1e-6)


def test_customers_with_the_same_numbers_are_taken_once() -> None:
    rng = np.random.default_rng(6)
    columns = [rng.integers(0, 4, 200) / 7 for _ in range(3)]
    rows, index = distinct(columns)
    assert list(map(tuple, rows.tolist())) == sorted(set(map(tuple, np.column_stack(columns).tolist())))
    assert (rows[index] == np.column_stack(columns)).all()
