"""Units of one lump, and units of planted clusters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from segmentation.learnt.partition import partition, single_thread
from segmentation.learnt.preparation import matrix, prepare
from segmentation.learnt.reference import structure_test
from segmentation.rules import columns_of

Matrix = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Matrix]


def named(values: Matrix) -> dict[str, Matrix]:
    return {f"a{index}": values[:, index] for index in range(values.shape[1])}


def _correlated(rng: np.random.Generator, units: int, attributes: int) -> Matrix:
    covariance = np.full((attributes, attributes), 0.6) + 0.4 * np.eye(attributes)
    return rng.multivariate_normal(np.zeros(attributes), covariance, size=units)


def _bought(rng: np.random.Generator, units: int) -> Matrix:
    """Half have never bought: whole numbers, an atom at 0, a tail."""
    spend = rng.exponential(20, size=units) * (rng.uniform(size=units) < 0.5)
    return np.column_stack([spend, rng.geometric(0.4, size=units), rng.poisson(1.5, size=units)])


NOISE: dict[str, Draw] = {
    "gaussian": lambda rng, n: rng.normal(size=(n, 4)),
    "uniform": lambda rng, n: rng.uniform(size=(n, 4)),
    "correlated": lambda rng, n: _correlated(rng, n, 4),
    "skewed": lambda rng, n: rng.exponential(size=(n, 4)),
    "skewed and correlated": lambda rng, n: np.exp(_correlated(rng, n, 3)),
    "heavy tails": lambda rng, n: rng.standard_t(5, size=(n, 4)),
    "counts and zeros": _bought,
}


def planted(rng: np.random.Generator, units: int, clusters: int, attributes: int) -> tuple[Matrix, NDArray[np.intp]]:
    """The design: uneven sizes, centres in [0, 14]^attributes, at least six standard deviations from one another."""
    centres: list[Matrix] = []
    while len(centres) < clusters:
        centre = rng.uniform(0, 14, size=attributes)
        if all(np.linalg.norm(centre - other) >= 6 for other in centres):
            centres.append(centre)
    truth = rng.choice(clusters, size=units, p=rng.dirichlet(np.full(clusters, 20.0)))
    return np.array(centres)[truth] + rng.normal(size=(units, attributes)), truth


def structure_p(values: Matrix, rng: np.random.Generator, references: int = 19) -> float:
    """The test alone, prepared as `learn` does, up to four clusters."""
    columns = columns_of(named(values))
    prepared, _ = matrix(prepare(columns), columns)
    with single_thread():
        found = structure_test(
            prepared,
            lambda part, k: partition(part, k, seed=0, starts=2).within,
            most_clusters=4,
            references=references,
            rng=rng,
        )
    return found.p_value
