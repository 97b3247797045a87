"""Segments side by side: does a treatment's effect differ between them, and what to show of the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from math import exp, isfinite, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr

from analysis.effects.means import critical_value
from analysis.estimate import (
    SMALLEST_P,
    Estimate,
    Interval,
    SegmentComparison,
    SegmentEffect,
    Selected,
    Undefined,
)
from analysis.in_rows import rows as rows_of
from analysis.inference.heterogeneity import (
    TOO_FEW,
    EffectEstimate,
    difference_scale,
    log_evidence_of_difference,
    spread_at,
)
from analysis.inference.selection import TIED, hybrid_interval
from analysis.inference.sequential import always_valid_p, mixture_scale, multiplier
from analysis.inference.shrinkage import show
from analysis.plan import Direction, StoppingRule

Floats: TypeAlias = NDArray[np.float64]

ALWAYS_VALID = "asymptotic_confidence_sequence"

NO_ESTIMATE = Undefined(reason="no_estimate", message="This segment has no effect with a standard error yet.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """How sure: `declared` segments share alpha where several statements are made at once."""

    alpha: float
    rho: float
    declared: int
    peeks: bool

    @property
    def each(self) -> float:
        return self.alpha / self.declared

    def multipliers(self, units: Floats | float) -> Floats:
        """Of the standard errors, for intervals that hold for all segments together."""
        if not self.peeks:
            return np.full_like(np.asarray(units, dtype=float), _normal(self.each))
        return multiplier(np.asarray(units, dtype=float), self.each, _scale(self.each, self.alpha, self.rho))

    def p_values(self, z: Floats, units: Floats) -> Floats:
        """Corrected for all segments: below alpha exactly when the interval with `multipliers` leaves out 0."""
        if self.peeks:
            alone = always_valid_p(z, units, _scale(self.each, self.alpha, self.rho))
        else:
            alone = 2 * ndtr(-np.abs(z))
        corrected: Floats = np.minimum(np.maximum(self.declared * alone, SMALLEST_P), 1.0)
        return corrected

    @property
    def method(self) -> str:
        return ALWAYS_VALID if self.peeks else "z"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effects:
    """The segments that have an estimate: at `places` among all that are declared."""

    places: list[int]
    values: Floats
    variances: Floats
    units: Floats


def compare_segments(
    treatment: str,
    baseline: str,
    segments: Sequence[str],
    differences: ArrayLike,
    std_errors: ArrayLike,
    *,
    units: ArrayLike,
    alpha: float,
    rho: float,
    stopping_rule: StoppingRule,
    direction: Direction,
) -> SegmentComparison:
    """One treatment's differences to a baseline in all segments, side by side.

    Parameters
    ----------
    segments
        All that the plan declares, in its order; no unit is in two of them.
    differences, std_errors, units : array_like, one number a segment
        Near-normal estimates, and the units of both arms behind them. Where a difference is no number, or its standard
        error none or 0, the segment has no estimate and takes no part.
    alpha
        In (0, 1).
    rho
        `mixture_scale(alpha, tuned_for_units)`, of a segment's confidence sequences.
    stopping_rule
        `fixed_horizon` is one look; everything else is judged by what holds at every look.
    direction
        The change that is wished for: of the `selected` segment.

    Returns
    -------
    SegmentComparison
        `q`, `p_value`, `i_squared` (Cochran), `tau` (Paule–Mandel) and `pooled` (fixed effect) as in `heterogeneity`;
        `p_value_always_valid` by `log_evidence_of_difference`.

        Of a segment: `shrunk` by `show`, its interval for one look (and normal true effects). `against_others`: its
        effect less the precision-weighted one of all others; interval and p-value hold for all segments together
        (Bonferroni over the declared ones) and, unless the horizon is fixed, at every look.

        `selected`: the largest raw effect in the wished direction. Its `adjusted` value is `shrunk`. Its interval
        covers whatever the true effects are, so it does not lean on their being normal: the hybrid conditional one for
        one look, the simultaneous confidence sequence (segments as many as are declared) otherwise; it is stretched to
        `adjusted` where that lies outside.

    Notes
    -----
    Assumes segments with different units, and an arrival of units that does not depend on their effects. What is said
    of each segment against the others is a description unless `differ`: look there first.
    """
    rule = _Rule(alpha=alpha, rho=rho, declared=max(len(segments), 2), peeks=stopping_rule != "fixed_horizon")
    found = _usable(differences, std_errors, units)
    if len(found.places) < 2:
        return _too_few(treatment, baseline, segments, found, rule)
    freedom = len(found.places) - 1
    weights = 1 / found.variances
    total = float(weights.sum())
    centred = found.values - found.values[0]
    distance = float(weights @ centred) / total
    q = float(weights @ (centred - distance) ** 2)
    p_value = max(float(chdtrc(freedom, q)), SMALLEST_P)
    always_valid = _always_valid_p(found, rule)
    rows, shown = _rows(segments, found, rule, distance, weights)
    return SegmentComparison(
        treatment=treatment,
        baseline=baseline,
        q=q,
        degrees_of_freedom=freedom,
        p_value=p_value,
        p_value_always_valid=always_valid,
        i_squared=1 - freedom / q if q > freedom else 0.0,
        tau=sqrt(float(spread_at(found.values, found.variances, freedom))) if q > freedom else 0.0,
        pooled=_pooled(float(found.values[0]) + distance, 1 / sqrt(total), float(found.units.sum()), rule),
        differ=(always_valid if rule.peeks else p_value) < alpha,
        segments=rows,
        selected=_selected(segments, found, shown, rule, direction),
    )


def _usable(differences: ArrayLike, std_errors: ArrayLike, units: ArrayLike) -> _Effects:
    values, errors, sizes = (np.asarray(array, dtype=np.float64) for array in (differences, std_errors, units))
    usable = np.isfinite(values) & np.isfinite(errors) & (errors > 0) & (sizes > 0)
    return _Effects(
        places=usable.nonzero()[0].tolist(),
        values=values[usable],
        variances=errors[usable] ** 2,
        units=sizes[usable],
    )


def _always_valid_p(found: _Effects, rule: _Rule) -> float:
    rho = difference_scale(rule.alpha, rule.rho, rule.declared)
    evidence = float(log_evidence_of_difference(found.values, found.variances, found.units, rho))
    return max(exp(-max(evidence, 0.0)), SMALLEST_P)


def _rows(
    segments: Sequence[str], found: _Effects, rule: _Rule, distance: float, weights: Floats
) -> tuple[tuple[SegmentEffect, ...], Floats]:
    """A row for every declared segment, and the values shown of those that have an estimate."""
    shown = show(found.values, found.variances)
    others = weights.sum() - weights
    centred = found.values - found.values[0]
    contrast = centred - (weights.sum() * distance - weights * centred) / others
    errors = np.sqrt(found.variances + 1 / others)
    # The clock of a contrast: δ in standard deviations of this segment's units, see `log_evidence_of_difference`.
    clock = found.units * found.variances / errors**2
    reach = rule.multipliers(clock) * errors
    level, together = 1 - rule.alpha, 1 - rule.each
    shown_reach = _normal(rule.alpha) * shown.std_errors
    made = rows_of(
        SegmentEffect,
        [segments[place] for place in found.places],
        found.values.tolist(),
        np.sqrt(found.variances).tolist(),
        shown.values.tolist(),
        _intervals(shown.values, shown_reach, level, "empirical_bayes"),
        contrast.tolist(),
        _intervals(contrast, reach, together, rule.method),
        rule.p_values(contrast / errors, clock).tolist(),
    )
    rows = dict(zip(found.places, made, strict=True))
    everyone = (rows.get(place) or _without_estimate(segment) for place, segment in enumerate(segments))
    return tuple(everyone), shown.values


def _intervals(centre: Floats, reach: Floats, level: float, method: str) -> list[Interval]:
    return rows_of(Interval, (centre - reach).tolist(), (centre + reach).tolist(), repeat(level), repeat(method))


def _pooled(value: float, std_error: float, units: float, rule: _Rule) -> Estimate:
    anytime = float(multiplier(units, rule.alpha, rule.rho)) * std_error
    once = _normal(rule.alpha) * std_error
    level = 1 - rule.alpha
    return Estimate(
        value=value,
        std_error=std_error,
        fixed=Interval(low=value - once, high=value + once, level=level, method="z"),
        always_valid=Interval(low=value - anytime, high=value + anytime, level=level, method=ALWAYS_VALID),
    )


def _selected(
    segments: Sequence[str], found: _Effects, shown: Floats, rule: _Rule, direction: Direction
) -> Selected | Undefined:
    sign = 1.0 if direction == "increase" else -1.0
    order = (sign * found.values).argsort()
    best, second = int(order[-1]), int(order[-2])
    raw, adjusted, error = float(found.values[best]), float(shown[best]), sqrt(float(found.variances[best]))
    if raw == float(found.values[second]):
        return TIED
    if rule.peeks:
        reach = float(rule.multipliers(float(found.units[best]))) * error
        low, high, method = raw - reach, raw + reach, ALWAYS_VALID
    else:
        winner = EffectEstimate(value=sign * raw, std_error=error)
        hybrid = hybrid_interval(winner, sign * float(found.values[second]), len(found.places), rule.alpha)
        low, high = sorted((sign * hybrid.low, sign * hybrid.high))
        method = "hybrid_conditional"
    return Selected(
        segment=segments[found.places[best]],
        raw=raw,
        adjusted=adjusted,
        interval=Interval(low=min(low, adjusted), high=max(high, adjusted), level=1 - rule.alpha, method=method),
    )


def _too_few(treatment: str, baseline: str, segments: Sequence[str], found: _Effects, rule: _Rule) -> SegmentComparison:
    """No estimate, or just one, which is all there is of the whole."""
    pooled = Estimate(value=TOO_FEW, std_error=TOO_FEW, fixed=TOO_FEW, always_valid=TOO_FEW)
    rows = [_without_estimate(segment) for segment in segments]
    for place, value, variance, units in zip(
        found.places, found.values.tolist(), found.variances.tolist(), found.units.tolist(), strict=True
    ):
        pooled = _pooled(value, sqrt(variance), units, rule)
        rows[place] = _without_estimate(segments[place], TOO_FEW, raw=value, std_error=sqrt(variance))
    return SegmentComparison(
        treatment=treatment,
        baseline=baseline,
        q=TOO_FEW,
        degrees_of_freedom=0,
        p_value=TOO_FEW,
        p_value_always_valid=TOO_FEW,
        i_squared=TOO_FEW,
        tau=TOO_FEW,
        pooled=pooled,
        differ=False,
        segments=tuple(rows),
        selected=TOO_FEW,
    )


def _without_estimate(
    segment: str,
    reason: Undefined = NO_ESTIMATE,
    raw: float | Undefined = NO_ESTIMATE,
    std_error: float | Undefined = NO_ESTIMATE,
) -> SegmentEffect:
    return SegmentEffect(
        segment=segment,
        raw=raw,
        std_error=std_error,
        shrunk=reason,
        shrunk_interval=reason,
        against_others=reason,
        against_others_interval=reason,
        against_others_p_value=reason,
    )


@lru_cache(maxsize=256)
def _normal(alpha: float) -> float:
    return critical_value(alpha)


@lru_cache(maxsize=256)
def _scale(each: float, alpha: float, rho: float) -> float:
    """The ρ at another level, for the same number of units."""
    if not isfinite(rho):
        raise ValueError(f"a scale must be finite: {rho}")
    return rho * mixture_scale(each, 1) / mixture_scale(alpha, 1)
