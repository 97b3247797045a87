"""Why a variant does or does not go live, for people: the policy's own sentences hold keys where names belong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from api.dashboard import format as say
from experiments.domain.decision import Decision, DecisionReason
from experiments.domain.errors import DomainError

SENTENCES = {
    "already_promoted": "A winner is live in this segment already.",
    "evidence_changed": "The numbers do not speak for it any more.",
    "expected_loss": "It is ahead, and being wrong about it would cost no more, on average, than its rules allow.",
    "family_too_weak": "These tests do not limit the chance of a wrong winner: only a person may put one live.",
    "guardrail_harmed": "It harms a guardrail metric beyond what is tolerated.",
    "guardrail_unproven": "It is not shown yet that it spares the guardrail metrics.",
    "guardrail_worse": "It harms a guardrail metric, perhaps beyond what is tolerated.",
    "lift_lost": "Since it went live, it surely does worse than its rules allow.",
    "loss_too_high": "Choosing it may cost more, on average, than its rules allow.",
    "minimum_units": "One of the variants has been seen by too few yet.",
    "not_always_valid": "Its rules want numbers that hold at every look; the experiment was not planned so.",
    "not_better": "It is not ahead of the control.",
    "not_group_sequential": "Its rules want a planned number of looks; the experiment was not planned so.",
    "not_offered": "It is not offered in this segment any more.",
    "segment_disagrees": "It wins in all segments together, but it does worse in this one.",
    "soaked": "No harm is shown at this share, so it gets the next one.",
    "split_changed": "The split of this segment has changed since this analysis. The next one decides.",
    "stale": "These results are too old to act on.",
    "taken_back": "It was rejected or taken back here: only a person may put it live again.",
}
"""Said in place of the policy's sentence."""

SPEAK_FOR_THEMSELVES = frozenset(
    {
        "below_minimum_lift",
        "below_threshold_for_sure",
        "control_wins",
        "expired",
        "hold_over",
        "holding_back",
        "minimum_duration",
        "no_better_arm",
        "not_confirmed",
        "not_measured",
        "not_running",
        "quiet_hours",
        "soaking",
        "stopped",
        "time_is_up",
        "too_early",
        "untrustworthy",
        "winner",
    }
)
"""Codes whose own sentences have no keys in them; as have the verdicts, whose codes are the outcomes of a report."""

# Of a promotion; `illegal_transition` is the experiment's.
_MOVED_ON = re.compile(r"already_[a-z]+|illegal_[a-z]+_to_[a-z]+")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")


def reasons_of(decision: Decision) -> tuple[str, ...]:
    """Return each reason once, in the order in which the policy looked at them."""
    return in_words(decision.reasons)


def has_moved_on(refusal: DomainError) -> bool:
    """Whether somebody else was faster."""
    return refusal.code not in SENTENCES and _MOVED_ON.fullmatch(refusal.code) is not None


def refusal_in_words(refusal: DomainError) -> str:
    """Say why an act was refused: by the policy, or because somebody else was faster."""
    if refusal.code in SENTENCES:
        return SENTENCES[refusal.code]
    if has_moved_on(refusal):
        return "It has moved on meanwhile; the page now shows where it stands."
    return _dated(refusal.message)


def in_words(reasons: Iterable[DecisionReason]) -> tuple[str, ...]:
    """Return each reason once, in the order given."""
    return tuple(dict.fromkeys(SENTENCES.get(reason.code) or _dated(reason.message) for reason in reasons))


def _dated(message: str) -> str:
    """Write the instants of a sentence as all pages do."""
    return _INSTANT.sub(lambda at: say.instant(datetime.fromisoformat(at[1]).replace(tzinfo=UTC)), message)
