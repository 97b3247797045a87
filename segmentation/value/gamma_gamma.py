"""How much a customer spends at a time: the Gamma-Gamma model."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

from analysis.estimate import Undefined
from segmentation.refusal import Refused
from segmentation.value.distinct import distinct
from segmentation.value.likelihood import fitted

Floats: TypeAlias = NDArray[np.float64]

FEWEST_RETURNING = 10

# Of p, q, v (in mean amounts).
_STARTS = tuple(tuple(map(log, start)) for start in ((5, 4, 0.6), (1, 3, 2), (20, 10, 0.5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatAmounts:
    """Of customers who came again: how many `amounts` were averaged, 1, 2, …, and the `mean` amount, > 0.

    Arrays of the same length, else `Refused`: `arrays_of_different_length`, `not_finite`, `counts_not_whole`,
    `amounts_not_positive`.
    """

    amounts: Floats
    mean: Floats

    def __post_init__(self) -> None:
        if not (self.amounts.shape == self.mean.shape and self.mean.ndim == 1):
            raise Refused("arrays_of_different_length", "amounts and means have one number per customer each")
        if not (np.isfinite(self.amounts).all() and np.isfinite(self.mean).all()):
            raise Refused("not_finite", "amounts and means are finite numbers")
        if (self.amounts < 1).any() or (self.amounts != np.floor(self.amounts)).any():
            raise Refused("counts_not_whole", "amounts are counts: 1, 2, …")
        if (self.mean <= 0).any():
            raise Refused("amounts_not_positive", "the model knows positive amounts only; leave the others out")

    @classmethod
    def of(cls, amounts: ArrayLike, mean: ArrayLike) -> RepeatAmounts:
        """Of anything that is like arrays."""
        counts, means = (np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in (amounts, mean))
        return cls(amounts=counts, mean=means)

    @property
    def correlation(self) -> float | Undefined:
        """Between how many and how much: the model assumes none. Pearson's; Undefined without spread in either."""
        if len(self.mean) < 2 or not (np.ptp(self.amounts) and np.ptp(self.mean)):
            return Undefined(reason="zero_variance", message="All came as often, or spent as much, as each other.")
        return float(np.corrcoef(self.amounts, self.mean)[0, 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaGamma:
    """Parameters of the model: all > 0 and finite, else `Refused("parameters_outside")`.

    Parameters
    ----------
    p
        Amounts of one customer differ as Gamma(shape p, rate ν).
    q, v
        Customers differ in ν as Gamma(shape q, rate v); v in the unit of money.
    log_likelihood, log_std_errors
        Of the data it was fitted to; of ln p, ln q, ln v.

    Notes
    -----
    Fader & Hardie, "The Gamma-Gamma Model of Monetary Value" (2013), brucehardie.com/notes/025; Fader, Hardie & Lee,
    "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42(4) (2005), pp.
    415-430. It assumes that how much does not depend on how often (look at `RepeatAmounts.correlation`), and that a
    customer's mean does not change in time.
    """

    p: float
    q: float
    v: float
    log_likelihood: float | None = None
    log_std_errors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < one < np.inf for one in (self.p, self.q, self.v)):
            raise Refused("parameters_outside", "p, q and v are positive and finite")

    @property
    def mean(self) -> float | Undefined:
        """Of all customers, p·v/(q - 1); with q ≤ 1 it is infinite, and said to be undefined."""
        if self.q <= 1:
            return Undefined(reason="infinite_mean", message="Amounts differ so much that they have no mean (q ≤ 1).")
        return self.p * self.v / (self.q - 1)

    def expected_amount(self, of: RepeatAmounts) -> Floats:
        """Per customer, p·(v + x·m)/(p·x + q - 1): between the own mean m of x amounts and that of all.

        NaN only where p·x + q ≤ 1, where there is none. Of customers without repeats it is `mean`.
        """
        weight = self.p * of.amounts + self.q - 1
        amount = self.p * (self.v + of.amounts * of.mean) / np.where(weight > 0, weight, np.nan)
        return np.asarray(amount, dtype=np.float64)


def fit_gamma_gamma(of: RepeatAmounts) -> GammaGamma | Undefined:
    """The parameters that make the mean amounts most likely.

    Returns
    -------
    GammaGamma
        `Undefined("too_few_returning")` of fewer than 10 customers; `Undefined("not_converged")` or
        `Undefined("not_identified")` as `fitted` says: where all spend the same, or each in the same way.

    Notes
    -----
    The density of a mean m of x amounts is Γ(px+q)/(Γ(px)Γ(q)) · v^q · m^(px-1) · x^(px) / (v+xm)^(px+q). Money is
    measured in mean amounts meanwhile, so that cents and dollars come to the same.
    """
    if len(of.mean) < FEWEST_RETURNING:
        return Undefined(
            reason="too_few_returning",
            message=f"{len(of.mean)} customers came again; a model of amounts needs {FEWEST_RETURNING}.",
        )
    n, scale = len(of.mean), float(of.mean.mean())
    rows, index = distinct((of.amounts, of.mean / scale))
    amounts, means = rows.T
    likelihood = _Likelihood(amounts, means, np.bincount(index) / n)
    found = fitted(likelihood, _STARTS, n)
    if isinstance(found, Undefined):
        return found
    (p, q, v), errors = found
    fun, _ = likelihood(np.log([p, q, v]))
    return GammaGamma(
        p=float(p),
        q=float(q),
        v=float(v * scale),
        log_likelihood=-fun * n - n * log(scale),
        log_std_errors=tuple(errors.tolist()),
    )


class _Likelihood:
    """Minus the mean log-likelihood of weighted rows, and its gradient in the logarithms of p, q and v."""

    def __init__(self, x: Floats, mean: Floats, weights: Floats) -> None:
        self._x, self._sum, self._log_mean, self._weights = x, x * mean, np.log(mean), weights

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        p, q, v = np.exp(logs)
        px = p * self._x
        log_total = np.log(v + self._sum)
        log_sum = np.log(self._sum)
        values = gammaln(px + q) - gammaln(px) - gammaln(q) + q * (np.log(v) - log_total)
        values += px * (log_sum - log_total) - self._log_mean
        slopes = (
            self._x * (digamma(px + q) - digamma(px) + log_sum - log_total),
            digamma(px + q) - digamma(q) + np.log(v) - log_total,
            q / v - (px + q) / (v + self._sum),
        )
        gradient = np.array([self._weights @ slope for slope in slopes])
        return -float(self._weights @ values), -np.array([p, q, v]) * gradient
