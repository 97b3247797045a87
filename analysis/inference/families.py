"""The declared family: which comparisons are controlled together, and what holds for all of them at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import comb, isfinite, nan, sqrt
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.effects import values
from analysis.estimate import Undefined
from analysis.inference import multiplicity
from analysis.inference.dunnett import dunnett_critical, dunnett_p
from analysis.inference.multiplicity import Adjustment
from analysis.plan import FamilyMethod, Plan

K = TypeVar("K", bound=Hashable)
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

ADJUSTMENTS: dict[FamilyMethod, Adjustment] = {
    "holm": multiplicity.holm,
    "hochberg": multiplicity.hochberg,
    "bonferroni": multiplicity.bonferroni,
    "benjamini_hochberg": multiplicity.benjamini_hochberg,
    "benjamini_yekutieli": multiplicity.benjamini_yekutieli,
    "e_benjamini_hochberg": multiplicity.benjamini_hochberg,  # of p = 1/e that is e-BH
}
# Of these the level of intervals depends on how many members are rejected.
_STEP_UP_RATES: frozenset[FamilyMethod] = frozenset(
    {"benjamini_hochberg", "benjamini_yekutieli", "e_benjamini_hochberg"}
)


_LARGEST_ALPHA = 0.499


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The comparisons of one family, in arrays.

    Parameters
    ----------
    p_value
        The one that may name a winner under the plan's stopping rule; NaN where there is none (yet).
    scope
        Number of the scope each belongs to.
    sides, control
        Of each the numbers of its treatment and its baseline, shape (members, 2), and the control's.
    variances
        Of the treatment's and the baseline's value: what Dunnett's correlations are made of.
    """

    p_value: Floats
    scope: NDArray[np.intp]
    sides: NDArray[np.intp]
    control: int
    treatment_variance: Floats
    baseline_variance: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Adjusted p-values (NaN where there was none), which are below alpha, and the alpha of each one's intervals."""

    p_value: Floats
    rejected: Flags
    alpha: Floats


def adjust(plan: Plan, p_values: Mapping[K, float | Undefined]) -> dict[K, float | Undefined]:
    """Adjusted p-values of one family, for any method but Dunnett's.

    Parameters
    ----------
    p_values
        All members, those without a p-value included: they count as 1, so that the size of the family is what was
        declared and never depends on the data. They stay undefined.
    """
    numbers = [1.0 if isinstance(p, Undefined) else p for p in p_values.values()]
    adjusted = ADJUSTMENTS[plan.family](numbers)
    return {
        key: p if isinstance(p, Undefined) else value
        for (key, p), value in zip(p_values.items(), adjusted, strict=True)
    }


def judge(plan: Plan, members: Members) -> Judged:
    """Adjusted p-values and the level of simultaneous intervals of one family, dual to each other.

    Notes
    -----
    Of m members, declared and therefore constant:

    `holm`, `hochberg`, `bonferroni`: every interval has the level 1 - alpha/m (Bonferroni), so all of them cover
    together with 1 - alpha, at every look. Holm (and Hochberg) may reject what Bonferroni does not; such an interval
    ends at 0, which it then leaves out: the confidence region that belongs to Holm's procedure. Guilbaud, Biometrical
    Journal 50 (2008), pp. 678-692. (He shows it for one-sided hypotheses; of two sides it is as good as the direction
    of a Holm rejection.)

    `benjamini_hochberg`, `benjamini_yekutieli`, `e_benjamini_hochberg`: with R members rejected the level is 1 -
    alpha·max(R, 1)/m (for Yekutieli also divided by Σ 1/k), so that the expected share of intervals that miss, among
    those of the rejected, is at most alpha. For confidence sequences from e-values, as ours are, under any dependence
    and at any look: Xu, Wang & Ramdas, "Post-selection inference for e-value based confidence intervals", EJS 18
    (2024), theorem 1; for fixed ones under independence: Benjamini & Yekutieli, JASA 100 (2005), pp. 71-81. A member is
    rejected exactly when its interval leaves out 0.

    `dunnett`: only comparisons with the control are members. Within a scope the treatments share it; their joint
    distribution gives the critical value c, at alpha over the number of scopes (Bonferroni between scopes). Two
    treatments are told apart, without an interval, only where one of them is told apart from the control, and at a
    level of their own, see `_pair_level`.
    """
    if plan.family == "dunnett":
        return _many_to_one(plan, members)
    m = len(members.p_value)
    known = np.isfinite(members.p_value)
    adjusted = np.array(ADJUSTMENTS[plan.family](np.where(known, members.p_value, 1.0).tolist()))
    rejected = known & (adjusted < plan.alpha)
    share = float(max(1, int(rejected.sum()))) if plan.family in _STEP_UP_RATES else 1.0
    if plan.family == "benjamini_yekutieli":
        share /= sum(1 / k for k in range(1, m + 1))
    return Judged(
        p_value=np.where(known, adjusted, np.nan),
        rejected=rejected,
        alpha=np.full(m, plan.alpha * share / max(1, m)),
    )


def _many_to_one(plan: Plan, members: Members) -> Judged:
    with_control = members.sides[:, 1] == members.control
    scopes = sorted(set(members.scope[with_control].tolist()))
    alpha = min(plan.alpha / max(1, len(scopes)), _LARGEST_ALPHA)
    p, each = np.full((2, len(members.p_value)), np.nan)
    for scope in scopes:
        within = members.scope == scope
        rows, pairs = np.flatnonzero(within & with_control), np.flatnonzero(within & ~with_control)
        loadings = [_loading(members.treatment_variance[row], members.baseline_variance[row]) for row in rows]
        critical = dunnett_critical(loadings, alpha)
        each[rows] = values.two_sided_p(critical, np.inf)
        for row in rows[np.isfinite(members.p_value[rows])]:
            # The normal score with the same p-value: exact for large samples, as the joint distribution is.
            score = float(values.critical_values(members.p_value[row], np.inf))
            p[row] = min(1.0, len(scopes) * dunnett_p(score, loadings))
        if len(pairs):
            each[pairs] = _pair_level(loadings, critical, alpha, len(set(members.sides[within].ravel().tolist())) - 1)
            gates = dict(zip(members.sides[rows, 0].tolist(), p[rows].tolist(), strict=True))
            p[pairs] = _after_control(members, pairs, gates, each[pairs] / plan.alpha)
    return Judged(p_value=p, rejected=p < plan.alpha, alpha=each)


def _pair_level(loadings: list[float], critical: float, alpha: float, treatments: int) -> float:
    """What pairs of treatments are tested at, once one of the two is told apart from the control; NaN: never.

    Parameters
    ----------
    loadings
        Of the treatments' comparisons with the control.
    critical, alpha
        Dunnett's, of this scope.
    treatments
        k, all that are compared in the scope.

    Returns
    -------
    float
        min over a = 0 … k - 2 of (alpha - D(a)) / C(k - a, 2), with D(a) Dunnett's chance that any of a treatments that
        equal the control is beyond `critical`: the a of the smallest loadings, whose chance is the largest (Šidák). Of
        two treatments it is alpha, of k with equal arms alpha / C(k, 2).

    Notes
    -----
    Closed testing with the hypotheses' logic (Marcus, Peritz & Gabriel, Biometrika 63 (1976), pp. 655-660; Shaffer,
    JASA 81 (1986), pp. 826-831). Let a of the treatments equal the control. To err about one of them, or about a pair
    of them, one of them has to be beyond `critical`: D(a) at most. The other true hypotheses are pairs among the k - a
    others, at most C(k - a, 2), each rejected with this level at most. Together alpha, whatever a is; where a ≥ k - 1
    no such pair is left, and D(a) ≤ alpha.
    """
    rising = sorted(loadings)
    spent = [dunnett_p(critical, rising[:equal]) if equal else 0.0 for equal in range(max(treatments - 1, 1))]
    level = min((alpha - chance) / max(comb(treatments - equal, 2), 1) for equal, chance in enumerate(spent))
    return level if level > 0 else nan


def _after_control(members: Members, pairs: NDArray[np.intp], gates: dict[int, float], scale: Floats) -> Floats:
    """Adjusted p-values of pairs of treatments, below alpha where the pair's own is below its level and a gate is open.

    `gates`: by treatment, its adjusted p-value against the control. `scale`: the level over alpha.
    """
    known = {side: p for side, p in gates.items() if isfinite(p)}
    gate = np.array([min(known.get(one, 1.0), known.get(other, 1.0)) for one, other in members.sides[pairs].tolist()])
    # Without a level it stays shut.
    own = np.where(np.isfinite(scale), members.p_value[pairs] / scale, 1.0)
    adjusted = np.minimum(np.maximum(gate, own), 1.0)
    return np.where(np.isnan(members.p_value[pairs]), nan, adjusted)


def _loading(treatment: float, baseline: float) -> float:
    together = treatment + baseline
    return sqrt(baseline / together) if together > 0 else 0.0


def each_alpha(plan: Plan, size: int) -> float:
    """What one member of a family of this size is judged at: where its sequences are to be narrow."""
    return plan.alpha / max(1, size)
