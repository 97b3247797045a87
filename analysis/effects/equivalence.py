"""Not worse by more than a margin, or the same up to margins: tests of a non-zero difference or lift.

"No significant difference" says nothing about sameness; these tests turn the hypothesis round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

from scipy.special import stdtr

from analysis.effects.arms import ArmPair
from analysis.effects.lift import NOT_POSITIVE
from analysis.effects.means import satterthwaite
from analysis.effects.proportions import Proportion
from analysis.effects.scores import TwoProportions, score_lift_interval, score_lift_z, score_z
from analysis.estimate import SMALLEST_P, Undefined

NO_SPREAD = Undefined(reason="zero_variance", message="Neither arm varies: there is nothing to test.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginTest:
    """(estimate - margin) in standard errors, and its one-sided p-value: small when the effect is past the margin."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided tests: `above` the lower margin and `below` the upper one; `p_value` is the larger of theirs."""

    above: MarginTest
    below: MarginTest
    p_value: float


Tester = Callable[[float], "tuple[float, float] | Undefined"]


def difference_above(pair: ArmPair, margin: float) -> MarginTest | Undefined:
    """Welch's t of H₀: treatment - baseline ≤ margin. Non-inferiority with a tolerated loss m tests margin = -m.

    Parameters
    ----------
    pair : ArmPair
        Near-normal values of means, ratios or (Wald) rates.
    margin : float
        In the metric's unit; fixed before the data.

    Returns
    -------
    MarginTest
        p < alpha exactly when the lower end of the two-sided 1 - 2·alpha interval lies above the margin.
        `Undefined("zero_variance")` without any spread.
    """
    return _one_sided(_difference(pair)(margin), 1.0)


def lift_above(pair: ArmPair, margin: float) -> MarginTest | Undefined:
    """H₀: lift ≤ margin (> -1, a fraction), as treatment - (1 + margin)·baseline ≤ 0: the test that Fieller's
    interval inverts.

    `Undefined("baseline_not_positive")` where there is no lift. The variance is v₁ + (1 + margin)²·v₀, so that it
    needs no margin in the metric's unit guessed beforehand: Hauschke, Kieser & Hothorn, Biometrical Journal 41
    (1999), pp. 295-308.
    """
    return _one_sided(_lift(pair)(margin), 1.0)


def difference_equivalence(pair: ArmPair, low: float, high: float) -> Equivalence | Undefined:
    """TOST: low < treatment - baseline < high, margins in the metric's unit, low < high.

    Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", J. Pharmacokinetics and
    Biopharmaceutics 15 (1987), pp. 657-680: both tests at alpha, no correction. Equivalent at alpha exactly when the
    two-sided 1 - 2·alpha interval lies within the margins.
    """
    return _both(_difference(pair), low, high)


def lift_equivalence(pair: ArmPair, low: float, high: float) -> Equivalence | Undefined:
    """TOST: low < lift < high, fractions above -1, low < high."""
    return _both(_lift(pair), low, high)


def rate_above(
    treatment: Proportion, baseline: Proportion, margin: float, *, corrected: bool = True
) -> MarginTest | Undefined:
    """Score test of H₀: p₁ - p₀ ≤ margin in (-1, 1): Miettinen–Nurminen, or Farrington–Manning uncorrected.

    390/500 against 400/500, margin -.05: 1.16354 and 1.16412 (a Wald test has 1.16493). Agrees with `score_interval`.
    """
    return _one_sided(_rate(treatment, baseline, corrected=corrected)(margin), 1.0)


def rate_equivalence(
    treatment: Proportion, baseline: Proportion, low: float, high: float, *, corrected: bool = True
) -> Equivalence | Undefined:
    """TOST: low < p₁ - p₀ < high by score tests, -1 < low < high < 1."""
    return _both(_rate(treatment, baseline, corrected=corrected), low, high)


def rate_lift_above(treatment: Proportion, baseline: Proportion, margin: float) -> MarginTest | Undefined:
    """Miettinen–Nurminen's score test of H₀: p₁/p₀ - 1 ≤ margin, by duality with `score_lift_interval`.

    The statistic is the critical value at which the interval's end meets the margin, at most ±37.
    `Undefined("unbounded")` when nobody in the baseline converted.
    """
    return _one_sided(_rate_lift(treatment, baseline)(margin), 1.0)


def rate_lift_equivalence(
    treatment: Proportion, baseline: Proportion, low: float, high: float
) -> Equivalence | Undefined:
    """TOST: low < p₁/p₀ - 1 < high by score tests, -1 < low < high."""
    return _both(_rate_lift(treatment, baseline), low, high)


def _difference(pair: ArmPair) -> Tester:
    def test(margin: float) -> tuple[float, float] | Undefined:
        return _standardise(pair, 1.0, pair.difference - margin)

    return test


def _lift(pair: ArmPair) -> Tester:
    def test(margin: float) -> tuple[float, float] | Undefined:
        if margin <= -1:
            raise ValueError("a lift lies above -1")
        if pair.baseline.value <= 0:
            return NOT_POSITIVE
        # From the difference, not from the product: exact where the arms are nearly equal.
        return _standardise(pair, 1.0 + margin, pair.difference - margin * pair.baseline.value)

    return test


def _standardise(pair: ArmPair, ratio: float, distance: float) -> tuple[float, float] | Undefined:
    variances = pair.treatment.variance, ratio * ratio * pair.baseline.variance
    if sum(variances) <= 0:
        return NO_SPREAD
    freedoms = pair.treatment.degrees_of_freedom, pair.baseline.degrees_of_freedom
    return distance / sqrt(sum(variances)), satterthwaite(variances, freedoms)


def _rate(treatment: Proportion, baseline: Proportion, *, corrected: bool) -> Tester:
    both = [TwoProportions(treatment=treatment, baseline=baseline)]

    def test(margin: float) -> tuple[float, float] | Undefined:
        if not -1 < margin < 1:
            raise ValueError("a difference of rates lies in (-1, 1)")
        z = score_z(both, margin=margin, corrected=corrected)
        return z if isinstance(z, Undefined) else (z, inf)

    return test


def _rate_lift(treatment: Proportion, baseline: Proportion) -> Tester:
    both = [TwoProportions(treatment=treatment, baseline=baseline)]

    def test(margin: float) -> tuple[float, float] | Undefined:
        if margin <= -1:
            raise ValueError("a lift lies above -1")
        if margin == 0:
            z = score_z(both)
            return z if isinstance(z, Undefined) else (z, inf)
        unbounded = score_lift_interval(both, 1.0)
        return unbounded if isinstance(unbounded, Undefined) else (score_lift_z(both, margin), inf)

    return test


def _one_sided(found: tuple[float, float] | Undefined, sign: float) -> MarginTest | Undefined:
    if isinstance(found, Undefined):
        return found
    statistic, freedom = found
    return MarginTest(statistic=statistic, p_value=max(float(stdtr(freedom, -sign * statistic)), SMALLEST_P))


def _both(test: Tester, low: float, high: float) -> Equivalence | Undefined:
    if not low < high:
        raise ValueError("the lower margin is not below the upper one")
    above, below = _one_sided(test(low), 1.0), _one_sided(test(high), -1.0)
    if isinstance(above, Undefined):
        return above
    if isinstance(below, Undefined):
        return below
    return Equivalence(above=above, below=below, p_value=max(above.p_value, below.p_value))
