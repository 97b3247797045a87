"""Many segments: the best of them, and whether any of them won."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.inference.multiplicity import holm
from analysis.moments import Moments
from analysis.plan import Cell, Plan
from analysis.report import build
from calibration import draws
from calibration.draws import Sums
from calibration.engine import ALPHA, TUNED_FOR_UNITS, Rules, effects, metric, moments_of, table
from calibration.scenario import Bound, Floats, Samples, Scenario

SEGMENTS = 20
_NAMES = tuple(f"s{index:02d}" for index in range(SEGMENTS))
_LOOKS = 25
_PER_LOOK = 200
_FAMILY = Rules(family_size=SEGMENTS)
# The contract's own tolerance; with fewer experiments than it was made for, theirs.
_EXPERIMENTS_OF_BOUND = 20_000


def _null_segments(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """Twenty segments without any effect, looked at 25 times: does one of them ever win?"""
    rows, rules = runs * SEGMENTS, _FAMILY if safeguard else Rules()
    won = np.zeros((runs, SEGMENTS), bool)
    arms: tuple[Sums, Sums] | None = None
    for look in range(_LOOKS):
        added = draws.normal(rng, rows, _PER_LOOK), draws.normal(rng, rows, _PER_LOOK)
        arms = added if arms is None else (arms[0] + added[0], arms[1] + added[1])
        found = effects("mean", [arms[0]], [arms[1]], rules).p_value_always_valid.reshape(runs, SEGMENTS)
        now = _adjusted(found) < ALPHA if safeguard else found < ALPHA
        if safeguard and look == _LOOKS - 1:
            _audit(arms, now[0])
        won |= now
    some: NDArray[np.bool_] = np.any(won, axis=1)
    return {"some_won": some}


def _adjusted(p_values: Floats) -> Floats:
    """Holm's, where any member is below alpha by itself: elsewhere none is after it either."""
    adjusted = np.ones_like(p_values)
    for row in np.flatnonzero((p_values < ALPHA).any(axis=1)):
        adjusted[row] = holm(np.nan_to_num(p_values[row], nan=1.0).tolist())
    return adjusted


def _audit(arms: tuple[Sums, Sums], expected: NDArray[np.bool_]) -> None:
    """The verdicts of the first experiment's report are the ones that are counted here."""
    report = build(_plan(), table(_first_experiment(arms)))
    for scope, won in zip(report.segments, expected, strict=True):
        if (scope.verdict.outcome in ("winner", "control_wins")) != won:
            raise AssertionError(f"{scope.segment}: {scope.verdict.outcome} in the report")


def _plan() -> Plan:
    return Plan(
        variants=("control", "treatment"),
        control="control",
        segments=_NAMES,
        metrics=(metric("mean"),),
        cells=tuple(Cell(epoch=1, segment=name, weights={"control": 1, "treatment": 1}) for name in _NAMES),
        tuned_for_units=TUNED_FOR_UNITS,
    )


def _first_experiment(arms: tuple[Sums, Sums]) -> dict[tuple[int, str, str], Moments]:
    return {
        (1, name, variant): moments_of(sums, row)
        for variant, sums in zip(("treatment", "control"), arms, strict=True)
        for row, name in enumerate(_NAMES)
    }


def _judge_null(samples: Samples) -> tuple[Bound, ...]:
    won = samples["some_won"]
    bound = ALPHA + 4 * (ALPHA * (1 - ALPHA) / min(len(won), _EXPERIMENTS_OF_BOUND)) ** 0.5
    return (Bound(name="segments_null.some_won", measured=float(won.mean()), relation="<=", bound=bound),)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        key="segments_null",
        pitfall="20 segments without an effect, looked at 25 times: one of them wins",
        safeguard="Holm on always-valid p-values",
        naive="every segment by itself",
        simulate=_null_segments,
        judge=_judge_null,
        share=2,
        chunk=500,
    ),
)
