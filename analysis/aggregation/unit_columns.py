"""The columns that metrics need, from those of a table with one row per unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.aggregation.caps import cut
from analysis.aggregation.exact import Range
from analysis.aggregation.reduce import Reach
from analysis.aggregation.variables import Variables
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


def numbers_of(units: ir.Table, plan: Plan, keys: tuple[str, ...]) -> ir.Table:
    """The columns that are asked for, as floats, by names that do not depend on what metrics are called."""
    chosen = {"epoch": "int64", "segment": "string", "variant": "string"}
    columns = {key: units[key].cast(chosen[key]) for key in keys}
    for index, metric in enumerate(plan.metrics):
        columns[f"x{index}"] = units[metric.key].cast("float64")
        if metric.kind == "ratio":
            columns[f"y{index}"] = units[f"{metric.key}_denominator"].cast("float64")
        for number, covariate in enumerate(metric.covariates):
            columns[f"c{index}_{number}"] = units[covariate.key].cast("float64")
    return units.select(**columns)


class UnitColumns:
    """Builds the columns that metrics need from those that were handed in, and keeps track of their ranges."""

    def __init__(self, *, rows: Any, known: Mapping[str, Reach], count: int) -> None:
        self.rows, self.known, self._count = rows, dict(known), count

    def add(self, metric: MetricPlan, index: int) -> Variables:
        x, y = f"x{index}", f"y{index}" if metric.kind in ("ratio", "quantile") else None
        if metric.kind == "conversion":
            self._set(x, (self.rows[x] > 0).cast("float64"), Range(low=0.0, high=1.0))
        if metric.kind == "quantile":
            self._set(f"y{index}", self.rows[x].notnull().cast("float64"), Range(low=0.0, high=1.0))
        if metric.cap is not None:
            self._cut(x, metric.cap)
            if metric.kind == "ratio":
                self._cut(f"y{index}", metric.cap)
        covariates = [self._covariate(metric, index, number) for number in range(len(metric.covariates))]
        return Variables(
            metric=metric,
            x=x,
            y=y,
            covariates=(*(filled for filled, _ in covariates), *(missing for _, missing in covariates)),
            whole=frozenset([x] if metric.kind == "conversion" else [f"y{index}"] if metric.kind == "quantile" else []),
        )

    def _covariate(self, metric: MetricPlan, index: int, number: int) -> tuple[str, str]:
        name, indicator = f"c{index}_{number}", f"m{index}_{number}"
        absent, reach = self.known[name].count < self._count, self.known[name]
        cap = metric.covariates[number].cap
        if cap is not None:
            self._cut(name, cap)
        self._set(indicator, self.rows[name].isnull().cast("float64"), Range(low=0.0, high=1.0 if absent else 0.0))
        if absent:
            self._set(name, self.rows[name].fill_null(0.0), reach.capped(cap).range.with_zero())
        return name, indicator

    def _set(self, column: str, value: Any, found: Range) -> None:
        self.rows = self.rows.mutate(**{column: value})
        self.known[column] = Reach(range=found, count=self._count)

    def _cut(self, column: str, cap: float) -> None:
        self.rows = self.rows.mutate(**{column: cut(self.rows[column], cap)})
        self.known[column] = self.known[column].capped(cap)
