"""The columns that metrics need, from those of a table with one row per unit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops

from analysis.aggregation.asking import Question
from analysis.aggregation.caps import cut
from analysis.aggregation.exact import Range
from analysis.aggregation.reduce import Reach
from analysis.aggregation.variables import Variables
from analysis.plan import MetricPlan, Plan

if TYPE_CHECKING:
    import ibis.expr.types as ir


def number_columns(plan: Plan) -> dict[str, str]:
    """The numbers that are asked for: by names that do not depend on what metrics are called, the columns' own."""
    found = {}
    for index, metric in enumerate(plan.metrics):
        found[f"x{index}"] = metric.key
        if metric.kind == "ratio":
            found[f"y{index}"] = f"{metric.key}_denominator"
        found |= {f"c{index}_{number}": covariate.key for number, covariate in enumerate(metric.covariates)}
    return found


def numbers_of(units: ir.Table, plan: Plan, keys: tuple[str, ...]) -> ir.Table:
    """These columns, as floats, and the keys."""
    types = {"epoch": "int64", "segment": "string", "variant": "string"}
    columns = {key: units[key].cast(types[key]) for key in keys}
    return units.select(**columns, **{name: units[key].cast("float64") for name, key in number_columns(plan).items()})


def integers_of(units: ir.Table, plan: Plan) -> frozenset[str]:
    """Which of them are integers by their type."""
    types = {name: units.schema()[key] for name, key in number_columns(plan).items()}
    return frozenset(name for name, found in types.items() if found.is_integer() or found.is_boolean())


def origins_of(units: ir.Table, plan: Plan) -> dict[str, Hashable]:
    """What each of them was before it got other names: the same for columns that hold the same numbers."""
    return {name: _origin(units[key].op()) for name, key in number_columns(plan).items()}


def copies_among(origins: Mapping[str, Hashable]) -> dict[str, str]:
    """Columns that hold the numbers of one before them, and that one."""
    first = dict[Hashable, str]()
    others = {column: first.setdefault(origin, column) for column, origin in origins.items()}
    return {column: other for column, other in others.items() if other != column}


def _origin(number: ops.Node) -> ops.Node:
    while isinstance(number, ops.Field) and isinstance(number.rel, ops.Project):
        number = number.rel.values[number.name]
    return number


class UnitColumns:
    """How the columns that metrics need are made from those that were handed in, and what is known of them."""

    def __init__(self, *, known: Mapping[str, Reach], count: int, integers: frozenset[str]) -> None:
        self.known, self._count, self._integers = dict(known), count, integers
        self._steps: list[tuple[str, Question]] = []

    def prepare(self, rows: Any) -> Any:
        for column, value in self._steps:
            rows = rows.mutate(**{column: value(rows)})
        return rows

    def copies(self, origins: Mapping[str, Hashable]) -> dict[str, str]:
        """Columns that hold the numbers of another, as they were handed in, and the other."""
        changed = {column for column, _ in self._steps}
        return copies_among({column: origin for column, origin in origins.items() if column not in changed})

    def add(self, metric: MetricPlan, index: int) -> Variables:
        x, y = f"x{index}", f"y{index}" if metric.kind in ("ratio", "quantile") else None
        if metric.kind == "conversion":
            self._set(x, lambda rows: (rows[x] > 0).cast("float64"), Range(low=0.0, high=1.0))
        if metric.kind == "quantile":
            self._set(f"y{index}", lambda rows: rows[x].notnull().cast("float64"), Range(low=0.0, high=1.0))
        if metric.cap is not None:
            self._cut(x, metric.cap)
            if metric.kind == "ratio":
                self._cut(f"y{index}", metric.cap)
        covariates = [self._covariate(metric, index, number) for number in range(len(metric.covariates))]
        made = {"conversion": {x}, "quantile": {f"y{index}"}}.get(metric.kind, set())
        uncut = self._integers.intersection((x, y)) if metric.cap is None and metric.winsor_quantile is None else set()
        return Variables(
            metric=metric,
            x=x,
            y=y,
            covariates=(*(filled for filled, _ in covariates), *(missing for _, missing in covariates)),
            whole=frozenset(made | uncut | {missing for _, missing in covariates}),
        )

    def _covariate(self, metric: MetricPlan, index: int, number: int) -> tuple[str, str]:
        name, indicator = f"c{index}_{number}", f"m{index}_{number}"
        absent, reach = self.known[name].count < self._count, self.known[name]
        cap = metric.covariates[number].cap
        if cap is not None:
            self._cut(name, cap)
        self._set(
            indicator, lambda rows: rows[name].isnull().cast("float64"), Range(low=0.0, high=1.0 if absent else 0.0)
        )
        if absent:
            self._set(name, lambda rows: rows[name].fill_null(0.0), reach.capped(cap).range.with_zero())
        return name, indicator

    def _set(self, column: str, value: Question, found: Range) -> None:
        self._steps.append((column, value))
        self.known[column] = Reach(range=found, count=self._count)

    def _cut(self, column: str, cap: float) -> None:
        self._steps.append((column, lambda rows: cut(rows[column], cap)))
        self.known[column] = self.known[column].capped(cap)
