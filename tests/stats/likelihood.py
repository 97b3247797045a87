"""Score statistics of two binomials by brute force: the likelihood's derivative, halved to fifty digits.

No cubic, no quadratic, no Newton: what the engine has in closed form is solved here by bisection in decimals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext

Counts = tuple[tuple[int, int], tuple[int, int]]  # (successes, n) of treatment and baseline


def root(falling: Callable[[Decimal], Decimal], low: Decimal, high: Decimal) -> Decimal:
    for _ in range(190):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def difference_rates(counts: Counts, difference: Decimal) -> tuple[Decimal, Decimal]:
    """Likeliest rates (treatment, baseline) that differ by `difference`."""
    (x1, n1), (x0, n0) = counts

    def score(p: Decimal) -> Decimal:
        terms = ((x1, p + difference), (x1 - n1, 1 - p - difference), (x0, p), (x0 - n0, 1 - p))
        return sum((k / value for k, value in terms if k), Decimal(0))

    p0 = root(score, max(Decimal(0), -difference), min(Decimal(1), 1 - difference))
    return p0 + difference, p0


def ratio_rates(counts: Counts, ratio: Decimal) -> tuple[Decimal, Decimal]:
    """Likeliest rates (treatment, baseline) of which the first is `ratio` times the second."""
    (x1, n1), (x0, n0) = counts

    def score(p: Decimal) -> Decimal:
        terms = ((x1 + x0, p), (ratio * (x1 - n1), 1 - ratio * p), (x0 - n0, 1 - p))
        return sum((k / value for k, value in terms if k), Decimal(0))

    p0 = root(score, Decimal(0), min(Decimal(1), 1 / ratio))
    return ratio * p0, p0


def z_difference(strata: Sequence[tuple[float, Counts]], difference: float) -> float:
    """Σ w(d - difference) / √(Σ w²·v·N/(N - 1))."""
    with localcontext() as context:
        context.prec = 60
        distance = variance = Decimal(0)
        for weight, counts in strata:
            (x1, n1), (x0, n0) = counts
            p1, p0 = difference_rates(counts, Decimal(difference))
            w, spread = Decimal(weight), p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0
            distance += w * (Decimal(x1) / n1 - Decimal(x0) / n0 - Decimal(difference))
            variance += w * w * spread * (n1 + n0) / (n1 + n0 - 1)
        return float(distance / variance.sqrt())


def z_lift(strata: Sequence[tuple[float, Counts]], lift: float) -> float:
    """Σ w(p̂₁ - R·p̂₀) / √(Σ w²·v·N/(N - 1)), R = 1 + lift."""
    with localcontext() as context:
        context.prec = 60
        distance = variance = Decimal(0)
        ratio = 1 + Decimal(lift)
        for weight, counts in strata:
            (x1, n1), (x0, n0) = counts
            p1, p0 = ratio_rates(counts, ratio)
            w, spread = Decimal(weight), p1 * (1 - p1) / n1 + ratio * ratio * p0 * (1 - p0) / n0
            distance += w * (Decimal(x1) / n1 - ratio * Decimal(x0) / n0)
            variance += w * w * spread * (n1 + n0) / (n1 + n0 - 1)
        return float(distance / variance.sqrt())
