"""BG/NBD against the paper, the note that works it out in a spreadsheet, and integrals over the model itself."""

from __future__ import annotations

import csv
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta

from analysis.estimate import Undefined
from segmentation.behaviour.purchases import customers_by_day
from segmentation.refusal import Refused
from segmentation.value import bg_nbd
from segmentation.value.bg_nbd import BgNbd, fit_bg_nbd
from segmentation.value.counts import RepeatPurchases, repeat_rows
from tests.customers.builders import CDNOW_SUMMARY, cdnow, needs_cdnow, needs_summary, on, purchases, rows_of

# Fader, Hardie & Lee 2005, table 1.
PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


def sample() -> RepeatPurchases:
    with CDNOW_SUMMARY.open() as file:
        rows = [[float(row[name]) for name in ("frequency", "recency", "T")] for row in csv.DictReader(file)]
    return RepeatPurchases.of(*zip(*rows, strict=True))


@pytest.fixture(scope="module")
def fitted() -> BgNbd:
    found = fit_bg_nbd(sample())
    assert isinstance(found, BgNbd)
    return found


@needs_summary
def test_the_parameters_of_the_paper(fitted: BgNbd) -> None:
    """Fader, Hardie & Lee 2005, table 1: .243, 4.414, .793, 2.426, log-likelihood -9582.4."""
    assert [round(one, 3) for one in (fitted.r, fitted.alpha, fitted.a, fitted.b)] == [0.243, 4.414, 0.793, 2.426]
    assert fitted.log_likelihood == pytest.approx(-9_582.4, abs=0.05)


@needs_summary
def test_the_unit_of_time_changes_alpha_only(fitted: BgNbd) -> None:
    weeks = sample()
    days = fit_bg_nbd(RepeatPurchases(repeats=weeks.repeats, last_at=weeks.last_at * 7, age=weeks.age * 7))
    assert isinstance(days, BgNbd)
    assert (days.r, days.alpha / 7, days.a, days.b) == pytest.approx(
        (fitted.r, fitted.alpha, fitted.a, fitted.b), rel=1e-4
    )
    repeats = float(weeks.repeats.sum())
    assert days.log_likelihood == pytest.approx((fitted.log_likelihood or 0) - repeats * log(7), abs=1e-3)
    assert days.log_std_errors == pytest.approx(fitted.log_std_errors, rel=1e-2)


@needs_summary
def test_the_expectations_of_the_spreadsheet(fitted: BgNbd) -> None:
    """Fader & Hardie, "Implementing the BG/NBD model for customer base analysis in Excel" (2005)."""
    one = RepeatPurchases.of(2, 30.43, 38.86)
    assert fitted.expected_purchases(one, 39) == pytest.approx([1.226], abs=5e-4)
    times = [0.1429, 1.0, 3.0]
    assert fitted.expected_of_new(times) == pytest.approx([0.0078, 0.0532, 0.1506], abs=5e-4)


@needs_cdnow
@needs_summary
def test_purchases_become_the_sample_of_the_paper() -> None:
    """Customers 00004 and 00021 of the master file are 1 and 2 of the sample: weeks until the end of September 1997."""
    as_of = on("1997-09-30")
    table = cdnow()
    rows = rows_of(repeat_rows(customers_by_day(table.filter(table.unit_id.isin(["00004", "00021"])), as_of), as_of))
    given = sample()
    for index, unit in enumerate(("00004", "00021")):
        found = [rows[unit][name] for name in ("repeats", "last_at", "age")]
        assert found == pytest.approx([given.repeats[index], given.last_at[index], given.age[index]], abs=0.005)


def test_repeats_are_days_and_their_money_is_what_came_after_the_first() -> None:
    bought = [
        ("2026-01-01", 10.0),
        ("2026-01-01", 5.0),
        ("2026-01-08", 20.0),
        ("2026-01-15", 30.0),
        ("2026-01-15", 4.0),
    ]
    rows = [("a", on(day), value) for day, value in bought] + [
        ("b", on("2026-01-01"), 9.0),
        ("c", on("2026-01-29"), 1.0),
    ]
    as_of = on("2026-01-29", "18:00:00")
    found = rows_of(repeat_rows(customers_by_day(purchases(rows), as_of), as_of))
    assert found == {
        "a": {"repeats": 2, "last_at": 2.0, "age": 4.0, "repeat_cents": 2_700.0},
        "b": {"repeats": 0, "last_at": 0.0, "age": 4.0, "repeat_cents": None},
    }


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


def test_the_gradient_is_that_of_the_likelihood() -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 6, 40).astype(float)
    age = rng.uniform(0.5, 2.0, 40)
    objective = bg_nbd._Likelihood(x, np.where(x > 0, age * 0.7, 0.0), age, np.full(40, 1 / 40))
    at = np.log([0.4, 0.9, 0.7, 2.0])
    for index, step in enumerate(np.eye(4) * 1e-6):
        slope = (objective(at + step)[0] - objective(at - step)[0]) / 2e-6
        assert objective(at)[1][index] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def simulated(model: BgNbd, customers: int, age: float, seed: int) -> RepeatPurchases:
    """The story of the model, told customer by customer."""
    rng = np.random.default_rng(seed)
    rows = []
    for rate, leaves in zip(
        rng.gamma(model.r, 1 / model.alpha, customers), rng.beta(model.a, model.b, customers), strict=True
    ):
        time, x, last = 0.0, 0, 0.0
        while (time := time + rng.exponential(1 / rate)) <= age:
            x, last = x + 1, time
            if rng.random() < leaves:
                break
        rows.append((x, last, age))
    return RepeatPurchases.of(*zip(*rows, strict=True))


def test_planted_parameters_are_found_again() -> None:
    truth = BgNbd(r=0.8, alpha=6.0, a=1.2, b=3.0)
    found = fit_bg_nbd(simulated(truth, 6_000, 52.0, seed=11))
    assert isinstance(found, BgNbd)
    for name, error in zip(("r", "alpha", "a", "b"), found.log_std_errors, strict=True):
        assert abs(log(getattr(found, name) / getattr(truth, name))) < 3.5 * error
    assert max(found.log_std_errors) < 0.25


def test_too_few_who_came_again() -> None:
    found = fit_bg_nbd(RepeatPurchases.of([1] * 9 + [0] * 500, [2.0] * 9 + [0.0] * 500, [10.0] * 509))
    assert isinstance(found, Undefined)
    assert found.reason == "too_few_returning"
    assert "9 customers" in found.message


def test_customers_who_are_all_alike_tell_nothing_of_differences() -> None:
    """Same rate for all, and nobody ever leaves: r and b have no end."""
    rng = np.random.default_rng(3)
    rows = [np.sort(rng.uniform(0, 52.0, rng.poisson(26))) for _ in range(300)]
    found = fit_bg_nbd(RepeatPurchases.of([len(row) for row in rows], [row[-1] for row in rows], [52.0] * 300))
    assert isinstance(found, Undefined)
    assert found.reason in {"not_identified", "not_converged"}


@pytest.mark.parametrize(
    ("x", "last_at", "age", "code"),
    [
        ([1, 2], [1.0], [2.0, 3.0], "arrays_of_different_length"),
        ([1], [float("nan")], [2.0], "not_finite"),
        ([1.5], [1.0], [2.0], "repeats_not_whole"),
        ([-1], [0.0], [2.0], "repeats_not_whole"),
        ([1], [3.0], [2.0], "times_out_of_order"),
        ([0], [1.0], [2.0], "times_out_of_order"),
        ([1], [0.0], [2.0], "times_out_of_order"),
        ([0], [0.0], [0.0], "times_out_of_order"),
    ],
)
def test_histories_that_cannot_be(x: list[float], last_at: list[float], age: list[float], code: str) -> None:
    with pytest.raises(Refused) as refused:
        RepeatPurchases.of(x, last_at, age)
    assert refused.value.code == code


def test_parameters_and_horizons_outside_are_refused() -> None:
    with pytest.raises(Refused, match="positive"):
        BgNbd(r=0.0, alpha=1.0, a=1.0, b=1.0)
    for horizon in (-1.0, float("nan"), float("inf")):
        with pytest.raises(Refused) as refused:
            PUBLISHED.expected_of_new(horizon)
        assert refused.value.code == "horizon_outside"
