"""Moments of several numbers per unit together: an outcome and what was known before."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.moments.one import pooled_mean, require_finite


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossMoments:
    """Count, means and centred cross products of several numbers per unit: outcome first, then covariates.

    Parameters
    ----------
    n : int
        Units, those without a pre-period or without any event included.
    mean : tuple
        One mean per variable.
    centred : tuple of tuples
        Σ(x - x̄)(y - ȳ) for each pair of variables; symmetric, in their order.

    Notes
    -----
    `a + b` are the moments of both groups: Chan, Golub & LeVeque (1979), as in `Moments`. Shapes that do not fit raise
    `ValueError`.
    """

    n: int
    mean: tuple[float, ...]
    centred: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if self.n < 0 or len(self.centred) != len(self.mean) or any(len(row) != len(self.mean) for row in self.centred):
            raise ValueError("a negative count, or a matrix that does not fit its means")
        require_finite(self.mean)
        for row in self.centred:
            require_finite(row)

    def __add__(self, other: CrossMoments) -> CrossMoments:
        if len(self.mean) != len(other.mean):
            raise ValueError("moments of different variables do not add")
        if not self.n or not other.n:
            return self if self.n else other
        share = self.n * other.n / (self.n + other.n)
        delta = [a - b for a, b in zip(self.mean, other.mean, strict=True)]
        return CrossMoments(
            n=self.n + other.n,
            mean=tuple(pooled_mean(self.n, a, other.n, b) for a, b in zip(self.mean, other.mean, strict=True)),
            centred=tuple(
                tuple(a + b + delta[i] * delta[j] * share for j, (a, b) in enumerate(zip(row, other_row, strict=True)))
                for i, (row, other_row) in enumerate(zip(self.centred, other.centred, strict=True))
            ),
        )
