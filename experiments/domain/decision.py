"""Decision: what to do with one segment, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """`promote`: put the winner live. `ramp`: give it the next share. `hold`: not now. `roll_back`: take it back.
    `stop_futile`: waiting is not worth it. `no_winner`: there is nothing to promote, and waiting will not change it.
    """

    PROMOTE = "promote"
    RAMP = "ramp"
    HOLD = "hold"
    ROLL_BACK = "roll_back"
    STOP_FUTILE = "stop_futile"
    NO_WINNER = "no_winner"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionReason:
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`reasons` stand in the order in which they were looked at; the first one decided."""

    action: Action
    variant: str | None
    reasons: tuple[DecisionReason, ...]

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(reason.code for reason in self.reasons)


HOLD_OVER = "hold_over"
"""The one reason to hold on which a promotion is kept for good: the holdback has measured for as long as it should."""
