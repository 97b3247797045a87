"""Simulated experiments through the engine: many comparisons at once, or one whole report.

`effects` calls `compare_all`, which is what `build` itself computes its comparisons with. So that this stays true, the
first experiments of an audited call go through `build` as well, and every number must be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isnan

import numpy as np

from analysis.comparison import EffectColumns, Evidence, compare_all
from analysis.estimate import Comparison, Interval, Report, Undefined
from analysis.groups import Groups
from analysis.inference.sequential import mixture_scale
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.plan import Cell, MetricKind, MetricPlan, Plan
from analysis.report import build
from calibration.draws import Sums
from calibration.scenario import Floats

ALPHA = 0.05
TUNED_FOR_UNITS = 5_000
METRIC = "outcome"
_AUDITED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a plan would say of the looks."""

    alpha: float = ALPHA
    tuned_for_units: int = TUNED_FOR_UNITS
    min_units: int = 100
    min_conversions: int = 10
    family_size: int = 1

    @property
    def rho(self) -> float:
        return mixture_scale(self.alpha / self.family_size, self.tuned_for_units)

    @property
    def evidence(self) -> Evidence:
        return Evidence(alpha=self.alpha, rho=self.rho, min_units=self.min_units)


DEFAULT = Rules()


def effects(
    kind: MetricKind,
    treatment: Sequence[Sums],
    baseline: Sequence[Sums],
    rules: Rules = DEFAULT,
    *,
    intervals: bool = False,
    audit: bool = False,
) -> EffectColumns:
    """The treatment's effect in every experiment; arms are given stratum by stratum, in the order of time."""
    groups = grouped(treatment), grouped(baseline)
    units = groups[0].n + groups[1].n
    found = compare_all(kind, *groups, units, rules.evidence, intervals=intervals)
    if audit:
        _audit(kind, treatment, baseline, rules, found, intervals=intervals)
    return found


def grouped(strata: Sequence[Sums]) -> Groups:
    def columns(name: str) -> Floats:
        return np.stack([np.asarray(getattr(stratum, name), dtype=float) for stratum in strata], axis=1)

    return Groups(
        n=columns("n"),
        mean=columns("mean"),
        m2=columns("m2"),
        denominator_mean=columns("denominator_mean"),
        denominator_m2=columns("denominator_m2"),
        co_m2=columns("co_m2"),
        absolute_mean=np.abs(columns("mean")),
    )


def moments_of(found: Sums, row: int) -> Moments:
    return Moments(
        n=int(found.n[row]),
        mean=float(found.mean[row]),
        m2=float(found.m2[row]),
        denominator_mean=float(found.denominator_mean[row]),
        denominator_m2=float(found.denominator_m2[row]),
        co_m2=float(found.co_m2[row]),
    )


def metric(kind: MetricKind) -> MetricPlan:
    return MetricPlan(
        key=METRIC,
        kind=kind,
        role="primary",
        event_name="event",
        denominator_event_name="denominator" if kind == "ratio" else None,
    )


def table(arms: Mapping[tuple[int, str, str], Moments]) -> MomentTable:
    """(epoch, segment, variant) -> moments of the metric."""
    return MomentTable(
        units={ArmKey(*arm): moments.n for arm, moments in arms.items()},
        moments={MetricKey(*arm, METRIC): moments for arm, moments in arms.items()},
    )


def plan_of(
    kind: MetricKind, rules: Rules, splits: Sequence[Mapping[str, float]] = ({"control": 1, "treatment": 1},)
) -> Plan:
    """One segment, one epoch per split."""
    return Plan(
        variants=("control", "treatment"),
        control="control",
        segments=("all",),
        metrics=(metric(kind),),
        cells=tuple(Cell(epoch=epoch, segment="all", weights=weights) for epoch, weights in enumerate(splits)),
        alpha=rules.alpha,
        tuned_for_units=rules.tuned_for_units,
        min_units=rules.min_units,
        min_conversions=rules.min_conversions,
    )


def report(kind: MetricKind, treatment: Sequence[Sums], baseline: Sequence[Sums], rules: Rules, row: int) -> Report:
    """One of the experiments by itself."""
    pairs = [(moments_of(a, row), moments_of(b, row)) for a, b in zip(treatment, baseline, strict=True)]
    splits = [{"treatment": float(a.n), "control": float(b.n)} for a, b in pairs]
    arms = {
        (epoch, "all", variant): moments
        for epoch, pair in enumerate(pairs)
        for variant, moments in zip(("treatment", "control"), pair, strict=True)
    }
    return build(plan_of(kind, rules, splits), table(arms))


def _audit(
    kind: MetricKind,
    treatment: Sequence[Sums],
    baseline: Sequence[Sums],
    rules: Rules,
    found: EffectColumns,
    *,
    intervals: bool,
) -> None:
    for row in range(min(_AUDITED, len(treatment[0].mean))):
        comparison = report(kind, treatment, baseline, rules, row).segments[0].metrics[0].comparisons[0]
        for name, expected in _numbers(comparison).items():
            value = float(getattr(found, name)[row])
            if (intervals or not name.endswith(("_low", "_high"))) and not _same(value, expected):
                raise AssertionError(f"{kind}, {name}: {value} at once, {expected} in the report")


def _numbers(comparison: Comparison) -> dict[str, float | Undefined]:
    numbers: dict[str, float | Undefined] = {
        "p_value": comparison.p_value,
        "p_value_always_valid": comparison.p_value_always_valid,
        "difference": comparison.difference.value,
        "std_error": comparison.difference.std_error,
        "lift": comparison.lift.value,
    }
    for prefix, estimate in (("", comparison.difference), ("lift_", comparison.lift)):
        numbers |= _ends(f"{prefix}fixed", estimate.fixed)
        numbers |= _ends(f"{prefix}always_valid", estimate.always_valid)
    return numbers


def _ends(name: str, interval: Interval | Undefined) -> dict[str, float | Undefined]:
    if isinstance(interval, Undefined):
        return {f"{name}_low": interval, f"{name}_high": interval}
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _same(value: float, expected: float | Undefined) -> bool:
    if isinstance(expected, Undefined) or isnan(value):
        return isinstance(expected, Undefined) and isnan(value)
    return isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12)
