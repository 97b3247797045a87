"""The segment that looks best of twenty: what is shown of it, and whether that is true."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator

from analysis.estimate import Selected
from analysis.inference.sequential import mixture_scale
from analysis.inference.side_by_side import compare_segments
from analysis.moments import Moments
from analysis.plan import Cell, Plan
from analysis.report import build
from calibration.engine import ALPHA, TUNED_FOR_UNITS, metric, table
from calibration.naive import QUANTILE
from calibration.scenario import Bound, Floats, Samples, Scenario

_SEGMENTS = tuple(f"s{index:02d}" for index in range(20))
_UNITS = np.full(len(_SEGMENTS), 1_000.0)
# Standard deviations of the true effects, in units where a segment of middling size has a standard error of 1.
TAUS = (0.0, 0.25, 0.5, 1.0, 2.0)
# Segments as they come, the largest with sixteen times the customers of the smallest; and all alike.
UNEQUAL: Floats = np.geomspace(0.5, 2, len(_SEGMENTS))
EQUAL: Floats = np.ones(len(_SEGMENTS))
_QUANTITIES = ("bias", "raw_bias", "covered", "squared", "raw_squared")


@dataclass(frozen=True, slots=True)
class _Shown:
    """Of the best segment: what was shown, the ends of its interval; and of all segments, what was shown of each."""

    best: int
    value: float
    low: float
    high: float
    all: Floats


def _best_of_twenty(rng: Generator, runs: int, safeguard: bool, *, errors: Floats) -> Samples:
    """Per τ: the shown and the raw value of the best less its true one, coverage, and the squared errors of all."""
    samples: dict[str, Floats] = {}
    for tau in TAUS:
        truth = 0.2 + tau * rng.standard_normal((runs, len(_SEGMENTS)))
        estimates = truth + errors * rng.standard_normal(truth.shape)
        if safeguard:
            _audit(estimates[0], errors)
        rows = [_row(*pair, errors, safeguard) for pair in zip(truth, estimates, strict=True)]
        for index, name in enumerate(_QUANTITIES):
            samples[f"{name}_{tau:g}"] = np.array([row[index] for row in rows])
    return samples


def _row(truth: Floats, estimates: Floats, errors: Floats, safeguard: bool) -> tuple[float, ...]:
    shown = (_adjusted if safeguard else _raw)(estimates, errors)
    true = float(truth[shown.best])
    return (
        shown.value - true,
        float(estimates[shown.best]) - true,
        float(shown.low <= true <= shown.high),
        float(((shown.all - truth) ** 2).mean()),
        float(((estimates - truth) ** 2).mean()),
    )


def _audit(estimates: Floats, errors: Floats) -> None:
    """The first experiment's report shows the same of the best segment."""
    n = int(_UNITS[0] / 2)
    spread = (n - 1) * n * errors**2 / 2
    plan = Plan(
        variants=("control", "treatment"),
        control="control",
        segments=_SEGMENTS,
        metrics=(metric("mean"),),
        cells=tuple(Cell(epoch=1, segment=name, weights={"control": 1, "treatment": 1}) for name in _SEGMENTS),
        stopping_rule="fixed_horizon",
        tuned_for_units=TUNED_FOR_UNITS,
    )
    arms = {
        (1, segment, variant): Moments(n=n, mean=mean, m2=m2)
        for segment, estimate, m2 in zip(_SEGMENTS, estimates.tolist(), spread.tolist(), strict=True)
        for variant, mean in (("treatment", 1_000 + estimate), ("control", 1_000.0))
    }
    found = build(plan, table(arms)).segment_comparisons[0].selected
    shown = _adjusted(estimates, errors)
    if not isinstance(found, Selected) or not np.allclose(
        (found.adjusted, found.interval.low, found.interval.high), (shown.value, shown.low, shown.high), rtol=1e-7
    ):
        raise AssertionError(f"best segment: {shown} here, {found} in the report")


def _raw(estimates: Floats, errors: Floats) -> _Shown:
    best = int(estimates.argmax())
    value, reach = float(estimates[best]), QUANTILE * float(errors[best])
    return _Shown(best, value, value - reach, value + reach, estimates)


def _adjusted(estimates: Floats, errors: Floats) -> _Shown:
    found = compare_segments(
        "treatment",
        "control",
        _SEGMENTS,
        estimates,
        errors,
        units=_UNITS,
        alpha=ALPHA,
        rho=mixture_scale(ALPHA, TUNED_FOR_UNITS),
        stopping_rule="fixed_horizon",
        direction="increase",
    )
    selected = found.selected
    assert isinstance(selected, Selected)
    return _Shown(
        _SEGMENTS.index(selected.segment),
        selected.adjusted,
        selected.interval.low,
        selected.interval.high,
        np.array([segment.shrunk for segment in found.segments], dtype=float),
    )


def _judge(name: str, samples: Samples) -> tuple[Bound, ...]:
    return tuple(bound for tau in TAUS for bound in _judge_one(name, samples, f"{tau:g}"))


def _judge_one(name: str, samples: Samples, tau: str) -> tuple[Bound, ...]:
    bias, raw, covered, squared, raw_squared = (
        float(np.mean(samples[f"{quantity}_{tau}"])) for quantity in _QUANTITIES
    )
    return (
        Bound(name=f"{name}.bias_over_raw_at_tau_{tau}", measured=abs(bias / raw), relation="<=", bound=0.1),
        Bound(name=f"{name}.coverage_at_tau_{tau}", measured=covered, relation=">=", bound=0.94),
        Bound(
            name=f"{name}.rmse_over_raw_at_tau_{tau}", measured=(squared / raw_squared) ** 0.5, relation="<=", bound=1
        ),
    )


def _row_of(key: str, what: str, errors: Floats) -> Scenario:
    return Scenario(
        key=key,
        pitfall=f"The best of 20 segments {what}, true effects of five spreads",
        safeguard="empirical-Bayes value, selection-adjusted interval",
        naive="the raw value and its usual interval",
        simulate=partial(_best_of_twenty, errors=errors),
        judge=partial(_judge, key),
        chunk=200,
    )


SCENARIOS = (
    _row_of("winner", "of unequal size", UNEQUAL),
    _row_of("winner_equal", "of equal size", EQUAL),
)
