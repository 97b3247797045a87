"""Maximum likelihood of positive parameters, which either arrives or says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from analysis.estimate import Undefined

Floats: TypeAlias = NDArray[np.float64]
Objective: TypeAlias = Callable[[Floats], tuple[float, Floats]]
"""Logarithms of parameters -> mean negative log-likelihood, and its gradient in them."""

# Of the logarithms. A parameter out there stands for a population without differences, not for a number.
_FURTHEST = 12.0
_FLAT = 1e-5
_STEP = 1e-4
# A logarithm that is only known to within ± 2 standard errors of this is not known.
_LARGEST_ERROR = 2.0


def fitted(objective: Objective, starts: Sequence[Sequence[float]], n: int) -> tuple[Floats, Floats] | Undefined:
    """Parameters at the highest likelihood, and standard errors of their logarithms.

    Parameters
    ----------
    starts
        Logarithms to start from; the best end counts.
    n
        Customers over whom the objective is a mean.

    Returns
    -------
    pair of arrays
        `Undefined("not_converged")` where no start comes to rest, `Undefined("not_identified")` where the best end is
        at the edge of what was searched (exp(±12)), on a ridge (the information matrix, from differences of the
        gradient, is not positive definite), or where a parameter is not known within a factor of exp(4).
    """
    ends = [end for start in starts if (end := _descended(objective, start)) is not None]
    if not ends:
        return Undefined(reason="not_converged", message="The likelihood found no maximum from any start.")
    best = min(ends, key=lambda end: float(end.fun)).x
    errors = _standard_errors(objective, best, n)
    if errors is None:
        return Undefined(reason="not_identified", message="Customers do not tell the parameters apart.")
    return np.exp(best), errors


def _descended(objective: Objective, start: Sequence[float]) -> OptimizeResult | None:
    bounds = [(-_FURTHEST, _FURTHEST)] * len(start)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        end = minimize(
            objective,
            list(start),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 1_000, "ftol": 1e-14, "gtol": 1e-8},
        )
    if not np.isfinite(end.fun):
        return None
    inside = np.abs(end.x) < _FURTHEST
    return end if np.abs(end.jac[inside]).max(initial=0.0) < _FLAT else None


def _standard_errors(objective: Objective, at: Floats, n: int) -> Floats | None:
    if (np.abs(at) > _FURTHEST - 0.01).any():
        return None
    steps = np.eye(len(at)) * _STEP
    hessian = np.array([(objective(at + step)[1] - objective(at - step)[1]) / (2 * _STEP) for step in steps]) * n
    hessian = (hessian + hessian.T) / 2
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian).min() <= 0:
        return None
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    return None if errors.max() > _LARGEST_ERROR else np.asarray(errors, dtype=np.float64)
