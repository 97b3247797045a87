"""Promotion policies as documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any

from experiments.domain.promotion_policy import (
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    QuietHours,
    WinnerRule,
)
from experiments.storage.documents.versioned import Document

_PLAIN = (
    "automatic",
    "minimum_lift",
    "loss_tolerance",
    "minimum_weeks",
    "minimum_units",
    "maximum_weeks",
    "soak_seconds",
    "holdback_bp",
    "exploration_bp",
    "hold_seconds",
    "revert_below_lift",
    "expires_after_seconds",
    "maximum_age_seconds",
)


def policy_to_document(policy: PromotionPolicy) -> Document:
    return {name: getattr(policy, name) for name in _PLAIN} | {
        "winner": policy.winner,
        "scope": policy.scope,
        "guardrails": policy.guardrails,
        "ramp_bp": list(policy.ramp_bp),
        "quiet_hours": _quiet_to(policy.quiet_hours),
    }


def policy_from_document(document: Mapping[str, Any]) -> PromotionPolicy:
    """What an older document lacks has the value that authors get who ask for nothing."""
    plain = {name: document[name] for name in _PLAIN if name in document}
    guardrails = GuardrailRule(document["guardrails"])
    if "winner" not in document:
        return PromotionPolicy(guardrails=guardrails, **plain)
    return PromotionPolicy(
        guardrails=guardrails,
        winner=WinnerRule(document["winner"]),
        scope=PromotionScope(document["scope"]),
        ramp_bp=tuple(document["ramp_bp"]),
        quiet_hours=_quiet_from(document["quiet_hours"]),
        **plain,
    )


def _quiet_to(hours: QuietHours | None) -> Document | None:
    if hours is None:
        return None
    return {"start": hours.start.isoformat(), "end": hours.end.isoformat(), "timezone": hours.timezone}


def _quiet_from(document: Mapping[str, Any] | None) -> QuietHours | None:
    if document is None:
        return None
    start, end = time.fromisoformat(document["start"]), time.fromisoformat(document["end"])
    return QuietHours(start=start, end=end, timezone=document["timezone"])
