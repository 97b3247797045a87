"""The other legal way to look again: error spending, at looks that were planned and at looks that were not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr

from analysis.estimate import Undefined
from analysis.inference.group_sequential import Spending, spending_boundaries
from analysis.plan import Looks, SpendingShape
from analysis.report import build
from calibration import draws, naive
from calibration.draws import Sums
from calibration.engine import ALPHA, DEFAULT, effects, moments_of, plan_of, table
from calibration.scenario import Bound, Samples, Scenario, at_most

_PLANNED_PER_ARM = 5_000
_PLANNED = (0.2, 0.4, 0.6, 0.8, 1.0)


def _spent(rng: Generator, runs: int, safeguard: bool, *, shape: SpendingShape, planned: bool) -> Samples:
    sizes = [round(_PLANNED_PER_ARM * fraction) for fraction in (_PLANNED if planned else _surprising(rng))]
    boundaries = spending_boundaries(Spending(family=shape), [size / _PLANNED_PER_ARM for size in sizes])
    wrong = np.zeros(runs, bool)
    arms: tuple[Sums, Sums] | None = None
    for look, (before, size) in enumerate(pairwise((0, *sizes))):
        added = draws.normal(rng, runs, size - before), draws.normal(rng, runs, size - before)
        arms = added if arms is None else (arms[0] + added[0], arms[1] + added[1])
        p = effects("mean", [arms[0]], [arms[1]]).p_value
        critical = boundaries[look].critical if safeguard else naive.QUANTILE
        crossed = np.zeros(runs, bool) if isinstance(critical, Undefined) else p < 2 * ndtr(-critical)
        if safeguard and look in (0, len(sizes) - 1):
            _audit(arms, sizes[:look], shape, crossed=bool(crossed[0]))
        wrong |= crossed
    return {"wrong": wrong}


def _audit(arms: tuple[Sums, Sums], earlier: Sequence[int], shape: SpendingShape, *, crossed: bool) -> None:
    """The first experiment's report concludes what is counted here."""
    so_far = tuple(2 * size for size in earlier)
    plan = replace(
        plan_of("mean", DEFAULT),
        stopping_rule="group_sequential",
        looks=Looks(planned_units=2 * _PLANNED_PER_ARM, earlier_units={None: so_far, "all": so_far}, shape=shape),
    )
    cells = {(0, "all", name): moments_of(arm, 0) for name, arm in zip(("treatment", "control"), arms, strict=True)}
    outcome = build(plan, table(cells)).segments[0].verdict.outcome
    if (outcome in ("winner", "control_wins")) != crossed:
        raise AssertionError(f"{outcome} in the report after {so_far}")


def _surprising(rng: Generator) -> list[float]:
    """Three to ten looks whenever somebody happened to look, the last of them maybe beyond the plan."""
    count = int(rng.integers(3, 11))
    return sorted(set((0.02 + 1.08 * rng.random(count)).round(3).tolist()))


def _judge(name: str, samples: Samples) -> tuple[Bound, ...]:
    return (at_most(name, samples["wrong"], ALPHA),)


def _row(key: str, pitfall: str, shape: SpendingShape, *, planned: bool) -> Scenario:
    return Scenario(
        key=key,
        pitfall=pitfall,
        safeguard="error spending (Lan–DeMets)",
        naive="1.96 at every look",
        simulate=partial(_spent, shape=shape, planned=planned),
        judge=partial(_judge, f"{key}.any_look_error"),
        chunk=200,
    )


SCENARIOS = (
    _row("looks_planned", "Five planned looks, O'Brien–Fleming shape", "obrien_fleming", planned=True),
    _row("looks_unplanned", "Three to ten looks that nobody planned", "pocock", planned=False),
)
