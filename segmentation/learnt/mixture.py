"""A Gaussian mixture beside k-means: does a model that allows for other shapes say the same?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from segmentation.learnt.partition import Labels
from segmentation.rules.columns import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureView:
    """`bic` from one component up, the least is best; `agreement`: adjusted Rand with k-means at k-means' number."""

    bic: tuple[float, ...]
    components: int
    agreement: float


def mixture_view(matrix: Floats, labels: Labels, *, most: int, starts: int, seed: int) -> MixtureView:
    """Mixtures of 1 … most Gaussians with full covariances, by maximum likelihood.

    BIC = -2·log likelihood + parameters · log n: Schwarz, Annals of Statistics 6 (1978), pp. 461-464; for mixtures
    Fraley & Raftery, J. Amer. Statist. Assoc. 97 (2002), pp. 611-631. One skewed lump takes several components, so
    their number is no number of clusters: it is told, and decides nothing.
    """
    clusters = int(labels.max()) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [
            GaussianMixture(n_components=k, n_init=starts, random_state=seed, reg_covar=1e-4).fit(matrix)
            for k in range(1, most + 1)
        ]
    bic = tuple(float(model.bic(matrix)) for model in models)
    return MixtureView(
        bic=bic,
        components=1 + min(range(most), key=bic.__getitem__),
        agreement=float(adjusted_rand_score(labels, models[clusters - 1].predict(matrix))),
    )
