"""Promotion policies, as authors write them."""

from __future__ import annotations

from datetime import time
from typing import Any

from marshmallow import fields

from api.schemas.base import Built
from api.schemas.fields import Flag, Number, Several, Text, Whole, choice, seconds
from experiments.domain.promotion_policy import (
    MAX_EXPLORATION_BP,
    MAX_RAMP_STEPS,
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    QuietHours,
    WinnerRule,
)


class ClockTime(fields.Field[time]):
    """A time of day as `22:00`."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "A time of day is wanted, such as 22:00.",
    }

    def _serialize(self, value: time | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else f"{value:%H:%M}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:
        try:
            found = time.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.make_error("invalid") from None
        if found.tzinfo is not None or found.second or found.microsecond:
            raise self.make_error("invalid")
        return found


class QuietHoursSchema(Built):
    """Across midnight where the end is earlier than the start."""

    builds = QuietHours

    start = ClockTime(required=True, metadata={"type": "string", "example": "22:00"})
    end = ClockTime(required=True, metadata={"type": "string", "example": "07:00"})
    timezone = Text(metadata={"description": "IANA name, such as Europe/Berlin; left out: UTC."})


class PromotionPolicySchema(Built):
    """When a variant may go live, how it gets there, and when it is taken back."""

    builds = PromotionPolicy

    automatic = Flag(metadata={"description": "Without approval by a person."})
    winner = choice(WinnerRule)
    scope = choice(PromotionScope)
    minimum_lift = Number()
    loss_tolerance = Number(
        allow_none=True, metadata={"description": "Of `expected_loss` only: a fraction of the control's value."}
    )
    guardrails = choice(GuardrailRule)
    minimum_weeks = Whole()
    minimum_units = Whole(metadata={"description": "Per variant, on top of the analysis plan's minimum."})
    maximum_weeks = Whole(allow_none=True, metadata={"description": "Then the answer is to stop."})
    ramp_bp = Several(
        Whole(),
        metadata={"description": f"The winner's shares on its way, growing; {MAX_RAMP_STEPS} at most."},
    )
    soak_seconds = seconds(metadata={"description": "How long each of these is watched, at least."})
    holdback_bp = Whole(metadata={"description": "The control's share while the winner is live."})
    exploration_bp = Whole(
        metadata={
            "description": f"Who goes on seeing any variant while a winner is live; {MAX_EXPLORATION_BP} at most."
        }
    )
    hold_seconds = seconds(metadata={"description": "How long the holdback measures."})
    revert_below_lift = Number(
        metadata={"description": "The winner is taken back when the realised lift is surely below this."}
    )
    quiet_hours = fields.Nested(QuietHoursSchema, allow_none=True)
    expires_after_seconds = seconds(metadata={"description": "How long a proposal waits for a person."})
    maximum_age_seconds = seconds(metadata={"description": "Older evidence is stale."})
