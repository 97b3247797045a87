"""What is done elsewhere, or by hand: the alternatives that the calibration has to catch."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc, ndtr, stdtr

from analysis.comparison import EffectColumns
from calibration.draws import Sums
from calibration.scenario import Floats

QUANTILE = 1.959963984540054


def normal_p(z: Floats) -> Floats:
    found: Floats = 2 * ndtr(-np.abs(z))
    return found


def pooled_z(treatment: Sums, baseline: Sums) -> Floats:
    """Two proportions with all their epochs in one pot."""
    rate = (treatment.n * treatment.mean + baseline.n * baseline.mean) / (treatment.n + baseline.n)
    with np.errstate(divide="ignore", invalid="ignore"):
        z: Floats = (treatment.mean - baseline.mean) / np.sqrt(rate * (1 - rate) * (1 / treatment.n + 1 / baseline.n))
    return z


def pooled_t_p(treatment: Sums, baseline: Sums) -> Floats:
    """Student's t with one variance for both arms."""
    freedom = treatment.n + baseline.n - 2
    variance = (treatment.m2 + baseline.m2) / freedom
    t = (treatment.mean - baseline.mean) / np.sqrt(variance * (1 / treatment.n + 1 / baseline.n))
    found: Floats = 2 * stdtr(freedom, -np.abs(t))
    return found


def poisson_p(treatment: Sums, baseline: Sums) -> Floats:
    """Counts as if every unit had the same rate."""
    z = (treatment.mean - baseline.mean) / np.sqrt(treatment.mean / treatment.n + baseline.mean / baseline.n)
    return normal_p(z)


def continuity_corrected_p(treatment: Sums, baseline: Sums) -> Floats:
    """Yates: two proportions with half a unit taken off the difference."""
    rate = (treatment.n * treatment.mean + baseline.n * baseline.mean) / (treatment.n + baseline.n)
    per_unit = 1 / treatment.n + 1 / baseline.n
    distance = np.maximum(np.abs(treatment.mean - baseline.mean) - per_unit / 2, 0)
    return normal_p(distance / np.sqrt(rate * (1 - rate) * per_unit))


def event_level_p(treatment: Sums, baseline: Sums) -> Floats:
    """A ratio of 0/1 events over all events, as if these, and not their users, had been randomised."""
    events = treatment.n * treatment.denominator_mean, baseline.n * baseline.denominator_mean
    hits = treatment.n * treatment.mean, baseline.n * baseline.mean
    rate = (hits[0] + hits[1]) / (events[0] + events[1])
    difference = hits[0] / events[0] - hits[1] / events[1]
    return normal_p(difference / np.sqrt(rate * (1 - rate) * (1 / events[0] + 1 / events[1])))


def wald_lift(treatment: Sums, baseline: Sums) -> tuple[Floats, Floats]:
    """First-order standard error of the lift of a rate, to both sides."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = treatment.mean / baseline.mean
        relative = sum((1 - arm.mean) / (arm.mean * arm.n) for arm in (treatment, baseline))
        reach = QUANTILE * ratio * np.sqrt(relative)
        return ratio - 1 - reach, ratio - 1 + reach


def divided_by_baseline(found: EffectColumns, baseline: Sums) -> tuple[Floats, Floats]:
    """The interval of the difference, in percent of a baseline that is taken as known."""
    low: Floats = found.fixed_low / baseline.mean
    high: Floats = found.fixed_high / baseline.mean
    return low, high


def always_valid_p(z: Floats, units: Floats, rho: float) -> Floats:
    """The confidence sequence with nothing around it: no minimum, and units for a clock."""
    v = units * rho * rho
    found: Floats = np.minimum(np.exp(0.5 * (np.log1p(v) - z * z * v / (1 + v))), 1.0)
    return found


def chi_square_p(counts: Floats, shares: Floats, *, freedom: int | None = None) -> Floats:
    """Arms along the last axis."""
    expected = counts.sum(axis=-1, keepdims=True) * shares
    chi_square = ((counts - expected) ** 2 / expected).sum(axis=-1)
    found: Floats = chdtrc(shares.size - 1 if freedom is None else freedom, chi_square)
    return found
