"""Why a variant does or does not go live, for people: the policy's own sentences hold keys where names belong."""

from __future__ import annotations

from experiments.domain.decision import Decision

_SENTENCES = {
    "split_changed": "The split of this segment has changed since this analysis. The next one decides.",
    "stale": "These results are too old to act on.",
    "already_promoted": "A winner is live in this segment already.",
    "guardrail_harmed": "It harms a guardrail metric beyond what is tolerated.",
    "guardrail_worse": "It harms a guardrail metric, perhaps beyond what is tolerated.",
    "not_offered": "It is not offered in this segment any more.",
    "guardrail_unproven": "It is not shown yet that it spares the guardrail metrics.",
}


def reasons_of(decision: Decision) -> tuple[str, ...]:
    """Return each reason once, in the order in which the policy looked at them."""
    return tuple(dict.fromkeys(_SENTENCES.get(reason.code, reason.message) for reason in decision.reasons))
