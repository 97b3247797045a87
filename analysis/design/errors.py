"""What a significant result of a design is worth: how much it exaggerates, and how often it has the wrong sign."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, pi, sqrt

from scipy.special import ndtr

from analysis.effects.means import critical_value
from analysis.estimate import Undefined

NO_SCALE = Undefined(reason="zero_variance", message="Without a standard error every estimate is the true value.")
NO_EFFECT = Undefined(reason="no_effect", message="Nothing can be called an exaggeration of no effect.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignErrors:
    """`power`: to be significant in either direction. `type_s`: of those, the share with the wrong sign.

    `exaggeration` (type M): their mean absolute estimate over the true one.
    """

    power: float
    type_s: float
    exaggeration: float | Undefined


def design_errors(
    true_difference: float, std_error: float, *, alpha: float = 0.05, critical: float | None = None
) -> DesignErrors | Undefined:
    """Power, type S and type M error of a two-sided test, for a true difference that was not taken from these data.

    Parameters
    ----------
    true_difference : float
        From elsewhere: earlier experiments, a shrunken estimate, what would be plausible. The estimate itself put in
        here says nothing.
    std_error : float
        Of the estimate, ≥ 0.
    alpha : float
        In (0, 1).
    critical : float, optional
        > 0, in place of the normal quantile: the multiplier of a confidence sequence at its horizon, Dunnett's value.

    Returns
    -------
    DesignErrors
        With λ = |difference|/std_error: power Φ(λ - c) + Φ(-λ - c); type S Φ(-λ - c)/power; exaggeration
        (λ(Φ(λ - c) - Φ(-λ - c)) + φ(λ - c) + φ(λ + c))/(λ·power), the mean of |X|, X ~ N(λ, 1), beyond ±c.
        For no difference type S is ½ and the exaggeration `Undefined("no_effect")`. `Undefined("zero_variance")` for
        a standard error of 0.

    Raises
    ------
    ValueError
        Outside these.

    Notes
    -----
    Gelman & Carlin, "Beyond power calculations", Perspectives on Psychological Science 9 (2014), pp. 641-651, there by
    simulation; in closed form Lu, Qiu & Deng, British Journal of Mathematical and Statistical Psychology 72 (2019),
    pp. 1-17. Assumes a normal estimate and that only significant results are looked at.
    """
    if not isfinite(true_difference) or not 0 <= std_error < inf:
        raise ValueError(f"no difference with a standard error: {true_difference}, {std_error}")
    if not 0 < alpha < 1 or not (critical is None or 0 < critical < inf):
        raise ValueError(f"no error rate, or no critical value: {alpha}, {critical}")
    if std_error == 0:
        return NO_SCALE
    c = critical_value(alpha) if critical is None else critical
    signal = abs(true_difference) / std_error
    right, wrong = float(ndtr(signal - c)), float(ndtr(-signal - c))
    found = right + wrong
    beyond = signal * (right - wrong) + _density(signal - c) + _density(signal + c)
    return DesignErrors(power=found, type_s=_share(wrong, found), exaggeration=_ratio(beyond, signal, found, c))


def _share(wrong: float, found: float) -> float:
    """At a critical value that no float reaches, significance is infinitely rare and its sign the true one's."""
    return wrong / found if found > 0 else 0.0


def _ratio(beyond: float, signal: float, found: float, critical: float) -> float | Undefined:
    if signal == 0:
        return NO_EFFECT
    mean = beyond / found if found > 0 else critical
    exaggeration = mean / signal
    return exaggeration if isfinite(exaggeration) else NO_EFFECT


def too_good_to_be_true(difference: float, detectable: float, *, factor: float = 3.0) -> bool:
    """Twyman's law: an effect beyond `factor` times what the experiment was designed to detect is an error until shown.

    Parameters
    ----------
    difference, detectable
        Estimate and minimum detectable effect, in the same unit (both differences, or both lifts).
    factor
        > 0.

    Raises
    ------
    ValueError
        `detectable` or `factor` not positive.

    Notes
    -----
    Kohavi, Tang & Xu, "Trustworthy Online Controlled Experiments" (2020), chapter 3.
    """
    if not detectable > 0 or not factor > 0:
        raise ValueError(f"must be positive: {detectable}, {factor}")
    return abs(difference) > factor * detectable


def _density(x: float) -> float:
    return exp(-0.5 * x * x) / sqrt(2 * pi)
