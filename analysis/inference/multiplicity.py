"""Many comparisons at once: adjusted p-values, p ≤ adjusted ≤ 1, in the order given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.estimate import SMALLEST_P

Adjustment = Callable[[Sequence[float]], list[float]]


def bonferroni(p_values: Sequence[float]) -> list[float]:
    """m·p: family-wise error under any dependence."""
    return [min(1.0, len(p_values) * p) for p in p_values]


def holm(p_values: Sequence[float]) -> list[float]:
    """Step-down Bonferroni: family-wise error under any dependence, never weaker than Bonferroni.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979), pp. 65-70. On
    always-valid p-values the guarantee holds at every stopping time.
    """
    m = len(p_values)
    adjusted = [0.0] * m
    highest = 0.0
    for rank, index in enumerate(_ascending(p_values)):
        highest = max(highest, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def hochberg(p_values: Sequence[float]) -> list[float]:
    """Step-up Bonferroni, never weaker than Holm: family-wise error for independent or positively dependent p-values.

    The k-th smallest of m becomes min over j ≥ k of (m - j + 1)·p₍ⱼ₎. Hochberg, "A sharper Bonferroni procedure for
    multiple tests of significance", Biometrika 75 (1988), pp. 800-802. It rests on Simes' inequality, which may fail
    where p-values are negatively dependent (one arm's gain is another's loss): `holm` needs no such assumption.
    """
    m = len(p_values)
    adjusted = [0.0] * m
    lowest = 1.0
    for rank, index in enumerate(reversed(_ascending(p_values)), start=1):
        lowest = min(lowest, rank * p_values[index])
        adjusted[index] = lowest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Step-up: false discovery rate for independent or positively dependent p-values.

    Benjamini & Hochberg, JRSS B 57 (1995), pp. 289-300. On p = 1/e of e-values (our always-valid p-values are that)
    this is e-BH, and holds under any dependence and at any stopping time: Wang & Ramdas, "False discovery rate control
    with e-values", JRSS B 84 (2022), pp. 822-852.
    """
    return _step_up(p_values, 1.0)


def benjamini_yekutieli(p_values: Sequence[float]) -> list[float]:
    """Step-up for any dependence: Benjamini–Hochberg times Σ 1/k. Annals of Statistics 29 (2001), theorem 1.3."""
    return _step_up(p_values, sum(1 / k for k in range(1, len(p_values) + 1)))


def e_benjamini_hochberg(e_values: Sequence[float]) -> list[float]:
    """e-BH: adjusted p-values of e-values; false discovery rate under any dependence, at any stopping time.

    Parameters
    ----------
    e_values
        ≥ 0, infinity allowed; each of mean at most 1 under its hypothesis. Anything else raises `ValueError`.

    Returns
    -------
    list
        min over j ≥ k of m/(j·e₍ⱼ₎), at most 1, e₍ⱼ₎ being the j-th largest: the hypotheses at or below alpha are those
        that e-BH rejects at alpha, {e ≥ m/(alpha·k̂)}. No value is 0: an infinite e-value gives the smallest float.

    Notes
    -----
    Wang & Ramdas, "False discovery rate control with e-values", JRSS B 84 (2022), pp. 822-852, definition 1 and theorem
    2. Weaker than Benjamini–Hochberg on p-values where those are independent: the price of needing no assumption.
    """
    if not all(e >= 0 for e in e_values):
        raise ValueError("an e-value is negative or not a number")
    return benjamini_hochberg([1.0 if e <= 1 else max(1 / e, SMALLEST_P) for e in e_values])


def _step_up(p_values: Sequence[float], factor: float) -> list[float]:
    m = len(p_values)
    adjusted = [0.0] * m
    lowest = 1.0
    ascending = _ascending(p_values)
    for rank in range(m, 0, -1):
        index = ascending[rank - 1]
        lowest = min(lowest, factor * m / rank * p_values[index])
        adjusted[index] = lowest
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)
