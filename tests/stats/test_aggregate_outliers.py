"""One value out of all proportion, in a group of its own or in another's: against sums of fractions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest

from analysis.aggregate import UnitsError, aggregate, aggregate_units
from analysis.aggregation import finer
from analysis.aggregation.asking import Asked
from analysis.moments import MetricKey, MomentTable
from analysis.plan import Cell, Covariate, Plan
from tests.stats.builders import at, events, exposures, metric, plan

OUTLIERS = [1e10, 1.7e12, 1e15, 1e20, 1e40, -1e20]
COLUMNS = ("spend", "basket", "basket_denominator", "past")
UNITS = 250
SEGMENTS = ("x", "y")


def question(**changes: Any) -> Plan:
    past = Covariate(key="past", event_name="past", lookback_seconds=100)
    return plan(
        metric(key="spend", kind="mean", event_name="spend", covariates=(past,)),
        metric(
            key="basket",
            kind="ratio",
            role="secondary",
            event_name="basket",
            denominator_event_name="basket_denominator",
            numerator_counts_events=False,
            denominator_counts_events=False,
        ),
        segments=SEGMENTS,
        cells=tuple(Cell(epoch=1, segment=segment, weights={"a": 1, "b": 1}) for segment in SEGMENTS),
        **changes,
    )


QUESTION = question()


def numbers(column: str | None = None, outlier: float = 0.0) -> dict[str, np.ndarray[Any, Any]]:
    """Columns of two segments of two arms, one after the other; the first unit has the outlier."""
    rng = np.random.default_rng(11)
    found = {name: rng.lognormal(3, 1, UNITS * 4) for name in COLUMNS}
    if column is not None:
        found[column][0] = outlier
    return found


def arms() -> list[tuple[str, str]]:
    return [(segment, variant) for segment in SEGMENTS for variant in "ab" for _ in range(UNITS)]


def units_table(found: dict[str, Any], order: Sequence[int] | None = None) -> pa.Table:
    segments, variants = zip(*arms(), strict=True)
    table = pa.table({"variant": variants, "segment": segments, **found})
    return table if order is None else table.take(pa.array(order))


def from_units(found: dict[str, Any], order: Sequence[int] | None = None) -> MomentTable:
    return aggregate_units(ibis.memtable(units_table(found, order)), QUESTION)


def from_events(found: dict[str, Any], order: Sequence[int] | None = None) -> MomentTable:
    order = list(range(UNITS * 4)) if order is None else order
    places = arms()
    exposed = exposures([(str(i), places[i][1], places[i][0], 1, at(0)) for i in order])
    happened = [
        (str(i), name, float(found[name][i]), at(-1 if name == "past" else 1)) for i in order for name in COLUMNS
    ]
    return aggregate(exposed, events(happened), QUESTION)


ENTRIES = [pytest.param(from_units, id="units"), pytest.param(from_events, id="events")]


def centred(a: Sequence[float], b: Sequence[float]) -> float:
    x, y = [Fraction(float(one)) for one in a], [Fraction(float(one)) for one in b]
    products = sum((left * right for left, right in zip(x, y, strict=True)), Fraction(0))
    return float(products - sum(x) * sum(y) / len(x))


def mean(a: Sequence[float]) -> float:
    return float(sum(Fraction(float(one)) for one in a) / len(a))


def as_exact(found: MomentTable, values: dict[str, Any]) -> None:
    for number, (segment, variant) in enumerate(dict.fromkeys(arms())):
        of = {name: column[number * UNITS : (number + 1) * UNITS] for name, column in values.items()}
        spend = found.moments[MetricKey(1, segment, variant, "spend")]
        assert (spend.mean, spend.m2) == near((mean(of["spend"]), centred(of["spend"], of["spend"])))
        basket = found.moments[MetricKey(1, segment, variant, "basket")]
        x, y = of["basket"], of["basket_denominator"]
        assert (basket.mean, basket.denominator_mean) == near((mean(x), mean(y)))
        assert (basket.m2, basket.denominator_m2) == near((centred(x, x), centred(y, y)))
        scale = (centred(x, x) * centred(y, y)) ** 0.5
        assert basket.co_m2 == pytest.approx(centred(x, y), rel=0, abs=1e-12 * scale)
        cross = found.cross[MetricKey(1, segment, variant, "spend")]
        x, y = of["spend"], of["past"]
        assert cross.mean[:2] == near((mean(x), mean(y)))
        assert (cross.centred[0][0], cross.centred[1][1]) == near((centred(x, x), centred(y, y)))
        scale = (centred(x, x) * centred(y, y)) ** 0.5
        assert cross.centred[0][1] == pytest.approx(centred(x, y), rel=0, abs=1e-12 * scale)
        shape = found.shapes[MetricKey(1, segment, variant, "spend")]
        middle = Fraction(mean(x))
        values_of = np.array([Fraction(float(one)) - middle for one in x])
        assert shape.m3 == pytest.approx(float((values_of**3).sum()), rel=1e-6)


def near(expected: tuple[float, ...]) -> Any:
    return pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("outlier", OUTLIERS)
def test_an_outlier_costs_nobody_any_digits(entry: Callable[..., MomentTable], outlier: float) -> None:
    """One in each column, each in an arm of its own: neither there nor in the other arms."""
    values = numbers()
    for number, column in enumerate(COLUMNS):
        values[column][number * UNITS] = outlier
    as_exact(entry(values), values)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("outlier", [1.7e12, 1e40])
def test_the_order_of_rows_changes_nothing(entry: Callable[..., MomentTable], outlier: float) -> None:
    values, order = numbers("spend", outlier), list(range(UNITS * 4))
    reference = repr(entry(values))
    for seed in range(2):
        random.Random(seed).shuffle(order)
        assert repr(entry(values, order)) == reference


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_change_nothing(threads: int) -> None:
    table = units_table({**numbers("spend", 1e20)})
    table = pa.concat_tables([table] * 100)
    found = []
    for order in (np.arange(len(table)), np.random.default_rng(threads).permutation(len(table))):
        connection = ibis.duckdb.connect(threads=threads)
        shuffled = table.take(pa.array(order))
        connection.con.register("handed_in", shuffled)
        connection.con.execute("CREATE TABLE kept AS SELECT * FROM handed_in")
        found.append(repr(aggregate_units(connection.table("kept"), QUESTION)))
    assert found[0] == found[1]


def test_an_arm_far_off_beside_one_near_zero_keeps_its_variance() -> None:
    """1e8 + {-1, 0, 1}, as often each: Σ(x - x̄)² = 200."""
    values = [1e8 - 1, 1e8, 1e8 + 1] * 100
    table = pa.table(
        {"variant": ["a"] * 300 + ["b"] * 300, "segment": ["all"] * 600, "spend": values + [0.1, 0.2, 0.3] * 100}
    )
    found = aggregate_units(ibis.memtable(table), plan(metric(key="spend", kind="mean"))).moments
    assert found[MetricKey(1, "all", "a", "spend")].m2 == 200
    assert found[MetricKey(1, "all", "b", "spend")].m2 == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("outlier", [None, 1e15])
def test_only_an_outlier_asks_for_more(monkeypatch: pytest.MonkeyPatch, outlier: float | None) -> None:
    """Ranges, a look at the first rows, sums; the usual case no more."""
    asked: list[str] = []
    put, again = Asked._put, finer._spreads

    def counted(self: Asked, text: str) -> Any:
        asked.append("put")
        return put(self, text)

    def more(*arguments: Any) -> Any:
        asked.append("again")
        return again(*arguments)

    monkeypatch.setattr(Asked, "_put", counted)
    monkeypatch.setattr(finer, "_spreads", more)
    connection = ibis.duckdb.connect()
    connection.con.register("handed_in", units_table(numbers(None if outlier is None else "spend", outlier or 0.0)))
    connection.con.execute("CREATE TABLE kept AS SELECT * FROM handed_in")
    aggregate_units(connection.table("kept"), QUESTION)
    assert asked.count("again") == (outlier is not None)
    if outlier is None:
        assert len(asked) == 3


def test_a_segment_without_a_past_is_not_summed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finer, "_totals", None)
    values = numbers()
    values["past"][UNITS * 2 :] = 0.0
    found = from_units(values).cross[MetricKey(1, "y", "a", "spend")]
    assert (found.mean[1], found.centred[1][1]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array(["1", "n/a"]), id="text"),
        pytest.param(pa.array(["1", "2"]), id="text that could be read"),
        pytest.param(pa.array([date(2026, 1, 1)] * 2), id="date"),
        pytest.param(pa.array([datetime(2026, 1, 1)] * 2), id="timestamp"),  # noqa: DTZ001
    ],
)
@pytest.mark.parametrize("column", COLUMNS)
def test_columns_that_are_no_numbers_are_refused(column: str, values: Any) -> None:
    table = {name: pa.array([1.0, 2.0]) for name in COLUMNS} | {column: values}
    with pytest.raises(UnitsError, match=rf"no numbers: {column} \(") as refused:
        aggregate_units(ibis.memtable(pa.table({"variant": ["a", "b"], "segment": ["x", "y"], **table})), QUESTION)
    assert refused.value.code == "not_numeric"


@pytest.mark.parametrize(
    "epochs",
    [
        pytest.param([1.0, 1.7], id="part"),
        pytest.param([1.0, float("nan")], id="nan"),
        pytest.param([1.0, float("inf")], id="infinite"),
        pytest.param(["1", "1"], id="text"),
        pytest.param([date(2026, 1, 1)] * 2, id="date"),
        pytest.param([True, True], id="boolean"),
    ],
)
def test_an_epoch_is_an_integer(epochs: list[Any]) -> None:
    table = pa.table({"variant": ["a", "b"], "segment": ["all"] * 2, "epoch": epochs, "spend": [1.0, 2.0]})
    with pytest.raises(UnitsError) as refused:
        aggregate_units(ibis.memtable(table), plan(metric(key="spend", kind="mean")))
    assert refused.value.code == "epoch_not_integer"


@pytest.mark.parametrize("epochs", [[1.0, 1.0], [1.0, None]])
def test_integers_may_be_kept_as_floats(epochs: list[Any]) -> None:
    table = pa.table({"variant": ["a", "a"], "segment": ["all"] * 2, "epoch": epochs, "spend": [1.0, 2.0]})
    found = aggregate_units(ibis.memtable(table), plan(metric(key="spend", kind="mean")))
    assert sum(found.units.values()) == 2 - epochs.count(None)
