"""A data team's table with one row per unit to moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.aggregation.arms import arm_finder, arms_table
from analysis.aggregation.asking import Asked
from analysis.aggregation.caps import winsorised
from analysis.aggregation.distributions import distributions_by_group
from analysis.aggregation.event_values import finite
from analysis.aggregation.reduce import Group, UnitTable, reaches, sums_by_group
from analysis.aggregation.results import keyed, parts_of
from analysis.aggregation.unit_columns import UnitColumns, integers_of, number_columns, numbers_of
from analysis.moments import Distribution, MomentTable
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Rows that are looked at to guess which columns hold integers.
_SAMPLE = 500


class UnitsError(ValueError):
    """The table of units is not what the plan asks for; `code` is stable: `missing_columns`, `unknown_epoch`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


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
        `missing_columns`, `unknown_epoch`.

    Notes
    -----
    A null is 0; so is a NaN, an infinity or a number beyond ±1e50, and each is counted in `values_missing`. A
    conversion is any number above 0. A quantile metric takes the unit's number as its only row, and a null as none. A
    covariate that is null (or no number) says that the unit has no pre-period: it is filled with 0, and behind the
    covariates come as many indicators, 1 where one was missing, in the order of the covariates.
    """
    keys = _keys(units, plan)
    # What is common to all arms must not depend on units that are in none.
    is_pooled = any(metric.winsor_quantile or metric.quantile for metric in plan.metrics)
    asked = Asked(units.semi_join(arms_table(plan), keys) if is_pooled else units)
    table, unusable = _prepared(asked, keys, plan)
    table, caps = winsorised(table)
    counts, sums = sums_by_group(table)
    arm_of = arm_finder(plan, keys)
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


def _prepared(asked: Asked, keys: tuple[str, ...], plan: Plan) -> tuple[UnitTable, tuple[str, ...]]:
    """The table to sum, and the columns in which something is no number."""

    def numbers(source: Any) -> Any:
        return numbers_of(source, plan, keys)

    def cleaned(source: Any) -> Any:
        """NaN, infinities and what is too large made null."""
        rows = numbers(source)
        return rows.mutate(**{column: finite(rows[column]) for column in unusable}) if unusable else rows

    def uncast(source: Any) -> Any:
        # The database's statistics are those of its own columns.
        return source.select(**{name: source[key] for name, key in number_columns(plan).items()})

    names = list(number_columns(plan))
    count, known = reaches(asked, plan.metrics, uncast, names)
    unusable = tuple(column for column, reach in known.items() if not reach.is_usable)
    if unusable:
        _, known = reaches(asked, (plan.metrics, keys, unusable), cleaned, names)
    columns = UnitColumns(known=known, count=count, integers=integers_of(asked.table, plan))
    metrics = tuple(columns.add(metric, index) for index, metric in enumerate(plan.metrics))
    absent = tuple(column for column in names if known[column].count < count)
    looks_whole = _looks_whole(asked, plan, keys, {column for one in metrics for column in one.whole})
    table = UnitTable(
        asked=asked,
        prepare=lambda source: columns.prepare(cleaned(source)),
        what=(plan.metrics, keys, unusable, absent),
        keys=keys,
        metrics=metrics,
        known=columns.known,
        units=count,
        guessed=tuple(column for one in metrics for column in one.columns if column in looks_whole),
    )
    return table, unusable


def _looks_whole(asked: Asked, plan: Plan, keys: tuple[str, ...], whole: set[str]) -> set[str]:
    """Numbers of counts and ratios that look like integers in the first rows, and are not known to be `whole`."""
    counted = [f"{side}{i}" for i, m in enumerate(plan.metrics) for side in "xy" if m.kind in ("count", "ratio")]
    names = tuple(name for name in number_columns(plan) if name in counted and name not in whole)
    if not names:
        return set()

    def first(source: Any) -> Any:
        return numbers_of(source, plan, keys).select(*names).limit(_SAMPLE)

    sample = asked.ask(("sample", plan.metrics, keys, names), first)
    return {name for name in names if all(row[name] is None or row[name].is_integer() for row in sample)}


def _keys(units: ir.Table, plan: Plan) -> tuple[str, ...]:
    wanted = ["variant", "segment"]
    for metric in plan.metrics:
        wanted += [metric.key, *([f"{metric.key}_denominator"] if metric.kind == "ratio" else [])]
        wanted += [covariate.key for covariate in metric.covariates]
    missing = [column for column in dict.fromkeys(wanted) if column not in units.columns]
    if missing:
        raise UnitsError("missing_columns", f"the table of units has no column {', '.join(missing)}")
    if "epoch" in units.columns:
        return ("epoch", "segment", "variant")
    if len({cell.epoch for cell in plan.cells}) > 1:
        raise UnitsError("unknown_epoch", "the plan has several epochs: the table of units needs a column epoch")
    return ("segment", "variant")


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
