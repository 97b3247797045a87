"""What all sides are asked: one experiment, one condition on the country, 50/50 inside, nobody outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness import Numbers, Work

KEY = "banner"
COUNTRY, ELSEWHERE = "GB", "FR"
CONTROL, TREATMENT, NOBODY = "control", "treatment", "none"

Decide = Callable[[str, Mapping[str, Any]], str | None]
"""(unit id, attributes) -> the key of a variant; whatever is neither variant means that the unit is outside."""
Loop = Callable[[Sequence[str]], None]


def unit_ids(count: int) -> list[str]:
    """Return ids as a shop's customers might have."""
    return [f"customer-{number:08d}" for number in range(count)]


def decisions(decide: Decide, loop: Loop, *, count: int) -> Work:
    """Return the work of deciding for so many units; `loop` does nothing but that, `decide` once says what comes."""
    ids = unit_ids(count)
    return Work(run=lambda: loop(ids), numbers=lambda _: sanity(decide), count=count)


def looped(decide: Decide) -> Loop:
    """Return the loop of those for whom one more call in Python makes no difference."""
    attributes = {"country": COUNTRY}

    def loop(ids: Sequence[str]) -> None:
        for unit_id in ids:
            decide(unit_id, attributes)

    return loop


def sanity(decide: Decide) -> Numbers:
    """Sides hash differently, so variants cannot agree: but both come about equally often, and nobody's elsewhere."""
    ids = unit_ids(2_000)
    inside = [decide(unit_id, {"country": COUNTRY}) for unit_id in ids]
    outside = [decide(unit_id, {"country": ELSEWHERE}) for unit_id in ids]
    return {
        "inside": sum(variant in (CONTROL, TREATMENT) for variant in inside),
        "treated, in tenths": round(10 * inside.count(TREATMENT) / len(ids)),
        "treated elsewhere": outside.count(TREATMENT),
    }
