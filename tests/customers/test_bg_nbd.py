"""BG/NBD against the paper and the note that works it out in a spreadsheet."""

from __future__ import annotations

import csv
from math import log

import numpy as np
import pytest

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
