"""How often a customer will buy, and whether there is one left: the BG/NBD model."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, digamma, expit, gammaln

from analysis.estimate import Undefined
from segmentation.refusal import Refused
from segmentation.value.counts import RepeatPurchases
from segmentation.value.distinct import distinct
from segmentation.value.likelihood import fitted
from segmentation.value.while_active import purchases_while_active

Floats: TypeAlias = NDArray[np.float64]

FEWEST_RETURNING = 10

# Of r, alpha (per mean age), a, b: many or few buy often, many or few leave soon.
_STARTS = tuple(
    tuple(map(log, start)) for start in ((0.3, 0.3, 0.8, 2.5), (2, 2, 0.8, 2.5), (0.3, 0.3, 3, 3), (1, 0.3, 0.1, 1))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BgNbd:
    """Parameters of the model: all > 0 and finite, else `Refused("parameters_outside")`.

    Parameters
    ----------
    r, alpha
        While active a customer buys as a Poisson process; rates differ as Gamma(shape r, rate alpha), alpha in the unit
        of time of the data.
    a, b
        After each purchase a customer leaves for good with a chance that differs as Beta(a, b).
    log_likelihood
        Of the data it was fitted to.
    log_std_errors
        Of ln r, ln alpha, ln a, ln b; empty for declared parameters.

    Notes
    -----
    Fader, Hardie & Lee, "“Counting Your Customers” the Easy Way: An Alternative to the Pareto/NBD Model", Marketing
    Science 24(2) (2005), pp. 275-284. It assumes that rate and chance to leave are independent of one another and of
    time, that purchases come at random (no subscriptions, no seasons), and that one leaves only after a purchase: who
    has not come back yet has a probability of 1 to be still active.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float | None = None
    log_std_errors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < one < np.inf for one in (self.r, self.alpha, self.a, self.b)):
            raise Refused("parameters_outside", "r, alpha, a and b are positive and finite")

    def probability_alive(self, of: RepeatPurchases) -> Floats:
        """That a customer has not left by the end of observation: 1 / (1 + odds of having left after the last one)."""
        x = of.repeats
        log_odds = np.log(self.a / (self.b + np.maximum(x, 1) - 1))
        log_odds += (self.r + x) * np.log((self.alpha + of.age) / (self.alpha + of.last_at))
        return np.asarray(np.where(x > 0, expit(-log_odds), 1.0), dtype=np.float64)

    def expected_purchases(self, of: RepeatPurchases, horizon: ArrayLike) -> Floats:
        """Purchases from the end of observation until `horizon` later, per customer; eq. (10).

        A horizon is ≥ 0 and in the unit of time, one number or one per customer; else `Refused("horizon_outside")`.
        """
        x, age, time = np.broadcast_arrays(of.repeats, of.age, _checked(horizon))
        return self.probability_alive(of) * self._while_active(x, age, time)

    def expected_of_new(self, horizon: ArrayLike) -> Floats:
        """Repeat purchases of a customer in the time from the first purchase on; eq. (9)."""
        time = np.atleast_1d(_checked(horizon))
        return self._while_active(np.zeros_like(time), np.zeros_like(time), time)

    def _while_active(self, x: Floats, age: Floats, time: Floats) -> Floats:
        return purchases_while_active(self.r + x, self.alpha + age, time, self.a, self.b + x)


def fit_bg_nbd(of: RepeatPurchases) -> BgNbd | Undefined:
    """The parameters that make what was observed most likely.

    Returns
    -------
    BgNbd
        `Undefined("too_few_returning")` with fewer than 10 customers who came again; `Undefined("not_converged")` or
        `Undefined("not_identified")` as `fitted` says: with customers who are all alike, or of whom none ever leaves,
        the parameters have no end.

    Notes
    -----
    Eq. (6) of the paper, as a mean over distinct rows, in logarithms throughout (the sum of "still active" and "left
    after the last purchase" by log-sum-exp), with its gradient, in logarithms of the parameters, from four starts
    by L-BFGS-B. Time is measured in mean ages meanwhile, so that weeks and days come to the same.
    """
    returning = int((of.repeats > 0).sum())
    if returning < FEWEST_RETURNING:
        return Undefined(
            reason="too_few_returning",
            message=f"{returning} customers came again; a model of repeat purchases needs {FEWEST_RETURNING}.",
        )
    scale = float(of.age.mean())
    rows, index = distinct((of.repeats, of.last_at / scale, of.age / scale))
    x, last_at, age = rows.T
    likelihood = _Likelihood(x, last_at, age, np.bincount(index) / len(of.repeats))
    found = fitted(likelihood, _STARTS, len(of.repeats))
    if isinstance(found, Undefined):
        return found
    (r, alpha, a, b), errors = found
    fun, _ = likelihood(np.log([r, alpha, a, b]))
    # A density per mean age is one per unit of time, once for each purchase.
    log_likelihood = -fun * len(of.repeats) - float(of.repeats.sum()) * np.log(scale)
    return BgNbd(
        r=float(r),
        alpha=float(alpha * scale),
        a=float(a),
        b=float(b),
        log_likelihood=float(log_likelihood),
        log_std_errors=tuple(errors.tolist()),
    )


class _Likelihood:
    """Minus the mean log-likelihood of weighted rows, and its gradient."""

    def __init__(self, x: Floats, last_at: Floats, age: Floats, weights: Floats) -> None:
        self._x, self._last_at, self._age, self._weights = x, last_at, age, weights
        self._repeats = x > 0
        self._before = np.maximum(x, 1) - 1

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        r, alpha, a, b = np.exp(logs)
        x, rx = self._x, r + self._x
        active = -rx * np.log(alpha + self._age)
        gone = np.log(a) - np.log(b + self._before) - rx * np.log(alpha + self._last_at)
        gone = np.where(self._repeats, gone, -np.inf)
        either = np.logaddexp(active, gone)
        values = gammaln(rx) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b) + either
        share = np.exp(gone - either)
        gradient = self._gradient(r, alpha, a, b, share)
        return -float(self._weights @ values), -np.array([r, alpha, a, b]) * gradient

    def _gradient(self, r: float, alpha: float, a: float, b: float, share: Floats) -> Floats:
        """In the parameters; `share`: of the likelihood, what comes from having left after the last purchase."""
        x, rx = self._x, r + self._x
        log_time = (1 - share) * np.log(alpha + self._age) + share * np.log(alpha + self._last_at)
        by_time = (1 - share) / (alpha + self._age) + share / (alpha + self._last_at)
        both = digamma(a + b) - digamma(a + b + x)
        slopes = [
            digamma(rx) - digamma(r) + np.log(alpha) - log_time,
            r / alpha - rx * by_time,
            both + share / a,
            both + digamma(b + x) - digamma(b) - share / (b + self._before),
        ]
        return np.array([self._weights @ slope for slope in slopes])


def _checked(horizon: ArrayLike) -> Floats:
    time = np.asarray(horizon, dtype=np.float64)
    if not (np.isfinite(time).all() and (time >= 0).all()):
        raise Refused("horizon_outside", "a horizon is finite and not negative")
    return time
