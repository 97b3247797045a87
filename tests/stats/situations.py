"""Situations that advice is given in."""

from __future__ import annotations

from dataclasses import replace

from analysis.estimate import Outlook, Undefined, Verdict
from analysis.inference.recommend import Names

NONE = Undefined(reason="too_few_segments", message="")
NAMES = Names(
    variant={"a": "Old", "b": "New", "c": "Bold", "d": "Loud"}.__getitem__,
    segment={"w": "Women", "m": "Men", "k": "Kids"}.__getitem__,
    metric={"returns": "Returns", "stops": "Stops"}.__getitem__,
    units="customers",
    primary="Visits",
)


def verdict(outcome: str, variant: str | None = None, *leaders: str) -> Verdict:
    return Verdict(outcome=outcome, variant=variant, leaders=leaders, sentence="")  # type: ignore[arg-type]


def won(variant: str) -> Verdict:
    return verdict("winner", variant, variant)


OPEN, LOST, EARLY = (
    verdict("undecided"),
    verdict("control_wins", "a"),
    replace(verdict("too_early"), sentence="Too early to say: wait."),
)
TIED = verdict("tied", None, "b", "c")


def outlook(*, days: float | None = None, units: int | None = None, lift: float | None = None) -> Outlook:
    return Outlook(
        power_left=NONE,
        detectable_lift=NONE if lift is None else lift,
        units_left=NONE if units is None else units,
        days_left=NONE if days is None else days,
    )
