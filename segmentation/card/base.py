"""One row per unit with everything that cards are counted from, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import ibis
import pyarrow as pa

from analysis.aggregation.event_values import finite
from analysis.aggregation.staging import staged
from segmentation.behaviour.money import usable
from segmentation.card.question import AttributeKind, Question, Tables
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

UNIT = "unit_id"
REVENUE, PURCHASES, OUTCOME = "winnow_revenue", "winnow_purchases", "winnow_outcome"
VALUED = "winnow_valued"
"""Purchases with a value."""
_RESERVED = "winnow_"
_BUYER = "winnow_buyer"
_FLAG_VALUES = 2
_AT_A_TIME = 300

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """`members` names the flag of each segment; `attributes` says what each attribute is."""

    rows: Any
    units: int
    members: Mapping[str, str]
    attributes: Mapping[str, AttributeKind]


def as_table(table: ir.Table | pa.Table, *columns: str) -> ir.Table:
    """The table as Ibis has it. Raises Refused: missing_columns."""
    found = ibis.memtable(table) if isinstance(table, pa.Table) else table
    missing = [column for column in columns if column not in found.columns]
    if missing:
        raise Refused("missing_columns", f"A table lacks {', '.join(missing)}; it has {', '.join(found.columns)}.")
    return found


def check_same_units(units: Any, others: Any) -> None:
    """Raises Refused where ids of units are text in the one table and numbers in the other: nobody would match."""
    mine, theirs = units[UNIT].type(), others[UNIT].type()
    if mine.is_string() != theirs.is_string():
        raise Refused("ids_differ", f"unit_id is {mine} in one table and {theirs} in another.")


def aggregated(rows: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """One row of aggregates, some hundreds at a time: a question of many thousands takes ages to be put."""
    found: dict[str, Any] = {}
    for batch in batched(asked.items(), _AT_A_TIME):
        found |= rows.aggregate(**dict(batch)).to_pyarrow().to_pylist()[0]
    return found


def batched(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Lists of at most so many."""
    left = iter(items)
    while batch := list(islice(left, most)):
        yield batch


@contextmanager
def base_of(tables: Tables, question: Question) -> Iterator[Base]:
    """The units, staged. Raises Refused."""
    units = as_table(tables.units, UNIT)
    taken = [column for column in units.columns if column.startswith(_RESERVED)]
    if taken:
        raise Refused("name_reserved", f"Names that begin with {_RESERVED} are not yours: {', '.join(taken)}.")
    flags = {f"{_RESERVED}in_{place}": _flag(units, one) for place, one in enumerate(tables.segments.values())}
    counted, attributes = _first_look(units, _candidates(units, tables, question), question)
    values = {name: _value(units[name], kind) for name, kind in attributes.items()}
    wide = units.select(unit_id=units[UNIT], **values, **flags, **_outcome(units, question))
    with staged(_with_purchases(wide, tables)) as rows:
        members = dict(zip(tables.segments, flags, strict=True))
        yield Base(rows=rows, units=counted, members=members, attributes=attributes)


def _flag(units: ir.Table, membership: Any) -> Any:
    if isinstance(membership, str):
        as_table(units, membership)
    found: Any = units.bind(membership)[0]
    if not found.type().is_boolean():
        raise Refused("segment_not_boolean", f"Membership is true or false, and not of type {found.type()}.")
    return found.fill_null(False)


def _candidates(units: ir.Table, tables: Tables, question: Question) -> dict[str, AttributeKind | None]:
    """None: an integer, which is a category if it has at most two values."""
    if question.attributes is not None:
        wanted = dict(question.attributes)
        for name, kind in wanted.items():
            _check_attribute(units, name, kind)
        return {**wanted}
    trial = question.trial
    others = {
        UNIT,
        trial.outcome if trial else UNIT,
        *(one for one in tables.segments.values() if isinstance(one, str)),
    }
    found = {name: _guess(units[name].type()) for name in units.columns if name not in others}
    return {name: guess for name, (known, guess) in found.items() if known}


def _check_attribute(units: ir.Table, name: str, kind: AttributeKind) -> None:
    if name not in units.columns or name == UNIT:
        raise Refused("attribute_unknown", f"The units have no attribute {name}.")
    if kind == "number" and not units[name].type().is_numeric():
        raise Refused("attribute_not_numeric", f"{name} is no number, but {units[name].type()}.")


def _guess(kind: Any) -> tuple[bool, AttributeKind | None]:
    if kind.is_string() or kind.is_boolean():
        return True, "category"
    if kind.is_integer():
        return True, None
    return kind.is_numeric(), "number"


def _first_look(
    units: ir.Table, candidates: Mapping[str, AttributeKind | None], question: Question
) -> tuple[int, dict[str, AttributeKind]]:
    """The number of units, and what each attribute is. Raises Refused where rows are not units."""
    undecided = [name for name, kind in candidates.items() if kind is None]
    asked: Any = units
    seen = asked.aggregate(
        units=asked.count(),
        known=asked[UNIT].count(),
        different=asked[UNIT].nunique(),
        **{f"values_{place}": asked[name].nunique() for place, name in enumerate(undecided)},
    )
    row = seen.to_pyarrow().to_pylist()[0]
    if not row["units"]:
        raise Refused("no_units", "There are no units.")
    if row["known"] < row["units"]:
        raise Refused("unit_missing", f"{row['units'] - row['known']:,} rows have no unit_id.")
    if row["different"] < row["units"]:
        raise Refused("units_repeat", "A unit has more than one row; a card counts rows as units.")
    few = {name for place, name in enumerate(undecided) if row[f"values_{place}"] <= _FLAG_VALUES}
    kinds: dict[str, AttributeKind] = {
        name: kind or ("category" if name in few else "number") for name, kind in candidates.items()
    }
    return row["units"], kinds


def _value(column: Any, kind: AttributeKind) -> Any:
    return column.cast("string") if kind == "category" else finite(column.cast("float64"))


def _outcome(units: ir.Table, question: Question) -> dict[str, Any]:
    if question.trial is None:
        return {}
    column = as_table(units, question.trial.outcome)[question.trial.outcome]
    if not (column.type().is_numeric() or column.type().is_boolean()):
        raise Refused("outcome_not_numeric", f"An outcome is a number, and not {column.type()}.")
    number = column.cast("int8") if column.type().is_boolean() else column
    return {OUTCOME: finite(number.cast("float64"))}


def _with_purchases(wide: Any, tables: Tables) -> Any:
    if tables.purchases is None:
        return wide
    bought: Any = as_table(tables.purchases, UNIT, "value")
    money = usable(bought["value"].cast("float64"))
    sums = bought.group_by(UNIT).aggregate(**{REVENUE: money.sum(), PURCHASES: bought.count(), VALUED: money.count()})
    check_same_units(wide, bought)
    sums = sums.rename({_BUYER: UNIT})
    joined = wide.left_join(sums, wide[UNIT] == sums[_BUYER]).drop(_BUYER)
    return joined.mutate(**{name: joined[name].fill_null(0) for name in (REVENUE, PURCHASES, VALUED)})
