"""Purchases of a customer who is active now, as a mean over chances to leave: of positive numbers, so no digits go."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from segmentation.value.distinct import distinct

Floats: TypeAlias = NDArray[np.float64]

# Step and reach in u, of which p is the logistic function; errors are below 1e-9.
_LARGEST_STEP = 0.4
_STEPS_IN_SPREAD = 1.5
_TAIL = 32.0
_SPREADS = 8.0
_ROWS_AT_ONCE = 10_000


def purchases_while_active(shape: Floats, rate: Floats, time: Floats, a: float, b: Floats) -> Floats:
    """Expected purchases in `time` of one who may leave after each of them.

    Parameters
    ----------
    shape, rate
        Of the Gamma distribution of how often the customer buys.
    time
        ≥ 0.
    a, b
        Of the Beta distribution of the chance to leave, p. Arrays have one number per customer.

    Returns
    -------
    array
        E[(1 - (1 + p·time/rate)^-shape)/p]. With shape r + x, rate α + T and b + x it is eq. (10) of Fader, Hardie &
        Lee (2005) but for the probability to be active.

    Notes
    -----
    The closed form is a hypergeometric function, 0/0 at a = 1, which usual libraries get wrong for some parameters.
    Under p = 1/(1 + e^-u) the integrand is analytic about the whole line and falls exponentially on both sides, where
    the trapezoidal rule converges exponentially: Trefethen & Weideman, SIAM Review 56(3) (2014), pp. 385-458.
    """
    rows, index = distinct((b, shape, rate, time))
    found = np.empty(len(rows))
    ends = np.flatnonzero(np.diff(rows[:, 0])) + 1
    for start, end in zip([0, *ends], [*ends, len(rows)], strict=True):
        chances, weights = _chances(a, rows[start, 0])
        for first in range(start, end, _ROWS_AT_ONCE):
            part = rows[first : min(first + _ROWS_AT_ONCE, end)]
            found[first : first + len(part)] = _given(chances, part) @ weights
    return found[index]


def _chances(a: float, b: float) -> tuple[Floats, Floats]:
    """Points of Beta(a, b) and their weights, which add up to 1."""
    spread = np.sqrt(1 / a + 1 / b)
    step = min(_LARGEST_STEP, spread / _STEPS_IN_SPREAD)
    middle = np.log(a / b)
    u = np.arange(middle - _TAIL / a - _SPREADS * spread, middle + _TAIL / b + _SPREADS * spread, step)
    log_weights = a * log_expit(u) + b * log_expit(-u)
    log_weights -= log_weights.max()
    kept = log_weights > -_TAIL
    weights = np.exp(log_weights[kept])
    return expit(u[kept]), weights / weights.sum()


def _given(chances: Floats, rows: Floats) -> Floats:
    """By customer and chance."""
    _, shape, rate, time = (column[:, np.newaxis] for column in rows.T)
    leaving = chances * time / rate
    known = np.where(leaving > 0, leaving, 1.0)
    share = np.where(leaving > 0, -np.expm1(-shape * np.log1p(known)) / known, shape)
    return np.asarray(share * time / rate, dtype=np.float64)
