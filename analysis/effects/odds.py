"""One odds ratio from several two-by-two tables: Mantel and Haenszel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, log, sqrt

from scipy.special import chdtrc

from analysis.effects.means import critical_value
from analysis.effects.proportions import Proportion
from analysis.estimate import SMALLEST_P, Interval, Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumRates:
    """Both arms of one stratum, which holds at least two units together as it has two arms."""

    treatment: Proportion
    baseline: Proportion

    @property
    def n(self) -> int:
        return self.treatment.n + self.baseline.n


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOdds:
    """The odds ratio common to all strata with its interval, and the test that it is 1."""

    odds_ratio: float | Undefined
    interval: Interval | Undefined
    chi_square: float
    p_value: float


def mantel_haenszel(
    strata: Sequence[StratumRates], alpha: float = 0.05, *, corrected: bool = True
) -> CommonOdds | Undefined:
    """Treatment against baseline within strata (segments, epochs), as one odds ratio.

    Parameters
    ----------
    strata
        Tables of successes and failures. Sparse ones may be many: the method is made for them.
    corrected : bool
        Continuity correction of the test: (|Σ(x₁ - E x₁)| - ½)².

    Returns
    -------
    CommonOdds
        Σ(x₁f₀/n)/Σ(x₀f₁/n) with the interval of Robins, Breslow & Greenland; χ² with one degree of freedom.
        `Undefined("zero_variance")` when every stratum has only successes or only failures; `odds_ratio` alone is
        `Undefined("unbounded")` when a denominator is zero, the interval also when the ratio is.

    Notes
    -----
    Mantel & Haenszel, "Statistical aspects of the analysis of data from retrospective studies of disease", J. National
    Cancer Institute 22 (1959), pp. 719-748; Robins, Breslow & Greenland, Biometrics 42 (1986), pp. 311-323. One
    number is only an answer where the odds ratio is about the same in all strata; it is then not the ratio of the
    pooled table (odds ratios do not collapse over strata).
    """
    tables = [_cells(stratum) for stratum in strata]
    excess, variance = fsum(_excess(*table) for table in tables), fsum(_variance(*table) for table in tables)
    if variance <= 0:
        return Undefined(reason="zero_variance", message="No stratum has both successes and failures.")
    distance = max(abs(excess) - (0.5 if corrected else 0.0), 0.0)
    chi_square = distance * distance / variance
    ratio, interval = _ratio(tables, alpha)
    return CommonOdds(
        odds_ratio=ratio,
        interval=interval,
        chi_square=chi_square,
        p_value=max(float(chdtrc(1, chi_square)), SMALLEST_P),
    )


Table = tuple[int, int, int, int]


def _cells(stratum: StratumRates) -> Table:
    treatment, baseline = stratum.treatment, stratum.baseline
    return (
        treatment.successes,
        treatment.n - treatment.successes,
        baseline.successes,
        baseline.n - baseline.successes,
    )


def _excess(a: int, b: int, c: int, d: int) -> float:
    return a - (a + b) * (a + c) / (a + b + c + d)


def _variance(a: int, b: int, c: int, d: int) -> float:
    n = a + b + c + d
    return (a + b) / n * (c + d) / n * (a + c) * (b + d) / (n - 1)


def _ratio(tables: Sequence[Table], alpha: float) -> tuple[float | Undefined, Interval | Undefined]:
    unbounded = Undefined(reason="unbounded", message="One side has no successes or no failures: no odds to compare.")
    for_it = [a * d / (a + b + c + d) for a, b, c, d in tables]
    against = [b * c / (a + b + c + d) for a, b, c, d in tables]
    r, s = fsum(for_it), fsum(against)
    if s == 0:
        return unbounded, unbounded
    if r == 0:
        return 0.0, unbounded
    agree = [(a + d) / (a + b + c + d) for a, b, c, d in tables]
    weights = list(zip(agree, for_it, against, strict=True))
    variance = (
        fsum(p * x for p, x, _ in weights) / (2 * r * r)
        + fsum(p * y + (1 - p) * x for p, x, y in weights) / (2 * r * s)
        + fsum((1 - p) * y for p, _, y in weights) / (2 * s * s)
    )
    half_width, ratio = critical_value(alpha) * sqrt(variance), r / s
    centre = log(ratio)
    interval = Interval(
        low=exp(centre - half_width), high=exp(centre + half_width), level=1 - alpha, method="Robins-Breslow-Greenland"
    )
    return ratio, interval
