"""Instants and days of tables, always in UTC, whatever the time zone of the session that asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt

from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MICROSECONDS = 86_400_000_000
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


def checked(as_of: datetime) -> datetime:
    """An instant with a time zone, in UTC."""
    if as_of.tzinfo is None:
        raise Refused("instant_without_zone", "an instant needs a time zone")
    return as_of.astimezone(UTC)


def prepared(table: ir.Table, what: str, numbers: Sequence[str] = ()) -> ir.Table:
    """The table with `at` as a timestamp; a day is its midnight."""
    types: Mapping[str, Any] = table.schema()
    missing = [name for name in ("unit_id", "at", *numbers) if name not in types]
    if missing:
        raise Refused("missing_columns", f"the table of {what} has no column {', '.join(missing)}")
    wrong = [name for name in numbers if not types[name].is_numeric()]
    if wrong:
        raise Refused("not_numeric", f"the table of {what} has columns that are no numbers: {', '.join(wrong)}")
    if types["at"].is_date():
        return table.mutate(at=table["at"].cast("timestamp"))
    if not types["at"].is_timestamp():
        raise Refused("not_an_instant", f"the table of {what} has an `at` that is no timestamp ({types['at']})")
    return table


def instant(column: Any, when: datetime) -> Any:
    """A literal to compare the column with; a column without a time zone is read as UTC."""
    aware = column.type().timezone is not None
    return ibis.literal(when if aware else when.replace(tzinfo=None), type=column.type())


def whole_days_between(column: Any, when: datetime) -> Any:
    """Complete spans of 86,400 seconds from the column's instant to a later one."""
    return _days((when - _EPOCH) // _MICROSECOND - _microseconds(column))


def whole_days_from(earlier: Any, later: Any) -> Any:
    """The same between two columns."""
    return _days(_microseconds(later) - _microseconds(earlier))


def day_number(column: Any) -> Any:
    """Days in UTC since 1970-01-01."""
    return _days(_microseconds(column))


def day_of(when: datetime) -> int:
    return (when - _EPOCH) // _DAY


def start_of(day: int) -> datetime:
    return _EPOCH + day * _DAY


def _microseconds(column: Any) -> Any:
    """Since 1970: DuckDB's own, for a difference of instants with time zones goes through a calendar, which is slow."""
    return ibis.udf.scalar.builtin(_since_1970, name="epoch_us", signature=((column.type(),), dt.int64))(column)


def _since_1970(column: Any) -> Any:
    """The database has it."""


def _days(microseconds: Any) -> Any:
    return (microseconds // _DAY_MICROSECONDS).cast("int64")
