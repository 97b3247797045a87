"""The segment, or variant, that was picked because it looked best: what can honestly be said of its effect.

The largest of many estimates is too large: of 20 segments without any difference the best one shows 1.9 standard errors
too much, and its usual 95 % interval covers .6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, expm1, inf, log1p, sqrt

from scipy.optimize import brentq

from analysis.effects.means import critical_value
from analysis.estimate import Interval, Undefined
from analysis.inference.heterogeneity import TOO_FEW, EffectEstimate
from analysis.inference.shrinkage import Shrunk, shrink

_ROOT = sqrt(2)

TIED = Undefined(reason="tied", message="Two estimates are equally large: none of them is the best.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedWinner:
    """The largest of several independent estimates.

    Parameters
    ----------
    index, raw
        Which one, and what it showed: too large by selection.
    shrunk
        Its empirical-Bayes estimate: the number to show. `Undefined("too_few_segments")` below three.
    median_unbiased : float
        As often too small as too large, given that it was selected.
    hybrid : Interval
        Covers at least 1 - alpha whatever the true effects are, and is never wider than slightly more than
        `simultaneous`.
    simultaneous : Interval
        Covers every estimate's true value together (Šidák): valid however the winner was picked.
    """

    index: int
    raw: EffectEstimate
    shrunk: Shrunk | Undefined
    median_unbiased: float
    hybrid: Interval
    simultaneous: Interval


def selected_winner(effects: Sequence[EffectEstimate], alpha: float = 0.05) -> SelectedWinner | Undefined:
    """The largest estimate, corrected for being it.

    Parameters
    ----------
    effects
        Independent and near normal: one treatment's effects in disjoint segments are; several treatments' against one
        control are not. Where less is better, negate them before and the answer after.
    alpha : float
        In (0, 1).

    Returns
    -------
    SelectedWinner
        `Undefined("too_few_segments")` of fewer than two, `Undefined("tied")` where the largest is not unique.

    Notes
    -----
    Given the others, the winner's estimate is normal, cut off below the second largest: inverting that law gives an
    interval that is right given the selection, but unboundedly wide when it was close. The hybrid restricts it to the
    simultaneous interval at level alpha/10 and spends the rest conditionally. Andrews, Kitagawa & McCloskey, "Inference
    on winners", Quarterly Journal of Economics 139 (2024), pp. 305-358, section III.
    """
    if not 0 < alpha < 1:
        raise ValueError("alpha is outside (0, 1)")
    if len(effects) < 2:
        return TOO_FEW
    *_, second, index = sorted(range(len(effects)), key=lambda i: effects[i].value)
    winner, cutoff = effects[index], effects[second].value
    if winner.value == cutoff:
        return TIED
    shrunk = shrink(effects, alpha)
    half_width = _simultaneous_critical(alpha, len(effects)) * winner.std_error
    return SelectedWinner(
        index=index,
        raw=winner,
        shrunk=shrunk if isinstance(shrunk, Undefined) else shrunk[index],
        median_unbiased=_invert(winner, cutoff, _simultaneous_critical(alpha / 10, len(effects)), 0.5),
        hybrid=hybrid_interval(winner, cutoff, len(effects), alpha),
        simultaneous=Interval(
            low=winner.value - half_width, high=winner.value + half_width, level=1 - alpha, method="Šidák"
        ),
    )


def hybrid_interval(winner: EffectEstimate, cutoff: float, count: int, alpha: float = 0.05) -> Interval:
    """Of the largest of `count` estimates, the second largest of which is `cutoff`: see `selected_winner`."""
    reach = _simultaneous_critical(alpha / 10, count)
    rest = (alpha - alpha / 10) / (1 - alpha / 10)
    low, high = (_invert(winner, cutoff, reach, probability) for probability in (1 - rest / 2, rest / 2))
    return Interval(low=low, high=high, level=1 - alpha, method="hybrid conditional")


def _simultaneous_critical(alpha: float, count: int) -> float:
    """c with P(|Z| ≤ c)^count = 1 - alpha."""
    return critical_value(-expm1(log1p(-alpha) / count), inf)


def _invert(winner: EffectEstimate, cutoff: float, reach: float, probability: float) -> float:
    """The true effect at which the winner's estimate is that quantile of its law, given selection and the reach."""

    def excess(shift: float) -> float:
        # In standard errors about the estimate: the true effect is at `shift`, the estimate at 0.
        low = max((cutoff - winner.value) / winner.std_error - shift, -reach)
        inside, whole = _mass(low, -shift), _mass(low, reach)
        return (inside / whole if whole > 0 else 1.0) - probability

    return winner.value + winner.std_error * float(brentq(excess, -reach, reach, xtol=1e-10))


def _mass(low: float, high: float) -> float:
    """P(low < Z < high), computed on the side where both tails are small."""
    if low > 0:
        low, high = -high, -low
    # erfc in place of ndtr: a root takes dozens of them, one at a time.
    return max(0.5 * (erfc(-high / _ROOT) - erfc(-low / _ROOT)), 0.0)
