"""Whether one single unit makes the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

from analysis.estimate import Finding
from analysis.moments import Shape
from analysis.quality.skew import ShapePair
from analysis.wording import number

Change = Literal["sign", "lost", "found", "size"]

# In standard errors without the unit: to move the difference by less tips only what is on the brink anyway. So far,
# and the unit matters even where neither sign nor significance change.
LEAST_MOVE = 0.5
FAR_MOVE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The unit without which the result is another one.

    `value` is what it has, `of_treatment` tells its arm. `change`: the "sign" of the difference, or that it is
    significant only without it ("lost": it hides the difference) or only with it ("found": it makes it), or just its
    "size", by one and a half standard errors or more.
    """

    value: float
    of_treatment: bool
    change: Change
    difference: float
    difference_without: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    difference: float
    variance: float

    @property
    def z(self) -> float:
        if self.variance > 0:
            return self.difference / sqrt(self.variance)
        return inf if self.difference else 0.0


def outlier_influence(strata: Sequence[ShapePair], critical: float) -> Influence | None:
    """The most extreme unit of an arm, if the difference of means is another one without it.

    Parameters
    ----------
    strata
        Those in the comparison.
    critical
        > 0: how many standard errors are significant, now and with one unit less.

    Returns
    -------
    Influence
        Of the smallest and largest unit of either arm, each left out alone, the one that moves the difference most
        among those that turn its sign or its significance and move it by half a standard error (without the unit), or
        that move it by one and a half. (Any unit may tip a difference that is next to 0, or next to significance.) None
        if there is no such unit.

    Notes
    -----
    Leaving out x: n - 1 units, mean (n·mean - x)/(n - 1), Σ(x - mean)² less n/(n - 1)·(x - mean)².

    Of 500 A/A tests with 2,000 / 20,000 units an arm it finds one in .00 / .00 (normal, exponential values), .13 / .01
    (5 % payers, lognormal amounts, σ = 1), .35 / .15 (σ = 1.5), .55 / .38 (σ = 2): means of a handful of units.
    """
    whole = _sums(strata)
    # A move of m takes about m² off the variance: below a sixth of it m is less than half of what is left.
    if _farthest_move(strata) < whole.variance / 6:
        return None
    found = [
        influence
        for index, stratum in enumerate(strata)
        for of_treatment, value in _extremes(stratum)
        if (influence := _influence(strata, index, of_treatment, value, whole=whole, critical=critical))
    ]
    return max(found, key=lambda one: abs(one.difference - one.difference_without), default=None)


def _farthest_move(strata: Sequence[ShapePair]) -> float:
    """Of any single unit, squared."""
    return max(
        (
            (stratum.share * max(arm.largest - arm.mean, arm.mean - arm.smallest) / (arm.n - 1)) ** 2
            for stratum in strata
            for arm in (stratum.treatment, stratum.baseline)
            if arm.n > 2
        ),
        default=0.0,
    )


def _extremes(stratum: ShapePair) -> Iterator[tuple[bool, float]]:
    for of_treatment, arm in ((True, stratum.treatment), (False, stratum.baseline)):
        if arm.n > 2 and arm.smallest < arm.largest:
            yield of_treatment, arm.smallest
            yield of_treatment, arm.largest


def _influence(
    strata: Sequence[ShapePair], index: int, of_treatment: bool, value: float, *, whole: _Sums, critical: float
) -> Influence | None:
    stratum = strata[index]
    with_less = ShapePair(
        treatment=_without(stratum.treatment, value) if of_treatment else stratum.treatment,
        baseline=stratum.baseline if of_treatment else _without(stratum.baseline, value),
        share=stratum.share,
    )
    rest = _sums([*strata[:index], with_less, *strata[index + 1 :]])
    if abs(whole.difference - rest.difference) < LEAST_MOVE * sqrt(rest.variance):
        return None
    change = _change(whole, rest, critical)
    if change is None:
        return None
    return Influence(
        value=value,
        of_treatment=of_treatment,
        change=change,
        difference=whole.difference,
        difference_without=rest.difference,
    )


def _change(whole: _Sums, rest: _Sums, critical: float) -> Change | None:
    if whole.difference * rest.difference < 0:
        return "sign"
    if (abs(whole.z) > critical) == (abs(rest.z) > critical):
        far = abs(whole.difference - rest.difference) >= FAR_MOVE * sqrt(rest.variance)
        return "size" if far else None
    return "found" if abs(whole.z) > critical else "lost"


def _without(arm: Shape, value: float) -> Shape:
    """Only mean and spread are used of it."""
    away, rest = value - arm.mean, arm.n - 1
    return Shape(
        n=rest,
        mean=arm.mean - away / rest,
        m2=max(arm.m2 - away * away * arm.n / rest, 0.0),
        m3=0.0,
        smallest=arm.smallest,
        largest=arm.largest,
    )


def _sums(strata: Sequence[ShapePair]) -> _Sums:
    difference = variance = 0.0
    for stratum in strata:
        one, other, weight = stratum.treatment, stratum.baseline, stratum.share
        if min(one.n, other.n) < 2:
            continue
        difference += weight * (one.mean - other.mean)
        variance += weight * weight * (one.m2 / (one.n - 1) / one.n + other.m2 / (other.n - 1) / other.n)
    return _Sums(difference=difference, variance=variance)


def _says(found: Influence) -> str:
    if found.change == "sign":
        return "the difference would point the other way"
    if found.change == "size":
        return f"the difference would be {number(found.difference_without)} in place of {number(found.difference)}"
    return f"the difference would{'' if found.change == 'lost' else ' not'} be significant at one look"


def outlier_finding(
    strata: Sequence[ShapePair],
    critical: float,
    *,
    metric: str,
    label: str,
    treatment: str,
    treatment_name: str,
    baseline: str,
    baseline_name: str,
) -> Finding | None:
    """`outlier_influence` of one comparison; `label` and the names are what people call them."""
    found = outlier_influence(strata, critical)
    if found is None:
        return None
    variant, name = (treatment, treatment_name) if found.of_treatment else (baseline, baseline_name)
    return Finding(
        code="outlier_influence",
        severity="warning",
        message=f"One single value counts too much: without the {label} of {found.value:,.6g} in {name} "
        f"{_says(found)}. Look at it, or cap the metric",
        variant=variant,
        metric=metric,
    )
