"""Steps of colour for counts and shares, and what each step stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from api.dashboard import format as say

STEPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A colour of the legend; step 0 is nobody."""

    step: int
    label: str


def step_of(value: float, most: float) -> int:
    """1 to 5 by the square root, so that few beside many are still told apart; 0 for nothing."""
    if value <= 0 or most <= 0:
        return 0
    return min(STEPS, ceil(STEPS * sqrt(value / most) - 1e-9))


def count_legend(most: int) -> tuple[Step, ...]:
    """From how many to how many customers each colour holds; colours that no count can have are left out."""
    bounds = [floor(most * (step / STEPS) ** 2 + 1e-9) for step in range(STEPS + 1)]
    ranges = [(step, bounds[step - 1] + 1, bounds[step]) for step in range(1, STEPS + 1)]
    return (
        Step(step=0, label="nobody"),
        *(Step(step=step, label=_range(low, high)) for step, low, high in ranges if high >= low),
    )


def share_step(share: float) -> int:
    """A share by fifths; 0 for nobody at all."""
    return 0 if share <= 0 else min(STEPS, ceil(STEPS * share - 1e-9))


SHARE_LEGEND: Sequence[Step] = (
    Step(step=0, label="nobody"),
    *(Step(step=step, label=f"up to {20 * step}%") for step in range(1, STEPS)),
    Step(step=STEPS, label="over 80%"),
)


def _range(low: int, high: int) -> str:
    return say.count(low) if low == high else f"{say.count(low)} to {say.count(high)}"
