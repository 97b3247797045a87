"""Covariates are known before exposure: where their means differ between arms, a test of A against A has failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board
from analysis.comparison import EffectColumns, Evidence, compare_all
from analysis.estimate import Finding
from analysis.groups import FIELDS, Groups, pooled, row_of
from analysis.inference.sequential import mixture_scale
from analysis.moments import CrossMoments, MetricKey, Moments
from analysis.plan import MetricPlan, Plan
from analysis.scopes import Stratum

Floats: TypeAlias = NDArray[np.float64]

# Chance of a false alarm of one scope: over all looks together, and of plans with a single look.
ANY_LOOK_ALPHA = 0.01
ONE_LOOK_ALPHA = 0.001

_N, _M2, _SIZE = (FIELDS.index(name) for name in ("n", "m2", "absolute_mean"))


class Known(NamedTuple):
    """One number that is known of a unit before exposure: a covariate of a metric, or whether it is `missing`."""

    metric: str
    covariate: str
    missing: bool


def covariate_findings(board: Board, number: int) -> list[Finding]:
    """Of one scope: covariates whose means differ between a treatment and the control, which no treatment can cause.

    Notes
    -----
    The alpha is shared evenly (Bonferroni) by all covariates, indicators of missing ones, metrics and treatments of the
    scope. A covariate that several metrics have is told of once per treatment.
    """
    plan, scope = board.plan, board.scopes[number]
    metrics = [metric for metric in plan.metrics if metric.covariates]
    treatments = [variant for variant in scope.offered if variant != plan.control]
    if not metrics or not board.table.cross or plan.control not in scope.offered or not treatments:
        return []
    read = [_read(board, metric, scope.strata) for metric in metrics]
    known = [one for found, _ in read for one in found]
    if not known:
        return []
    cells = np.concatenate([found for _, found in read])
    apart = _apart(board, scope.strata, cells, treatments)
    findings: dict[tuple[str, str], Finding] = {}
    # What is missing is told of first: it explains why the means differ.
    for place in sorted(range(len(known)), key=lambda place: not known[place].missing):
        for treatment, gap in zip(treatments, apart[:, place].tolist(), strict=True):
            about = known[place].covariate, treatment
            if gap and about not in findings:
                findings[about] = _finding(plan, known[place], treatment, gap)
    return list(findings.values())


def balance(treatment: Floats, baseline: Floats, units: Floats, evidence: Evidence, epoch: Floats) -> EffectColumns:
    """Do means differ that can only differ by chance? Many at once.

    Parameters
    ----------
    treatment, baseline
        Shape (rows, strata, fields of `Groups`), `absolute_mean` no more than the mean of |x| (|mean| will do).
    units, epoch
        Of each stratum, as in `compare_all`.

    Returns
    -------
    EffectColumns
        z = (x̄₁ - x̄₀)/√(s²(1/n₁ + 1/n₀)) with s² = Σ(x - x̄)²/(N - 1) of both arms together, about their common mean;
        of several strata as in `compare_all`. P-values only.

    Notes
    -----
    In one stratum z² = (N - 1)·r², r the correlation of the covariate with the arm: Student's t is r·√((N - 2)/(1 -
    r²)). The hypothesis is that both arms are one population, so they have one variance and one share of units with
    events. Taken per arm, an arm in which all values are lost would have neither a spread nor the events that an
    answer for all looks needs, and the worst of faults would pass unseen; arms that are constant, each at a value of
    its own, would have no test at all.

    Assumes a mean that is near normal: `analysis.effects.events`, here for the events of both arms together.
    """
    together = pooled(np.stack([treatment, baseline]))
    variance = together[..., _M2] / np.maximum(together[..., _N] - 1, 1.0)

    def of_one_population(arm: Floats) -> Groups:
        groups = Groups.from_array(arm)
        spread = np.maximum(groups.n - 1, 0.0) * variance
        return replace(groups, m2=spread, absolute_mean=together[..., _SIZE])

    one, other = of_one_population(treatment), of_one_population(baseline)
    return compare_all("mean", one, other, units, evidence, epoch=epoch, intervals=False)


def _read(board: Board, metric: MetricPlan, strata: Sequence[Stratum]) -> tuple[list[Known], Floats]:
    """What is known before exposure, and its groups: shape (known, variants, strata, fields of `Groups`)."""
    plan, first = board.plan, 2 if metric.kind == "ratio" else 1
    found = {
        (place, part, variant): cross
        for place, stratum in enumerate(strata)
        for part, segment in enumerate(sorted(stratum.segments))
        for variant, name in enumerate(plan.variants)
        if (cross := board.table.cross.get(MetricKey(stratum.epoch, segment, name, metric.key))) is not None
    }
    width = max((len(cross.mean) - first for cross in found.values()), default=0)
    most = max(len(stratum.segments) for stratum in strata)
    filled = np.zeros((most, width, len(plan.variants), len(strata), len(FIELDS)))
    for (place, part, variant), cross in found.items():
        filled[part, : len(cross.mean) - first, variant, place] = _rows(cross, first)
    many = len(metric.covariates)
    known = [Known(metric.key, metric.covariates[one % many].key, one >= many) for one in range(width)]
    return known, filled[0] if most == 1 else pooled(filled)


def _rows(cross: CrossMoments, first: int) -> list[tuple[float, ...]]:
    """The fields of `Groups` of each variable from the first covariate on."""
    return [
        row_of(Moments(n=cross.n, mean=cross.mean[place], m2=cross.centred[place][place]))
        for place in range(first, len(cross.mean))
    ]


def _apart(board: Board, strata: Sequence[Stratum], cells: Floats, treatments: Sequence[str]) -> Floats:
    """Shape (treatments, known): the difference where there is an alarm, else 0."""
    plan = board.plan
    invited = np.array([[variant in stratum.variants for stratum in strata] for variant in plan.variants])
    cells = np.where(invited[:, :, None], cells, 0.0)
    numbers, control = [board.variants[variant] for variant in treatments], board.variants[plan.control]
    shape = (-1, *cells.shape[2:])
    columns = balance(
        cells[:, numbers].swapaxes(0, 1).reshape(shape),
        np.tile(cells[:, control], (len(treatments), 1, 1)),
        np.tile(cells[..., _N].sum(axis=1), (len(treatments), 1)),
        _evidence(plan, len(cells) * len(treatments)),
        np.tile([float(stratum.epoch) for stratum in strata], (len(cells) * len(treatments), 1)),
    )
    gaps = np.where(_alarms(plan, columns), columns.difference, 0.0)
    return gaps.reshape(len(treatments), len(cells))


def _evidence(plan: Plan, tests: int) -> Evidence:
    alpha = ANY_LOOK_ALPHA / tests
    return Evidence(alpha=alpha, rho=mixture_scale(alpha, plan.tuned_for_units), min_units=plan.min_units)


def _alarms(plan: Plan, columns: EffectColumns) -> NDArray[np.bool_]:
    tests = len(columns.difference)
    if plan.stopping_rule == "fixed_horizon":
        return columns.tested.is_supported & (columns.p_value < ONE_LOOK_ALPHA / tests)
    return columns.p_value_always_valid < ANY_LOOK_ALPHA / tests


def _finding(plan: Plan, known: Known, treatment: str, gap: float) -> Finding:
    name = known.covariate.replace("_", " ")
    one, other = plan.variant_name(treatment), plan.variant_name(plan.control)
    more, less = (one, other) if gap > 0 else (other, one)
    what = (
        f"{name[:1].upper()}{name[1:]} differ between {one} and {other}"
        if not known.missing
        else f"{name[:1].upper()}{name[1:]}: more values are missing in {more} than in {less}"
    )
    return Finding(
        code="covariate_imbalance",
        severity="critical",
        message=f"{what}, though nobody had seen either: the data before exposure cannot be trusted",
        variant=treatment,
        metric=known.metric,
    )
