"""A data team's table with one row per unit to moments."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from analysis.aggregation.arms import arm_finder, arms_table
from analysis.aggregation.asking import Asked, Question
from analysis.aggregation.caps import winsorised
from analysis.aggregation.distributions import distributions_by_group
from analysis.aggregation.event_values import finite
from analysis.aggregation.first_look import look
from analysis.aggregation.reduce import Group, Reach, UnitTable, reaches, sums_by_group
from analysis.aggregation.results import keyed, parts_of
from analysis.aggregation.tables import UnitsError, require_columns
from analysis.aggregation.unit_columns import (
    UnitColumns,
    copies_among,
    integers_of,
    number_columns,
    numbers_of,
    origins_of,
)
from analysis.moments import Distribution, MomentTable
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.expr.datatypes import DataType


# Kinds whose numbers often are integers.
_GUESSED = ("count", "ratio")
# Adding three times as much and taking it away again leaves integers as they are, and nothing else.
_LARGEST_EPOCH = 2.0**51


def aggregate_units(units: ir.Table, plan: Plan) -> MomentTable:
    """Reduce a table that has one row per unit already to the moments of a plan.

    Parameters
    ----------
    units : ibis.Table
        `variant` string, `segment` string, `epoch` integer (may be absent where the plan has one epoch only); one
        number per metric, named by its key; for a ratio also `<key>_denominator`; one number per covariate, named by
        its key. Other columns are not looked at. Every row is a unit: nobody is looked for twice.
    plan : Plan
        Windows, event names and look-back periods say how the table was made; here nothing follows from them.

    Returns
    -------
    MomentTable
        Without `mixed`, `maturing`, `cut_short`, `by_day` and `arrivals`, of which such a table knows nothing.

    Raises
    ------
    UnitsError
        `not_a_table`, `missing_columns`, `unknown_epoch`, `not_numeric` (text, dates), `epoch_not_integer`.

    Notes
    -----
    A null is 0; so is a NaN, an infinity or a number beyond ±1e50, and each is counted in `values_missing`. A
    conversion is any number above 0. A quantile metric takes the unit's number as its only row, and a null as none. A
    covariate that is null (or no number) says that the unit has no pre-period: it is filled with 0, and behind the
    covariates come as many indicators, 1 where one was missing, in the order of the covariates.
    """
    keys = _keys(units, plan)
    _check_types(units, plan, keys)
    # What is common to all arms must not depend on units that are in none.
    is_pooled = any(metric.winsor_quantile or metric.quantile for metric in plan.metrics)
    asked = Asked(units.semi_join(arms_table(plan), keys) if is_pooled else units)
    table, unusable, epoch = _prepared(asked, keys, plan)
    table, caps = winsorised(table)
    counts, sums = sums_by_group(table)
    arm_of = arm_finder(plan, table.keys, epoch)
    found = {arm: size for group, size in counts.items() if (arm := arm_of(group)) is not None}
    everybody = int(units.count().to_pyarrow().as_py()) if is_pooled else table.units
    return MomentTable(
        units=dict(sorted(found.items())),
        units_outside=everybody - sum(found.values()),
        values_missing=_values_missing(asked.table, keys, plan, unusable) if unusable else {},
        distributions=keyed(_distributions(table, counts), arm_of),
        caps=caps,
        **parts_of(sums, arm_of),
    )


def _prepared(asked: Asked, keys: tuple[str, ...], plan: Plan) -> tuple[UnitTable, tuple[str, ...], int | None]:
    """The table to sum, the columns in which something is no number, and the epoch where all rows have the same."""
    names = list(number_columns(plan))
    origins = origins_of(asked.table, plan)
    count, known, epoch = _known(asked, plan, keys, copies_among(origins))
    if epoch is not None:
        keys = tuple(key for key in keys if key != "epoch")
    unusable = tuple(column for column in names if not known[column].is_usable)
    cleaned = partial(_cleaned, plan=plan, keys=keys, unusable=unusable)
    if unusable:
        _, known = reaches(asked, (plan.metrics, keys, unusable), cleaned, names)
    columns = UnitColumns(known=known, count=count, integers=integers_of(asked.table, plan))
    metrics = tuple(columns.add(metric, index) for index, metric in enumerate(plan.metrics))
    absent = tuple(column for column in names if known[column].count < count)
    table = UnitTable(
        asked=asked,
        prepare=lambda source: columns.prepare(cleaned(source)),
        what=(plan.metrics, keys, unusable, absent),
        keys=keys,
        metrics=metrics,
        known=columns.known,
        units=count,
        copies=columns.copies(origins),
    )
    perhaps_whole = _perhaps_whole(plan, known) - {column for one in metrics for column in one.whole}
    return _guessed(table, cleaned, (plan.metrics, keys, unusable), names, perhaps_whole), unusable, epoch


def _cleaned(source: Any, *, plan: Plan, keys: tuple[str, ...], unusable: tuple[str, ...]) -> Any:
    """NaN, infinities and what is too large made null."""
    rows = numbers_of(source, plan, keys)
    return rows.mutate(**{column: finite(rows[column]) for column in unusable}) if unusable else rows


def _guessed(
    table: UnitTable, cleaned: Question, what: tuple[Hashable, ...], names: Sequence[str], perhaps_whole: Set[str]
) -> UnitTable:
    """With what the first rows look like."""
    of_another = {name: table.copies.get(name, name) for name in names}
    seen = look(
        table.asked,
        (*what, table.units.bit_length(), *table.copies),
        cleaned,
        list(dict.fromkeys(of_another.values())),
        {of_another[name] for name in perhaps_whole},
    )
    return replace(
        table,
        guessed=tuple(name for name in names if name in perhaps_whole and of_another[name] in seen.whole),
        rare=tuple(name for name in names if of_another[name] in seen.rare),
    )


def _known(
    asked: Asked, plan: Plan, keys: tuple[str, ...], copies: Mapping[str, str]
) -> tuple[int, dict[str, Reach], int | None]:
    """The number of rows, the reach of each number, and the epoch of all rows: then they need not be grouped by it."""
    columns = number_columns(plan)
    if "epoch" in keys and asked.table.schema()["epoch"].is_integer():
        columns["epoch"] = "epoch"

    def uncast(source: Any) -> Any:
        # The database's statistics are those of its own columns.
        return source.select(**{name: source[key] for name, key in columns.items()})

    count, known = reaches(asked, plan.metrics, uncast, [name for name in columns if name not in copies])
    known |= {name: known[other] for name, other in copies.items()}
    epochs = known.pop("epoch", None)
    if epochs is None or not count or epochs.count < count or epochs.range.low != epochs.range.high:
        return count, known, None
    return count, known, int(epochs.range.low)


def _perhaps_whole(plan: Plan, known: Mapping[str, Reach]) -> set[str]:
    """Numbers of counts and ratios that end in integers."""
    found = [f"{side}{index}" for index, one in enumerate(plan.metrics) if one.kind in _GUESSED for side in "xy"]
    ends = {name: known[name].range for name in found if name in known}
    return {name for name, one in ends.items() if one.low.is_integer() and one.high.is_integer()}


def _keys(units: ir.Table, plan: Plan) -> tuple[str, ...]:
    wanted = ["variant", "segment"]
    for metric in plan.metrics:
        wanted += [metric.key, *([f"{metric.key}_denominator"] if metric.kind == "ratio" else [])]
        wanted += [covariate.key for covariate in metric.covariates]
    require_columns(units, list(dict.fromkeys(wanted)), "units", error=UnitsError)
    if "epoch" in units.columns:
        return ("epoch", "segment", "variant")
    if len({cell.epoch for cell in plan.cells}) > 1:
        raise UnitsError("unknown_epoch", "the plan has several epochs: the table of units needs a column epoch")
    return ("segment", "variant")


def _check_types(units: ir.Table, plan: Plan, keys: tuple[str, ...]) -> None:
    """Refuse text and dates where numbers are wanted (a cast would read some of them), and parts of an epoch."""
    types = units.schema()
    wrong = [key for key in dict.fromkeys(number_columns(plan).values()) if not _is_number(types[key])]
    if wrong:
        found = ", ".join(f"{key} ({types[key]})" for key in wrong)
        raise UnitsError("not_numeric", f"the table of units has columns that are no numbers: {found}")
    if "epoch" not in keys or types["epoch"].is_integer() or types["epoch"].is_null():
        return
    if not types["epoch"].is_numeric() or _has_parts(units.epoch):
        raise UnitsError("epoch_not_integer", f"the table of units has epochs that are no integers ({types['epoch']})")


def _is_number(found: DataType) -> bool:
    return bool(found.is_numeric() or found.is_boolean() or found.is_null())


def _has_parts(epoch: Any) -> bool:
    """Whether any is no integer, as NaN and infinities are not."""
    value = epoch.cast("float64")
    is_integer = (value.abs() <= _LARGEST_EPOCH) & (value + 3 * _LARGEST_EPOCH - 3 * _LARGEST_EPOCH == value)
    return bool((epoch.notnull() & ~is_integer).any().to_pyarrow().as_py())


def _values_missing(units: ir.Table, keys: tuple[str, ...], plan: Plan, unusable: tuple[str, ...]) -> dict[str, int]:
    """Per metric: units of its arms that had a number which is none."""
    arm_of, raw = arm_finder(plan, keys), numbers_of(units, plan, keys)
    found = [column for column in unusable if column[0] in "xy"]
    counted = raw.group_by(list(keys)).agg(
        **{c: raw.count(where=raw[c].notnull() & finite(raw[c]).isnull()) for c in found}
    )
    rows = [row for row in counted.to_pyarrow().to_pylist() if arm_of(tuple(row[key] for key in keys))]
    sums = {
        metric.key: sum(row[column] for row in rows for column in found if column in (f"x{index}", f"y{index}"))
        for index, metric in enumerate(plan.metrics)
    }
    return {key: missing for key, missing in sums.items() if missing}


def _distributions(table: UnitTable, counts: Mapping[Group, int]) -> dict[str, dict[Group, Distribution]]:
    found = {}
    for one in table.metrics:
        if one.metric.quantile is not None:
            rows = table.rows.filter(table.rows[one.y] > 0).rename(value=one.x)
            found[one.metric.key] = distributions_by_group(rows, table.keys, None, one.metric.quantile, counts)
    return found
