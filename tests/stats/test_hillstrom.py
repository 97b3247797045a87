"""A real e-mail test (Hillstrom 2008; 64,000 customers, three arms) through the public entry.

The expected numbers were published with the data's description or recomputed independently of this engine.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

import analysis
from analysis.estimate import Comparison, Interval, Report
from tests.stats.builders import at, events, exposures, metric, plan

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "hillstrom.csv.gz"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA.name} is not beside this checkout")

VARIANTS = {"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
SEGMENTS = {("1", "0"): "mens_goods", ("0", "1"): "womens_goods", ("1", "1"): "both_goods"}


@pytest.fixture(scope="module")
def report() -> Report:
    with gzip.open(DATA, "rt", newline="") as file:
        rows = list(enumerate(csv.DictReader(file)))
    exposed = [
        (str(number), VARIANTS[row["segment"]], SEGMENTS[row["mens"], row["womens"]], 1, at(0)) for number, row in rows
    ]
    happened = [
        (str(number), name, float(row[name]), at(60))
        for number, row in rows
        for name in ("visit", "conversion", "spend")
        if float(row[name])
    ]
    question = plan(
        metric(key="visit", name="visits"),
        metric(key="conversion", event_name="conversion", role="secondary"),
        metric(key="spend", event_name="spend", kind="mean", role="secondary"),
        variants=("none", "mens", "womens"),
        segments=("mens_goods", "womens_goods", "both_goods"),
        variant_names={"none": "No e-mail", "mens": "Men's e-mail", "womens": "Women's e-mail"},
        segment_names={"mens_goods": "Buyers of men's goods", "womens_goods": "Buyers of women's goods"},
    )
    return analysis.analyse(exposures(exposed), events(happened), question)


def test_counts_and_the_split(report: Report) -> None:
    assert report.units == 64_000
    assert report.units_mixed == report.units_outside == 0
    assert report.overall.srm.observed == (("none", 21_306), ("mens", 21_307), ("womens", 21_387))
    assert report.overall.srm.p_value == pytest.approx(0.9037, abs=5e-5)


@pytest.mark.parametrize(
    ("index", "totals"), [(0, (2_262.0, 3_894.0, 3_238.0)), (1, (122.0, 267.0, 189.0))], ids=["visits", "conversions"]
)
def test_totals(report: Report, index: int, totals: tuple[float, float, float]) -> None:
    assert tuple(arm.total for arm in report.overall.metrics[index].arms) == totals


def test_spend_per_customer(report: Report) -> None:
    arms = report.overall.metrics[2].arms
    assert [arm.value for arm in arms] == pytest.approx([0.652789, 1.422617, 1.077202], abs=5e-7)
    assert [arm.std_dev for arm in arms] == pytest.approx([11.588200, 17.754205, 15.116106], abs=5e-7)


@pytest.mark.parametrize(
    ("index", "difference", "low", "high"),
    [(0, 0.769827, 0.485140, 1.054515), (1, 0.424412, 0.168957, 0.679868)],
    ids=["mens", "womens"],
)
def test_welch_on_spend(report: Report, index: int, difference: float, low: float, high: float) -> None:
    found = report.overall.metrics[2].comparisons[index].difference
    assert found.value == pytest.approx(difference, abs=1e-6)
    assert isinstance(found.fixed, Interval)
    assert (found.fixed.low, found.fixed.high) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize(
    ("index", "rates"),
    [
        pytest.param(0, (0.099813, 0.168968, 0.110892), id="only men's goods"),
        pytest.param(1, (0.095808, 0.166388, 0.169794), id="only women's goods"),
        pytest.param(2, (0.180549, 0.314993, 0.251653), id="both"),
    ],
)
def test_visit_rates_by_segment(report: Report, index: int, rates: tuple[float, float, float]) -> None:
    assert [arm.value for arm in report.segments[index].metrics[0].arms] == pytest.approx(rates, abs=5e-7)


def test_what_to_send_to_whom(report: Report) -> None:
    mens, womens, both = (scope.verdict for scope in report.segments)
    assert (mens.outcome, mens.variant) == ("winner", "mens")
    assert (both.outcome, both.variant) == ("winner", "mens")
    assert (womens.outcome, womens.variant, womens.leaders) == ("tied", None, ("womens", "mens"))
    assert mens.sentence.startswith(
        "Men's e-mail wins for Buyers of men's goods: visits are 69% higher than with No e-mail (between "
    )
    assert womens.sentence == (
        "Women's e-mail and Men's e-mail both beat No e-mail for Buyers of women's goods, but cannot be told apart yet."
    )


def test_a_verdict_never_contradicts_its_numbers(report: Report) -> None:
    """A winner's adjusted p is below alpha and its intervals leave out 0, against every other variant."""
    for scope in report.segments:
        for row in scope.metrics[0].comparisons:
            if scope.verdict.variant in (row.treatment, row.baseline):
                assert_separated(row, report.alpha)


def assert_separated(row: Comparison, alpha: float) -> None:
    assert isinstance(row.p_value_adjusted, float)
    assert row.p_value_adjusted < alpha
    for interval in (row.difference_in_family, row.lift_in_family):
        assert isinstance(interval, Interval)
        assert interval.low > 0 or interval.high < 0
