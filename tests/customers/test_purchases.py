"""Which rows are purchases, when they are known, and what they are worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from math import inf, nan

import ibis
import pyarrow as pa
import pytest

from segmentation.behaviour.purchases import customers, customers_by_day
from segmentation.behaviour.summary import summarise
from segmentation.refusal import Refused
from tests.customers.builders import on, purchases, rows_of, stored, stored_in

NOW = on("2026-03-10", "12:00:00")


def test_recency_counts_whole_spans_of_a_day() -> None:
    table = purchases(
        [
            ("just", NOW, 1.0),
            ("almost", NOW - timedelta(days=1) + timedelta(microseconds=1), 1.0),
            ("a day", NOW - timedelta(days=1), 1.0),
            ("long ago", on("1969-12-31", "12:00:00"), 1.0),
        ]
    )
    found = {unit: row["recency_days"] for unit, row in rows_of(customers(table, NOW)).items()}
    assert found == {"just": 0, "almost": 0, "a day": 1, "long ago": 20_523}


def test_what_came_later_is_not_known_yet() -> None:
    table = purchases(
        [("a", on("2026-03-01"), 5.0), ("a", NOW + timedelta(microseconds=1), 7.0), ("b", on("2026-04-01"), 1.0)]
    )
    assert rows_of(customers(table, NOW)).keys() == {"a"}
    assert rows_of(customers(table, NOW))["a"]["monetary_cents"] == 500
    assert rows_of(customers(table, on("2026-05-01")))["a"]["monetary_cents"] == 1_200


def test_rows_without_a_unit_or_an_instant_are_no_purchases() -> None:
    table = purchases([(None, on("2026-03-01"), 5.0), ("a", None, 5.0), ("a", on("2026-03-01"), 2.0)])
    assert {unit: row["frequency"] for unit, row in rows_of(customers(table, NOW)).items()} == {"a": 1}


@pytest.mark.parametrize("value", [None, nan, inf, -inf, 1.1e12, -1.1e12])
def test_a_purchase_without_a_usable_value_counts_and_adds_nothing(value: float | None) -> None:
    table = purchases([("a", on("2026-03-01"), value), ("a", on("2026-03-02"), 3.5), ("b", on("2026-03-01"), value)])
    for form in (customers, customers_by_day):
        found = rows_of(form(table, NOW))
        a, b = found["a"], found["b"]
        assert (a["frequency"], a["unvalued"], a["monetary_cents"], a["average_cents"]) == (2, 1, 350, 350.0)
        assert (b["frequency"], b["unvalued"], b["monetary_cents"], b["average_cents"]) == (1, 1, 0, None)


def test_a_total_does_not_drift() -> None:
    """100,001 times 0.1 is 10,000.10 exactly; added as floats it is not."""
    rows = [("a", on("2026-03-01") + timedelta(seconds=i), 0.1) for i in range(100_001)]
    assert sum(value for *_, value in rows) != 10_000.1
    assert rows_of(customers(purchases(rows), NOW))["a"]["monetary_cents"] == 1_000_010


def test_a_total_beyond_what_a_float_can_count() -> None:
    rows = [("a", on("2026-03-01"), 1e12)] * 200 + [("a", on("2026-03-01"), 0.01)]
    assert rows_of(customers(purchases(rows), NOW))["a"]["monetary_cents"] == 200 * 10**14 + 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_total_of_more_than_64_bits_is_the_largest(sign: int) -> None:
    """Of a customer, of whom two thirds were bought on the first day, and of everybody."""
    first = [("a", on("2026-03-01"), sign * 1e12)] * 62_000
    rows = [*first, *[("a", on("2026-03-02"), sign * 1e12)] * 31_000, ("b", on("2026-03-01"), 0.01)]
    table = purchases(rows)
    for form in (customers, customers_by_day):
        found = rows_of(form(table, NOW))
        assert {unit: row["monetary_cents"] for unit, row in found.items()} == {"a": sign * 2**62, "b": 1}
    counts = {name: [1, 1, 1] for name in ("recency_days", "frequency", "unvalued")}
    rich = pa.table({"unit_id": ["a", "b", "c"], **counts, "monetary_cents": [sign * 2**62] * 3})
    assert summarise(ibis.memtable(rich)).revenue_cents == sign * 2**62


@pytest.mark.parametrize(
    ("kind", "value", "cents"),
    [
        (pa.decimal128(12, 2), Decimal("19.99"), 1_999),
        (pa.decimal128(12, 4), Decimal("0.0050"), 1),
        (pa.decimal128(12, 4), Decimal("-0.0050"), -1),
        (pa.int64(), 7, 700),
        (pa.int8(), 100, 10_000),
        (pa.int32(), 2_000_000_000, 200_000_000_000),
        (pa.int64(), 10**18, 0),
        (pa.int64(), -(2**63), 0),
        (pa.float32(), 11.77, 1_177),
        (pa.float64(), 0.125, 13),
        (pa.float64(), -0.125, -13),
    ],
    ids=str,
)
def test_values_of_any_type_are_rounded_to_the_nearest_cent(kind: pa.DataType, value: float, cents: int) -> None:
    table = purchases([("a", on("2026-03-01"), value)], kind)
    assert rows_of(customers(table, NOW))["a"]["monetary_cents"] == cents


def test_money_with_other_smallest_units() -> None:
    table = purchases([("a", on("2026-03-01"), 1.2344), ("a", on("2026-03-02"), 3.0)])
    assert rows_of(customers(table, NOW, cents_per_unit=1))["a"]["monetary_cents"] == 4
    assert rows_of(customers(table, NOW, cents_per_unit=1_000))["a"]["monetary_cents"] == 4_234


def test_days_of_purchase_are_days_in_utc_whatever_the_session() -> None:
    """Two purchases around midnight in UTC, on one day in Tokyo; and two on one UTC day."""
    late, early = on("2026-03-01", "23:59:59"), on("2026-03-02", "00:00:01")
    at = [late, early, early, early + timedelta(hours=1)]
    in_tokyo = ibis.duckdb.connect()
    in_tokyo.raw_sql("SET TimeZone = 'Asia/Tokyo'")
    table = stored_in(in_tokyo, pa.table({"unit_id": ["a", "a", "b", "b"], "at": at, "value": [1.0, 2.0, 4.0, 8.0]}))
    found = rows_of(customers_by_day(table, NOW))
    assert (found["a"]["purchase_days"], found["a"]["previous_at"], found["a"]["first_day_cents"]) == (2, late, 100)
    assert (found["b"]["purchase_days"], found["b"]["previous_at"], found["b"]["first_day_cents"]) == (1, None, 1_200)


def test_instants_without_a_zone_and_days_are_in_utc() -> None:
    rows = {"unit_id": ["a", "b"], "value": [1.0, 1.0]}
    naive = pa.table(rows | {"at": pa.array([datetime(2026, 3, 9, 12), datetime(2026, 3, 10, 13)], pa.timestamp("us"))})  # noqa: DTZ001
    days = pa.table(rows | {"at": pa.array([datetime(2026, 3, 9).date(), datetime(2026, 3, 11).date()])})  # noqa: DTZ001
    in_tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    for table in (naive, days):
        found = {unit: row["recency_days"] for unit, row in rows_of(customers(stored(table), in_tokyo)).items()}
        assert found == {"a": 1}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"unit_id": ["a"], "value": [1.0]}, "missing_columns"),
        ({"unit_id": ["a"], "at": [NOW]}, "missing_columns"),
        ({"unit_id": ["a"], "at": [NOW], "value": ["1"]}, "not_numeric"),
        ({"unit_id": ["a"], "at": ["2026-03-01"], "value": [1.0]}, "not_an_instant"),
    ],
    ids=["no instant", "no value", "value as text", "instant as text"],
)
def test_tables_of_something_else_are_refused(columns: dict[str, list[object]], code: str) -> None:
    with pytest.raises(Refused) as refused:
        customers(ibis.memtable(pa.table(columns)), NOW)
    assert refused.value.code == code


def test_an_instant_needs_a_zone_and_money_a_scale() -> None:
    table = purchases([("a", NOW, 1.0)])
    with pytest.raises(Refused, match="time zone"):
        customers(table, NOW.replace(tzinfo=None))
    with pytest.raises(Refused, match="1 to 1,000"):
        customers(table, NOW.astimezone(UTC), cents_per_unit=0)
