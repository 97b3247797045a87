"""A data team's table with one row per unit to moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.aggregation.arms import arm_finder, arms_table
from analysis.aggregation.caps import winsorised
from analysis.aggregation.distributions import distributions_by_group
from analysis.aggregation.event_values import finite
from analysis.aggregation.reduce import Group, Reach, UnitTable, reaches, sums_by_group
from analysis.aggregation.results import keyed, parts_of
from analysis.aggregation.unit_columns import UnitColumns, numbers_of
from analysis.moments import Distribution, MomentTable
from analysis.plan import Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


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
    raw = numbers_of(units, plan, keys)
    if any(metric.winsor_quantile or metric.quantile for metric in plan.metrics):
        # What is common to all arms must not depend on units that are in none.
        raw = raw.semi_join(arms_table(plan), keys)
    count, known = reaches(raw, [column for column in raw.columns if column not in keys])
    cleaned, unusable = _cleaned(raw, known)
    if unusable:
        _, known = reaches(cleaned, list(known))
    columns = UnitColumns(rows=cleaned, known=known, count=count)
    metrics = tuple(columns.add(metric, index) for index, metric in enumerate(plan.metrics))
    table, caps = winsorised(UnitTable(rows=columns.rows, keys=keys, metrics=metrics, known=columns.known, units=count))
    counts, sums = sums_by_group(table)
    arm_of = arm_finder(plan, keys)
    found = {arm: size for group, size in counts.items() if (arm := arm_of(group)) is not None}
    everybody = count if raw is columns.rows else int(units.count().to_pyarrow().as_py())
    return MomentTable(
        units=dict(sorted(found.items())),
        units_outside=everybody - sum(found.values()),
        values_missing=_values_missing(raw, keys, plan, unusable),
        distributions=keyed(_distributions(table, counts), arm_of),
        caps=caps,
        **parts_of(sums, arm_of),
    )


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


def _cleaned(raw: Any, known: Mapping[str, Reach]) -> tuple[Any, list[str]]:
    """NaN, infinities and what is too large made null, and the columns that have any."""
    found = [column for column, reach in known.items() if not reach.is_usable]
    return raw.mutate(**{column: finite(raw[column]) for column in found}), found


def _values_missing(raw: Any, keys: tuple[str, ...], plan: Plan, unusable: list[str]) -> dict[str, int]:
    """Per metric: units of its arms that had a number which is none."""
    arm_of = arm_finder(plan, keys)
    found = [column for column in unusable if column[0] in "xy"]
    if not found:
        return {}
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
