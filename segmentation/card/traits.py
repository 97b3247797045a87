"""What sets a segment apart from everybody else: differences of shares and means, their sizes and their chance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import asin, inf, sqrt

from analysis.effects.means import satterthwaite, two_sided_p
from analysis.estimate import SMALLEST_P, Undefined
from analysis.inference.multiplicity import holm
from segmentation.card.card import Trait

NOT_POSITIVE = Undefined(reason="not_positive", message="There is no lift over something that is not positive.")
_EXPECTED = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of the units where an attribute is known have one of its values."""

    with_value: int
    known: int

    @property
    def value(self) -> float:
        return self.with_value / self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Units where a number is known, its mean and its variance (n - 1)."""

    known: int
    mean: float
    variance: float


def share_trait(attribute: str, value: str, inside: Share, elsewhere: Share, *, least_units: int) -> Trait | None:
    """One value of a category, compared; its p-value is not adjusted yet.

    Returns
    -------
    Trait
        size: h = 2·asin √p₁ - 2·asin √p₀ (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed.
        1988, section 6.2). p-value: two-sided, of z = (p₁ - p₀)/√(p(1 - p)(1/n₁ + 1/n₀)), p the pooled share.
        None for fewer than `least_units` known on a side or with the value altogether, or where fewer than 5 units
        with or without the value are expected on a side: there z is not near normal.
    """
    total, known = inside.with_value + elsewhere.with_value, inside.known + elsewhere.known
    if min(inside.known, elsewhere.known) < least_units or total < least_units:
        return None
    pooled = total / known
    if min(pooled, 1 - pooled) * min(inside.known, elsewhere.known) < _EXPECTED:
        return None
    error = sqrt(pooled * (1 - pooled) * (1 / inside.known + 1 / elsewhere.known))
    return Trait(
        attribute=attribute,
        value=value,
        inside=inside.value,
        elsewhere=elsewhere.value,
        units_inside=inside.known,
        units_elsewhere=elsewhere.known,
        lift=_lift(inside.value, elsewhere.value),
        size=2 * asin(sqrt(inside.value)) - 2 * asin(sqrt(elsewhere.value)),
        p_value=two_sided_p((inside.value - elsewhere.value) / error, inf),
        distinguishing=False,
        by_definition=False,
    )


def mean_trait(attribute: str, inside: Spread, elsewhere: Spread, *, least_units: int) -> Trait | None:
    """A number, compared; its p-value is not adjusted yet.

    Returns
    -------
    Trait
        size: d = (m₁ - m₀)/√((s₁² + s₀²)/2), the standardised difference with both groups' variances weighing the
        same (Cohen 1988, section 2.3, for σ₁ ≠ σ₀). p-value: Welch's t, two-sided. None for fewer than `least_units`
        known on a side, or where nobody differs from anybody.
    """
    if min(inside.known, elsewhere.known) < least_units or inside.variance + elsewhere.variance <= 0:
        return None
    variances = (inside.variance / inside.known, elsewhere.variance / elsewhere.known)
    freedom = satterthwaite(variances, (inside.known - 1, elsewhere.known - 1))
    difference = inside.mean - elsewhere.mean
    return Trait(
        attribute=attribute,
        value=None,
        inside=inside.mean,
        elsewhere=elsewhere.mean,
        units_inside=inside.known,
        units_elsewhere=elsewhere.known,
        lift=_lift(inside.mean, elsewhere.mean),
        size=difference / sqrt((inside.variance + elsewhere.variance) / 2),
        p_value=two_sided_p(difference / sqrt(sum(variances)), freedom),
        distinguishing=False,
        by_definition=False,
    )


def judged(
    found: Sequence[Trait], *, alpha: float, least_size: float, defined_by: Collection[str] = ()
) -> tuple[Trait, ...]:
    """All differences of one card, judged together, the largest first.

    Their p-values become Holm's. Values of one category depend on each other negatively (one's share is another's
    loss), so neither Hochberg's nor Benjamini and Hochberg's procedure could be relied on; Holm's holds under any
    dependence. In large tables chance is soon ruled out for trifles, so `distinguishing` wants a size that matters too.
    """
    adjusted = holm([trait.p_value for trait in found])
    traits = (
        replace(
            trait,
            p_value=max(p_value, SMALLEST_P),
            distinguishing=p_value < alpha and abs(trait.size) >= least_size,
            by_definition=trait.attribute in defined_by,
        )
        for trait, p_value in zip(found, adjusted, strict=True)
    )
    return tuple(sorted(traits, key=lambda trait: (-abs(trait.size), trait.attribute, trait.value or "")))


def _lift(inside: float, elsewhere: float) -> float | Undefined:
    return inside / elsewhere - 1 if elsewhere > 0 else NOT_POSITIVE
