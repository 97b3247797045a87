"""Scores from declared cuts and from quantiles, and the groups that they are called."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import numpy as np
import pytest

from analysis.estimate import Undefined
from segmentation.behaviour.cuts import Cuts, Scores, quantile_cuts
from segmentation.behaviour.groups import NAMED_GROUPS, Groups, Ranges
from segmentation.behaviour.purchases import customers
from segmentation.behaviour.rfm import Rfm, rfm
from segmentation.refusal import Refused
from tests.customers.builders import on, purchases

NOW = on("2026-03-10")
DECLARED = Cuts(recency_days=(7, 30, 90, 180), frequency=(1, 2, 4, 9), monetary_cents=(1_000, 5_000, 10_000, 50_000))


@pytest.mark.parametrize(
    ("recency", "frequency", "cents", "scores"),
    [
        (0, 1, 0, (5, 1, 1)),
        (7, 2, 1_000, (5, 2, 1)),
        (8, 3, 1_001, (4, 3, 2)),
        (180, 9, 50_000, (2, 4, 4)),
        (181, 10, 50_001, (1, 5, 5)),
        (30, 4, -5, (4, 3, 1)),
    ],
)
def test_an_end_belongs_to_the_group_it_ends(
    recency: int, frequency: int, cents: int, scores: tuple[int, int, int]
) -> None:
    found = DECLARED.score(recency_days=recency, frequency=frequency, monetary_cents=cents)
    assert (found.r, found.f, found.m) == scores


@pytest.mark.parametrize(("f", "m", "fm"), [(1, 1, 1), (1, 2, 2), (2, 5, 4), (1, 5, 3), (5, 5, 5)])
def test_frequency_and_money_together_are_their_mean_halves_upwards(f: int, m: int, fm: int) -> None:
    assert Scores(r=1, f=f, m=m).fm == Scores(r=1, f=m, m=f).fm == fm


@pytest.mark.parametrize("scores", range(2, 11))
@pytest.mark.parametrize("n", [1, 6, 12, 37, 100])
def test_quantiles_without_ties_make_groups_as_equal_as_can_be(scores: int, n: int) -> None:
    """Values 1 to n: the k-th cut is ⌈n·k/scores⌉ exactly, whatever k/scores is in floats."""
    order = np.random.default_rng(scores * 1_000 + n).permutation(n)
    table = purchases([(f"c{i}", NOW - timedelta(days=int(i) + 1), float(i + 1)) for i in order])
    cuts = quantile_cuts(customers(table, NOW), scores)
    assert isinstance(cuts, Cuts)
    expected = tuple(-(-n * k // scores) for k in range(1, scores))
    assert cuts.recency_days == expected
    assert cuts.monetary_cents == tuple(100 * end for end in expected)
    assert cuts.frequency == (1,) * (scores - 1)


def test_equal_values_never_part() -> None:
    """Six customers of ten spent the same; NTILE would put them into three of five groups."""
    spent = [10.0] * 6 + [20.0, 30.0, 40.0, 50.0]
    table = purchases([(f"c{i}", on("2026-03-01"), value) for i, value in enumerate(spent)])
    found = rfm(table, NOW)
    assert isinstance(found, Rfm)
    scores = {row["monetary_cents"]: row["m_score"] for row in found.rows.to_pylist()}
    assert scores == {1_000: 1, 2_000: 4, 3_000: 4, 4_000: 5, 5_000: 5}
    assert {row["m_score"] for row in found.rows.to_pylist() if row["monetary_cents"] == 1_000} == {1}


def test_the_order_of_rows_and_threads_do_not_matter() -> None:
    rng = np.random.default_rng(7)
    rows = [
        (
            f"c{rng.integers(200)}",
            NOW - timedelta(seconds=int(rng.integers(40_000_000))),
            float(rng.integers(9_999)) / 100,
        )
        for _ in range(2_000)
    ]
    one, other = (rfm(purchases(order), NOW) for order in (rows, rows[::-1]))
    assert isinstance(one, Rfm)
    assert isinstance(other, Rfm)
    assert (one.cuts, one.summary, one.heat_map, one.groups) == (
        other.cuts,
        other.summary,
        other.heat_map,
        other.groups,
    )
    assert one.rows.sort_by("unit_id").equals(other.rows.sort_by("unit_id"))


def test_the_named_groups_hold_each_of_the_25_cells_once() -> None:
    cells = list(product(range(1, 6), range(1, 6)))
    held = [[one.name for one in NAMED_GROUPS.ranges if one.holds(r, fm)] for r, fm in cells]
    assert all(len(names) == 1 for names in held)
    assert set(NAMED_GROUPS.names) == {
        "champions", "loyal", "potential_loyalists", "new", "promising", "need_attention", "about_to_sleep", "at_risk",
        "cannot_lose", "hibernating", "lost",
    }  # fmt: skip
    assert len(NAMED_GROUPS.names) == 11


@pytest.mark.parametrize(
    ("r", "f", "m", "name"),
    [
        (5, 5, 5, "champions"),
        (4, 4, 3, "champions"),
        (3, 5, 4, "loyal"),
        (5, 1, 1, "new"),
        (4, 1, 1, "promising"),
        (5, 1, 3, "potential_loyalists"),
        (3, 1, 1, "about_to_sleep"),
        (2, 2, 2, "hibernating"),
        (2, 4, 4, "at_risk"),
        (1, 5, 5, "cannot_lose"),
        (1, 1, 1, "lost"),
    ],
)
def test_groups_by_name(r: int, f: int, m: int, name: str) -> None:
    assert NAMED_GROUPS.of(Scores(r=r, f=f, m=m)) == name


def test_tables_and_single_customers_are_called_the_same() -> None:
    """Every combination of scores, made of declared cuts."""
    recency, frequency, cents = (5, 20, 60, 100, 200), (1, 2, 3, 9, 10), (500, 4_000, 9_000, 20_000, 60_000)
    rows = []
    for index, (days, times, spent) in enumerate(product(recency, frequency, cents)):
        values = [spent / 100] + [0.0] * (times - 1)
        rows += [(f"c{index}", NOW - timedelta(days=days), value) for value in values]
    found = rfm(purchases(rows), NOW, cuts=DECLARED)
    assert isinstance(found, Rfm)
    table = found.rows.to_pylist()
    assert len(table) == 125
    for row in table:
        what = {name: row[name] for name in ("recency_days", "frequency", "monetary_cents")}
        scores = DECLARED.score(**what)
        assert (row["r_score"], row["f_score"], row["m_score"], row["fm_score"]) == (
            scores.r, scores.f, scores.m, scores.fm,
        )  # fmt: skip
        assert row["rfm_group"] == NAMED_GROUPS.of(scores)
    assert {row["rfm_group"] for row in table} == set(NAMED_GROUPS.names)


def test_groups_of_ones_own() -> None:
    groups = Groups(
        scores=2, ranges=(Ranges(name="here", r=(2, 2), fm=(1, 2)), Ranges(name="gone", r=(1, 1), fm=(1, 2)))
    )
    table = purchases([("a", on("2026-03-01"), 1.0), ("b", on("2025-03-01"), 1.0)])
    found = rfm(table, NOW, groups=groups)
    assert isinstance(found, Rfm)
    assert {row["unit_id"]: row["rfm_group"] for row in found.rows.to_pylist()} == {"a": "here", "b": "gone"}
    assert len(found.heat_map) == 4


@pytest.mark.parametrize(
    "ranges",
    [
        (Ranges(name="a", r=(1, 2), fm=(1, 1)),),
        (Ranges(name="a", r=(1, 2), fm=(1, 2)), Ranges(name="b", r=(2, 2), fm=(2, 2))),
        (Ranges(name="a", r=(1, 3), fm=(1, 2)),),
    ],
    ids=["a hole", "held twice", "outside"],
)
def test_groups_that_do_not_tile_are_refused(ranges: tuple[Ranges, ...]) -> None:
    with pytest.raises(Refused) as refused:
        Groups(ranges=ranges, scores=2)
    assert refused.value.code == "groups_do_not_tile"


@pytest.mark.parametrize(
    ("recency", "frequency", "code"),
    [((2, 1), (1, 2), "cuts_not_ascending"), ((1,), (1, 2), "cuts_of_different_length"), ((), (), "too_few_scores")],
)
def test_cuts_that_are_none_are_refused(recency: tuple[int, ...], frequency: tuple[int, ...], code: str) -> None:
    with pytest.raises(Refused) as refused:
        Cuts(recency_days=recency, frequency=frequency, monetary_cents=frequency)
    assert refused.value.code == code


def test_cuts_and_groups_need_as_many_scores() -> None:
    with pytest.raises(Refused, match="make 2 scores"):
        rfm(purchases([]), NOW, cuts=Cuts(recency_days=(1,), frequency=(1,), monetary_cents=(1,)))


@pytest.mark.parametrize("cuts", [None, DECLARED], ids=["quantiles", "declared"])
def test_of_nobody_nothing_is_said(cuts: Cuts | None) -> None:
    found = rfm(purchases([("a", on("2027-01-01"), 1.0)]), NOW, cuts=cuts)
    assert found == Undefined(reason="no_customers", message="Nobody has bought anything.")


def test_who_spent_nothing_has_no_share_of_it() -> None:
    found = rfm(purchases([("a", on("2026-03-01"), 0.0), ("b", on("2026-03-01"), None)]), NOW)
    assert isinstance(found, Rfm)
    assert found.summary.top_fifth_share is None
    assert found.summary.unvalued == 1
    assert {group.share_of_revenue for group in found.groups} == {None}


def test_where_refunds_outweigh_a_part_is_no_share() -> None:
    """By hand: b gave back 90 of the 100 that a spent; a holds ten times of all revenue, and b less than nothing."""
    found = rfm(purchases([("a", on("2026-03-01"), 100.0), ("b", on("2025-03-01"), -90.0)]), NOW)
    assert isinstance(found, Rfm)
    assert (found.summary.revenue_cents, found.summary.top_fifth_share) == (1_000, None)
    assert {group.share_of_revenue for group in found.groups if group.customers} == {None}
    alone = rfm(purchases([("a", on("2026-03-01"), 100.0), ("b", on("2025-03-01"), 0.0)]), NOW)
    assert isinstance(alone, Rfm)
    assert alone.summary.top_fifth_share == 1.0
