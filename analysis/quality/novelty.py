"""Whether an effect wears off, or has yet to come: the difference by day since exposure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.effects.means import critical_value, two_sided_p
from analysis.estimate import DayEffect, Finding, Interval, Novelty, Undefined

Floats = NDArray[np.float64]

# Looked at with every report, and of no consequence by itself: a warning has to be rare where there is nothing.
NOVELTY_ALPHA = 0.01

TOO_FEW_DAYS = Undefined(reason="too_few_days", message="A trend needs at least two days with a difference.")
NO_DIFFERENCE = Undefined(reason="no_estimate", message="No difference with a standard error on that day.")


def novelty(
    treatment: str,
    baseline: str,
    days: Sequence[int],
    units: Sequence[int],
    differences: ArrayLike,
    *,
    variances: ArrayLike,
    alpha: float = 0.05,
) -> Novelty:
    """The effect by day since exposure, and whether late days differ from early ones.

    Parameters
    ----------
    days
        Since exposure, ascending, 0 the first.
    units
        Of both arms, whose outcome on that day is known.
    differences, variances : array_like, one number a day
        Of what units did on that day; no number, or a variance of 0: no estimate of that day.
    alpha
        The intervals (of each day, one look) have the level 1 - alpha.

    Returns
    -------
    Novelty
        `trend_p_value` of "the later half is as the first day"; `Undefined("too_few_days")` with fewer than two
        estimates.

    Notes
    -----
    Where the metric's own level changes by day (most buy on the first), its differences do too, without any novelty:
    hand in the lifts of the days and their variances then. Days of few events are not normal, and a lift's variance
    goes with it: hand in none of the first, and of lifts the logarithm of 1 + lift (`analysis.sections.novelty`).

    The later half is the last k // 2 of k days, averaged with weights 1/√variance. All days are the same units again,
    so that their differences go up and down together, by how much is not known. The days of the half are therefore
    taken as fully correlated, which makes its standard error the weighted mean of theirs, and as uncorrelated with the
    first day: both on the safe side as long as no two days are negatively correlated, as they are of what everybody
    does once: who buys on the first day does not on the second. If all buy within two days, half of them on each, it
    errs in .09 at .01; within three in .013, within seven in .007 (300 runs of report.build each). A regression on the
    day, as if days were independent, is not: with a correlation of .9 between neighbours (.9² over two days, and so on)
    it errs in .23 of A/A tests at .05 over 14 days, and in .42 over 28; this test in .007 and .015, and with a
    correlation of ½ between all days in .000 (20,000 runs each). An effect of six standard errors of a day that wears
    off as e^(-t/2) is then found at .01 in .82 and .85 of the tests of 7 days, .90 and .97 of 14, .89 and .98 of 28.
    """
    found, spread = (np.asarray(array, dtype=np.float64) for array in (differences, variances))
    usable = np.isfinite(found) & np.isfinite(spread) & (spread > 0)
    errors = np.sqrt(np.where(usable, spread, 1.0))
    critical = critical_value(alpha)
    return Novelty(
        treatment=treatment,
        baseline=baseline,
        days=tuple(
            _day(*row, critical=critical, alpha=alpha)
            for row in zip(days, units, found.tolist(), errors.tolist(), usable.tolist(), strict=True)
        ),
        trend_p_value=_trend_p_value(found[usable], errors[usable]),
    )


def _day(
    day: int, units: int, difference: float, error: float, usable: bool, *, critical: float, alpha: float
) -> DayEffect:
    if not usable:
        value = difference if isfinite(difference) else NO_DIFFERENCE
        return DayEffect(day=day, units=units, difference=value, interval=NO_DIFFERENCE)
    reach = critical * error
    interval = Interval(low=difference - reach, high=difference + reach, level=1 - alpha, method="z")
    return DayEffect(day=day, units=units, difference=difference, interval=interval)


def _trend_p_value(differences: Floats, errors: Floats) -> float | Undefined:
    half = len(differences) // 2
    if not half:
        return TOO_FEW_DAYS
    late, late_error = _average(differences[-half:], errors[-half:])
    return two_sided_p((late - float(differences[0])) / sqrt(late_error**2 + float(errors[0]) ** 2), inf)


def _average(differences: Floats, errors: Floats) -> tuple[float, float]:
    """Weighted mean of fully correlated days, and its standard error Σ w·s / Σ w with w = 1/s."""
    total = float((1 / errors).sum())
    return float((differences / errors).sum()) / total, len(errors) / total


def novelty_finding(
    found: Novelty, *, metric: str, treatment_name: str, alpha: float = NOVELTY_ALPHA
) -> Finding | None:
    """`novelty` where the effect is shown to get smaller (or to turn round), `primacy` where it is shown to grow."""
    if isinstance(found.trend_p_value, Undefined) or found.trend_p_value >= alpha:
        return None
    shown = [day.difference for day in found.days if not isinstance(day.interval, Undefined)]
    differences = [value for value in shown if not isinstance(value, Undefined)]
    half = len(differences) // 2
    early, late = differences[0], sum(differences[-half:]) / half
    grows = abs(late) > abs(early) and early * late >= 0
    if early * late < 0:
        how = "turns round with the days: what is seen so far is a mixture of both"
    elif grows:
        how = "grows with the days: what is seen so far may be too little"
    else:
        how = "wears off with the days: what is seen so far may not last"
    return Finding(
        code="primacy" if grows else "novelty",
        severity="warning",
        message=f"The effect of {treatment_name} {how}",
        variant=found.treatment,
        metric=metric,
    )
