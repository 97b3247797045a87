"""Tables with one row per unit: against numpy on the same columns, and against the raw events of the same units."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, replace
from decimal import Decimal
from math import isnan
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.aggregate import UnitsError, aggregate, aggregate_units
from analysis.moments import ArmKey, CrossMoments, MetricKey, Moments, MomentTable, Shape
from analysis.plan import Cell, Covariate, Plan
from tests.stats.builders import at, events, exposures, metric, moments_of, plan

A = ArmKey(1, "all", "a")
SPEND = metric(key="spend", kind="mean")


def units(**columns: Any) -> Any:
    size = len(next(iter(columns.values())))
    return ibis.memtable(pa.table({"variant": ["a"] * size, "segment": ["all"] * size} | columns))


def of_a(values: Mapping[MetricKey, Any], key: str = "spend") -> Any:
    return values[MetricKey(*A, key)]


def same(found: Moments, expected: Moments) -> bool:
    """But for the last bit, which is numpy's rounding."""
    assert (found.n, found.absolute_mean is None) == (expected.n, expected.absolute_mean is None)
    return [*astuple(found)[:-1], found.size] == pytest.approx([*astuple(expected)[:-1], expected.size], rel=1e-14)


def test_the_five_kinds() -> None:
    metrics = (
        metric(key="converted"),
        metric(key="visits", kind="count", role="secondary"),
        metric(key="spend", kind="mean", role="secondary"),
        metric(key="basket", kind="ratio", role="secondary", denominator_event_name="visit"),
        metric(key="wait", kind="quantile", quantile=0.5, role="secondary"),
    )
    table = units(
        converted=[True, False, True],
        visits=pa.array([3, 0, 5], pa.int32()),
        spend=[0.5, 0.25, -1.0],
        basket=[7, 0, 2],
        basket_denominator=[2.0, 0.0, 4.0],
        wait=[4.0, None, 8.0],
        unrelated=["x", "y", "z"],
    )
    found = aggregate_units(table, plan(*metrics))
    assert found.units == {A: 3}
    assert same(of_a(found.moments, "converted"), moments_of([1, 0, 1]))
    assert same(of_a(found.moments, "visits"), moments_of([3, 0, 5]))
    assert same(of_a(found.moments, "spend"), replace(moments_of([0.5, 0.25, -1.0]), absolute_mean=1.75 / 3))
    assert same(of_a(found.moments, "basket"), moments_of([7, 0, 2], [2, 0, 4]))
    assert same(of_a(found.moments, "wait"), moments_of([4, 0, 8], [1, 0, 1]))
    assert astuple(of_a(found.shapes, "visits")) == pytest.approx(astuple(shape_of([3, 0, 5])))
    distribution = of_a(found.distributions, "wait")
    assert (distribution.thresholds[0], distribution.thresholds[-1]) == (4.0, 8.0)
    assert same(distribution.up_to[0], moments_of([1, 0, 0], [1, 0, 1]))
    assert same(distribution.up_to[-1], moments_of([1, 0, 1], [1, 0, 1]))
    assert (found.values_missing, found.units_outside, found.arrivals, found.caps) == ({}, 0, {}, {})


def shape_of(values: list[float]) -> Shape:
    x = np.array(values, dtype=float)
    delta = x - x.mean()
    return Shape(
        n=len(x),
        mean=float(x.mean()),
        m2=float(delta @ delta),
        m3=float((delta**3).sum()),
        smallest=float(x.min()),
        largest=float(x.max()),
    )


def test_a_conversion_is_any_number_above_zero() -> None:
    found = aggregate_units(units(visits=[0.0, 0.3, 7.0, -1.0, None]), plan())
    assert same(of_a(found.moments, "visits"), moments_of([0, 1, 1, 0, 0]))


def test_null_is_zero_and_what_is_no_number_is_counted_as_missing() -> None:
    ratio = metric(key="r", kind="ratio", role="secondary", denominator_event_name="visit")
    table = units(
        spend=[1.0, None, float("nan"), float("inf"), -1e300, 3.0],
        r=[1.0, 2.0, 3.0, None, 5.0, 6.0],
        r_denominator=[1.0, float("nan"), 1.0, 1.0, 1.0, 1.0],
    )
    found = aggregate_units(table, plan(SPEND, ratio))
    assert same(of_a(found.moments), moments_of([1, 0, 0, 0, 0, 3]))
    assert same(of_a(found.moments, "r"), moments_of([1, 2, 3, 0, 5, 6], [1, 0, 1, 1, 1, 1]))
    assert found.values_missing == {"spend": 3, "r": 1}


def test_a_column_of_nothing_but_null() -> None:
    found = aggregate_units(units(spend=pa.array([None, None], pa.float64())), plan(SPEND))
    assert of_a(found.moments) == Moments(n=2)
    assert of_a(found.shapes) == Shape(n=2)


def test_no_rows() -> None:
    assert aggregate_units(units(spend=pa.array([], pa.float64())), plan(SPEND)) == MomentTable()


def test_units_of_no_arm_are_outside() -> None:
    table = ibis.memtable(
        pa.table(
            {
                "variant": ["a", "z", "a", None, "b"],
                "segment": ["all", "all", "other", "all", "all"],
                "spend": [1.0, float("nan"), 1e9, 7.0, 3.0],
            }
        )
    )
    for question in (plan(SPEND), plan(replace(SPEND, winsor_quantile=0.5))):
        found = aggregate_units(table, question)
        assert (found.units, found.units_outside) == ({A: 1, ArmKey(1, "all", "b"): 1}, 3)
        assert found.values_missing == {}
        assert same(of_a(found.moments), moments_of([1]))
    assert found.caps == {"spend": 1.0}


def test_missing_columns_are_all_named() -> None:
    ratio = metric(key="r", kind="ratio", denominator_event_name="v", covariates=(past(),))
    with pytest.raises(UnitsError, match="segment, r, r_denominator, past") as refused:
        aggregate_units(ibis.memtable(pa.table({"variant": ["a"]})), plan(ratio))
    assert refused.value.code == "missing_columns"


TWO_EPOCHS = [Cell(epoch=epoch, segment="all", weights={"a": 1, "b": 1}) for epoch in (1, 2)]


def test_epochs() -> None:
    with pytest.raises(UnitsError, match="epoch") as refused:
        aggregate_units(units(spend=[1.0]), plan(SPEND, cells=TWO_EPOCHS))
    assert refused.value.code == "unknown_epoch"
    found = aggregate_units(units(spend=[1.0, 2.0, 3.0], epoch=[2, 1, 3]), plan(SPEND, cells=TWO_EPOCHS))
    assert found.units == {A: 1, ArmKey(2, "all", "a"): 1}
    assert found.units_outside == 1


def past(**changes: Any) -> Covariate:
    return Covariate(**{"key": "past", "event_name": "visit", "lookback_seconds": 1} | changes)


def cross_of(rows: list[tuple[float, ...]]) -> CrossMoments:
    values = np.array(rows, dtype=float)
    delta = values - values.mean(axis=0)
    return CrossMoments(
        n=len(values), mean=tuple(values.mean(axis=0).tolist()), centred=tuple(map(tuple, (delta.T @ delta).tolist()))
    )


def test_covariates_are_filled_and_followed_by_indicators() -> None:
    spend = replace(SPEND, covariates=(past(), past(key="other", cap=6.0)))
    table = units(spend=[1.0, 2.0, 4.0, 7.0], past=[3.0, None, float("nan"), 5.0], other=[2, 4, 6, 8])
    found = of_a(aggregate_units(table, plan(spend)).cross)
    expected = cross_of([(1, 3, 2, 0, 0), (2, 0, 4, 1, 0), (4, 0, 6, 1, 0), (7, 5, 6, 0, 0)])
    assert (found.n, found.mean) == (4, expected.mean)
    assert np.allclose(found.centred, expected.centred, atol=1e-14)


@pytest.mark.parametrize("base", [1e8, -1e8, 1e15])
def test_a_spread_of_one_around_a_large_number(base: float) -> None:
    found = aggregate_units(units(spend=[base - 1, base, base + 1]), plan(SPEND))
    assert of_a(found.moments) == Moments(n=3, mean=base, m2=2.0)
    assert of_a(found.shapes) == Shape(n=3, mean=base, m2=2.0, m3=0.0, smallest=base - 1, largest=base + 1)


def test_the_same_as_from_raw_events() -> None:
    """Rounding apart: here the sum of each unit is handed in, there it is taken."""
    rng = np.random.default_rng(7)
    names = [f"u{i}" for i in range(300)]
    values = {name: rng.lognormal(size=rng.integers(4)).tolist() for name in names}
    raw = aggregate(
        exposures([(name, "ab"[i % 2], "all", 1, at(0)) for i, name in enumerate(names)]),
        events([(name, "visit", value, at(1)) for name in names for value in values[name]]),
        plan(replace(SPEND, winsor_quantile=0.9)),
    )
    table = pa.table(
        {
            "variant": ["ab"[i % 2] for i in range(len(names))],
            "segment": ["all"] * len(names),
            "spend": [sum(values[name]) for name in names],
        }
    )
    by_unit = aggregate_units(ibis.memtable(table), plan(replace(SPEND, winsor_quantile=0.9)))
    assert by_unit.units == raw.units
    assert by_unit.caps == pytest.approx(raw.caps)
    for key, moments in raw.moments.items():
        assert by_unit.moments[key].mean == pytest.approx(moments.mean, rel=1e-14)
        assert by_unit.moments[key].m2 == pytest.approx(moments.m2, rel=1e-13)


value = st.one_of(
    st.none(), st.floats(-1e9, 1e9), st.integers(-5, 5).map(float), st.sampled_from([0.1, 1e-9, 1e8 + 1, float("nan")])
)
row = st.tuples(st.sampled_from("ab"), st.sampled_from("st"), value, value, value)
ROWS = st.lists(row, min_size=1, max_size=25)
QUESTION = plan(
    replace(SPEND, covariates=(past(),)),
    metric(key="r", kind="ratio", role="secondary", denominator_event_name="visit"),
    segments=("s", "t"),
)


def of_rows(rows: list[Any], question: Plan = QUESTION) -> MomentTable:
    names = ("variant", "segment", "spend", "r", "past")
    types = (pa.string(), pa.string(), *[pa.float64()] * 3)
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
    table = pa.table(dict(zip(names, columns, strict=True)))
    return aggregate_units(ibis.memtable(table).mutate(r_denominator=ibis._.past), question)


@settings(max_examples=15, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_permuting_rows_changes_nothing(rows: list[Any], rng: Any) -> None:
    shuffled = rows.copy()
    rng.shuffle(shuffled)
    assert json.dumps(of_rows(shuffled).to_dict()) == json.dumps(of_rows(rows).to_dict())


@settings(max_examples=15, deadline=None)
@given(ROWS, st.integers(0, 24))
def test_shards_merge_to_the_whole(rows: list[Any], cut: int) -> None:
    shards = [part for part in (rows[:cut], rows[cut:]) if part]
    merged = sum((of_rows(part) for part in shards[1:]), of_rows(shards[0]))
    whole = of_rows(rows)
    assert (merged.units, merged.values_missing) == (whole.units, whole.values_missing)
    assert merged.moments.keys() == whole.moments.keys()
    scale = (
        max((abs(x) for _, _, s, r, p in rows for x in (s, r, p) if x is not None and not isnan(x)), default=0.0)
        + 1e-300
    )
    for key, moments in whole.moments.items():
        near(moments, merged.moments[key], scale)
        shape, other = whole.shapes[key], merged.shapes[key]
        assert (shape.smallest, shape.largest) == (other.smallest, other.largest)
        assert other.m3 == pytest.approx(shape.m3, abs=1e-12 * scale**3 * shape.n)
    for key, cross in whole.cross.items():
        assert np.allclose(merged.cross[key].mean, cross.mean, atol=1e-14 * scale)
        assert np.allclose(merged.cross[key].centred, cross.centred, rtol=1e-12, atol=1e-12 * scale**2 * cross.n)


def near(found: Moments, expected: Moments, scale: float) -> None:
    assert found.n == expected.n
    for name in ("mean", "denominator_mean", "size"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-14 * scale)
    for name in ("m2", "denominator_m2", "co_m2"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-13 * scale**2 * found.n)


@settings(max_examples=15, deadline=None)
@given(ROWS)
def test_against_numpy(rows: list[Any]) -> None:
    found = of_rows(rows)
    clean = [[0.0 if x is None or isnan(x) else x for x in (s, r, p)] for _, _, s, r, p in rows]
    scale = float(np.abs(clean).max()) + 1e-300
    for arm, size in found.units.items():
        members = [
            values
            for (variant, segment, *_), values in zip(rows, clean, strict=True)
            if (segment, variant) == (arm.segment, arm.variant)
        ]
        assert size == len(members)
        spend, numerators, denominators = map(list, zip(*members, strict=True))
        mixed = {"absolute_mean": float(np.abs(spend).mean())} if min(spend) < 0 < max(spend) else {}
        near(found.moments[MetricKey(*arm, "spend")], replace(moments_of(spend), **mixed), scale)
        mixed = {"absolute_mean": float(np.abs(numerators).mean())} if min(numerators) < 0 < max(numerators) else {}
        near(found.moments[MetricKey(*arm, "r")], replace(moments_of(numerators, denominators), **mixed), scale)


def stored(folder: Any, table: pa.Table, threads: int) -> Any:
    """On disk in small row groups, so that several threads have something to race for."""
    path = folder / f"units{threads}.parquet"
    pq.write_table(table, path, row_group_size=2048)
    return ibis.duckdb.from_connection(duckdb.connect(config={"threads": threads})).read_parquet(path)


def many(size: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "variant": rng.choice(["a", "b"], size),
            "segment": rng.choice(["s", "t"], size),
            "spend": rng.lognormal(0, 3, size),
            "r": np.where(np.arange(size) < 1000, 3.0, rng.normal(size=size)),
            "past": rng.integers(0, 9, size),
        }
    )


def test_stored_tables_threads_and_row_order_give_the_same_bytes(tmp_path: Any) -> None:
    """The first rows of r look like integers, and the others are none."""
    table = many(20_000, seed=1)
    in_memory = aggregate_units(ibis.memtable(table).mutate(r_denominator=ibis._.past), QUESTION)
    for threads in (1, 2, 4):
        shuffled = table if threads == 1 else table.take(np.random.default_rng(threads).permutation(len(table)))
        for _ in ("first", "again, from the kept text"):
            rows = stored(tmp_path, shuffled, threads).mutate(r_denominator=ibis._.past)
            assert json.dumps(aggregate_units(rows, QUESTION).to_dict()) == json.dumps(in_memory.to_dict())
    part = np.array(table["r"])[(np.array(table["variant"]) == "a") & (np.array(table["segment"]) == "t")]
    found = in_memory.moments[MetricKey(1, "t", "a", "r")]
    assert (found.n, found.mean) == (len(part), pytest.approx(part.mean(), rel=1e-13))
    assert found.m2 == pytest.approx(float(((part - part.mean()) ** 2).sum()), rel=1e-12)


def mostly_zero(size: int, seed: int) -> pa.Table:
    """One in ten spends; nobody does in a/t. Visits are few integers, some of them null."""
    rng = np.random.default_rng(seed)
    variant, segment = rng.choice(["a", "b"], size), rng.choice(["s", "t"], size)
    spends = (rng.random(size) < 0.1) & ~((variant == "a") & (segment == "t"))
    spend = np.where(spends, np.round(rng.normal(30, 20, size), 2), 0.0)
    visits = rng.integers(0, 9, size).astype(float)
    return pa.table(
        {
            "variant": variant,
            "segment": segment,
            "epoch": np.ones(size, int),
            "spend": pa.array(spend, mask=rng.random(size) < 0.01),
            "spent": spends,
            "visits": pa.array(visits, mask=rng.random(size) < 0.01),
            "past": np.where(spends, 2.5, 0.0),
        }
    )


MOSTLY_ZERO = plan(
    metric(key="spent"),
    replace(SPEND, role="secondary", covariates=(past(),)),
    metric(key="visits", kind="count", role="secondary"),
    metric(key="basket", kind="ratio", role="secondary", denominator_event_name="visit"),
    segments=("s", "t"),
)


def basket(table: Any) -> Any:
    return table.mutate(basket=table.spend, basket_denominator=table.visits)


def test_what_is_mostly_zero_is_summed_the_same_however_the_first_rows_look(tmp_path: Any) -> None:
    """First those who spend: then it does not look as if they were few."""
    table = mostly_zero(5000, seed=2)
    expected = json.dumps(aggregate_units(basket(ibis.memtable(table)), MOSTLY_ZERO).to_dict())
    for number, order in enumerate(("ascending", "descending")):
        rows = stored(tmp_path, table.sort_by([("spend", order), ("visits", order)]), number + 1)
        assert json.dumps(aggregate_units(basket(rows), MOSTLY_ZERO).to_dict()) == expected


def test_mostly_zero_against_numpy() -> None:
    table = mostly_zero(5000, seed=3)
    found = aggregate_units(basket(ibis.memtable(table)), MOSTLY_ZERO)
    columns = {name: np.array(table[name].fill_null(0.0)) for name in ("spend", "visits")}
    for arm in found.units:
        is_there = (np.array(table["variant"]) == arm.variant) & (np.array(table["segment"]) == arm.segment)
        spend, visits = (columns[name][is_there].tolist() for name in ("spend", "visits"))
        shape = found.shapes[MetricKey(*arm, "spend")]
        assert astuple(shape) == pytest.approx(astuple(shape_of(spend)), rel=1e-7)
        assert astuple(found.shapes[MetricKey(*arm, "visits")]) == pytest.approx(astuple(shape_of(visits)), rel=1e-12)
        near(found.moments[MetricKey(*arm, "basket")], mixed_signs(moments_of(spend, visits), spend), 100.0)


@pytest.mark.parametrize("absent", [0.0, 0.02], ids=["full", "with nulls"])
def test_rare_numbers_that_make_up_for_one_another_are_not_left_out(absent: float) -> None:
    """Who gets back all that was spent: the sum of both is 0, and neither of them."""
    rng = np.random.default_rng(4)
    spend = np.where(rng.random(2000) < 0.1, rng.integers(1, 9, 2000) + 0.5, 0.0)
    metrics = (SPEND, metric(key="back", kind="mean", role="secondary"))
    table = units(
        spend=pa.array(spend, mask=rng.random(2000) < absent), back=pa.array(-spend, mask=rng.random(2000) < absent)
    )
    found = aggregate_units(table, plan(*metrics))
    for one in metrics:
        values = table[one.key].fill_null(0.0).to_pyarrow().to_numpy().tolist()
        near(of_a(found.moments, one.key), moments_of(values), 10.0)
        assert astuple(of_a(found.shapes, one.key)) == pytest.approx(astuple(shape_of(values)), rel=1e-7)


def mixed_signs(found: Moments, values: list[float]) -> Moments:
    return replace(found, absolute_mean=float(np.abs(values).mean())) if min(values) < 0 < max(values) else found


def test_what_was_seen_before_does_not_change_sums(tmp_path: Any) -> None:
    """The same question of the same view, after its file got other rows: integers first, then others, then integers."""
    whole = many(3000, seed=5).set_column(3, "r", pa.array(np.arange(3000) % 7, pa.float64()))
    broken = whole.set_column(3, "r", pa.array(np.where(np.arange(3000) == 2000, 1.5, np.arange(3000) % 7)))
    rows = stored(tmp_path, whole, 2).mutate(r_denominator=ibis._.past)
    for table in (whole, whole, broken, broken, whole):
        pq.write_table(table, tmp_path / "units2.parquet", row_group_size=2048)
        fresh = aggregate_units(ibis.memtable(table).mutate(r_denominator=ibis._.past), QUESTION)
        assert json.dumps(aggregate_units(rows, QUESTION).to_dict()) == json.dumps(fresh.to_dict())


@pytest.mark.parametrize("epochs", [[2, 2, 2], [2, None, 2], [1, 2, 2], [3, 3, 3]], ids=["one", "null", "two", "none"])
def test_a_table_of_one_epoch_is_not_grouped_by_it(epochs: list[int | None]) -> None:
    found = aggregate_units(
        units(spend=[1.0, 2.0, 4.0], epoch=pa.array(epochs, pa.int64())), plan(SPEND, cells=TWO_EPOCHS)
    )
    expected = {ArmKey(epoch, "all", "a"): epochs.count(epoch) for epoch in (1, 2) if epoch in epochs}
    assert (found.units, found.units_outside) == (expected, 3 - sum(expected.values()))


def test_one_arms_outlier_does_not_drown_the_others_skew() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.exponential(size=500), [1e7]])
    table = pa.table({"variant": ["a"] * 500 + ["b"], "segment": ["all"] * 501, "spend": values})
    found = of_a(aggregate_units(ibis.memtable(table), plan(SPEND)).shapes)
    expected = shape_of(values[:500].tolist())
    assert found.m3 == pytest.approx(expected.m3, rel=1e-4)
    assert found.m2 == pytest.approx(expected.m2, rel=1e-9)


def test_decimal_numbers_are_numbers() -> None:
    spend = pa.array([Decimal("1.10"), Decimal("2.20")], pa.decimal128(9, 2))
    assert same(of_a(aggregate_units(units(spend=spend), plan(SPEND)).moments), moments_of([1.1, 2.2]))
