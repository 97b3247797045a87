"""Recency, frequency and money of CDNOW's customers of 1997: the counts asked for, and a loop over the file."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

import pytest

from segmentation.behaviour.lifecycle import Lifecycle
from segmentation.behaviour.rfm import Rfm, rfm
from tests.customers.builders import CDNOW_END, cdnow, cdnow_lines, needs_cdnow

pytestmark = needs_cdnow

Lines = dict[str, list[tuple[datetime, Decimal]]]


@pytest.fixture(scope="module")
def found() -> Rfm:
    result = rfm(cdnow(), CDNOW_END, lifecycle=Lifecycle())
    assert isinstance(result, Rfm)
    return result


@pytest.fixture(scope="module")
def lines() -> Lines:
    by_customer: Lines = defaultdict(list)
    for customer, at, dollars in cdnow_lines():
        by_customer[customer].append((at, dollars))
    return by_customer


def test_what_all_of_them_come_to(found: Rfm) -> None:
    summary = found.summary
    assert (summary.customers, summary.purchases, summary.bought_once) == (23_570, 69_659, 11_908)
    assert summary.revenue_cents == 250_031_563
    assert summary.unvalued == 0
    assert summary.median_recency_days == 472
    assert summary.median_monetary_cents == pytest.approx(4_340, abs=0.5)  # 43.40 dollars, to the cent
    assert summary.top_fifth_share == pytest.approx(0.678, abs=0.0005)


def test_every_row_is_that_of_a_loop_over_the_file(found: Rfm, lines: Lines) -> None:
    rows = {row["unit_id"]: row for row in found.rows.to_pylist()}
    assert rows.keys() == lines.keys()
    for customer, bought in lines.items():
        row, instants = rows[customer], sorted(at for at, _ in bought)
        before = [at for at in instants if at < instants[-1]]
        assert (row["first_at"], row["last_at"]) == (instants[0], instants[-1])
        assert row["previous_at"] == (before[-1] if before else None)
        assert row["recency_days"] == (CDNOW_END - instants[-1]).days
        assert (row["frequency"], row["purchase_days"]) == (len(bought), len(set(instants)))
        assert row["monetary_cents"] == sum(dollars for _, dollars in bought) * 100


def test_scores_of_quantiles_keep_their_order_and_equal_values_together(found: Rfm, lines: Lines) -> None:
    """A cut is the ⌈n·k/5⌉-th smallest value; a score is one more than the cuts that a value is above."""
    rows = found.rows.to_pylist()
    for column, score, is_reversed in (
        ("recency_days", "r_score", True),
        ("frequency", "f_score", False),
        ("monetary_cents", "m_score", False),
    ):
        ordered = sorted(row[column] for row in rows)
        cuts = [ordered[-(-len(ordered) * k // 5) - 1] for k in (1, 2, 3, 4)]
        assert list(getattr(found.cuts, column)) == cuts
        for row in rows:
            above = sum(row[column] > cut for cut in cuts)
            assert row[score] == (5 - above if is_reversed else 1 + above)
    assert {row["f_score"] for row in rows if row["frequency"] == 1} == {1}


def test_heat_map_and_groups_hold_everybody_once(found: Rfm) -> None:
    rows = found.rows.to_pylist()
    assert [(cell.r, cell.f) for cell in found.heat_map] == [(r, f) for r in (5, 4, 3, 2, 1) for f in (1, 2, 3, 4, 5)]
    for cell in found.heat_map:
        inside = [row["monetary_cents"] for row in rows if (row["r_score"], row["f_score"]) == (cell.r, cell.f)]
        assert (cell.customers, cell.revenue_cents) == (len(inside), sum(inside))
    for group in found.groups:
        members = [row for row in rows if row["rfm_group"] == group.name]
        assert group.customers == len(members)
        assert group.purchases == sum(row["frequency"] for row in members)
        assert group.revenue_cents == sum(row["monetary_cents"] for row in members)
    assert sum(group.customers for group in found.groups) == 23_570
    assert sum(group.share_of_revenue or 0 for group in found.groups) == pytest.approx(1)


def test_stages_of_a_cohort_whose_newest_customer_is_a_year_old(found: Rfm, lines: Lines) -> None:
    """All came in the first quarter of 1997: nobody is new 15 months later."""
    stages = found.rows["stage"].to_pylist()
    assert "new" not in stages
    quiet = [(CDNOW_END - max(at for at, _ in bought)).days for bought in lines.values()]
    assert stages.count("lapsed") == sum(days > 365 for days in quiet)
    assert stages.count("cooling") == sum(90 < days <= 365 for days in quiet)
