"""An assignment as an OFREP evaluation. Pure: the same answer is always the same bytes, so they can be kept.

Content is the value; content `null` leaves the value out, which means "use the default in the code". A whole number
with a point (`1.0`) stays one, as clients tell integers from floats by it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from experiments.domain.assignment import Assignment, Reason
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import Definition

# OFREP 0.3.0 has no DEFAULT among its reasons, although OpenFeature has: who is kept out gets what is live for all.
REASONS: Mapping[Reason, str] = {
    Reason.ASSIGNED: "SPLIT",
    Reason.FORCED: "TARGETING_MATCH",
    Reason.HOLDOUT: "STATIC",
    Reason.OTHER_EXPERIMENT: "STATIC",
    Reason.NOT_IN_TRAFFIC: "STATIC",
    Reason.PAUSED: "DISABLED",
    Reason.STOPPED: "STATIC",
    Reason.NO_CONSENT: "STATIC",
}

encode = msgspec.json.Encoder().encode


def evaluation(answer: Assignment, definition: Definition) -> dict[str, Any]:
    """Return the evaluation; its metadata hold all that an exposure of this answer has to say."""
    metadata: dict[str, str | int | bool] = {
        "experiment": answer.experiment,
        "version": answer.version,
        "epoch": answer.epoch,
        "variant": answer.variant,
        "reason": answer.reason.value,
        "counted": answer.reason is Reason.ASSIGNED,
        "exposure_policy": definition.exposure_policy.value,
    }
    if answer.segment is not None:
        metadata["segment"] = answer.segment
    value = {} if answer.content is None else {"value": answer.content}
    return {
        "key": answer.experiment,
        **value,
        "reason": reason(answer, definition),
        "variant": answer.variant,
        "metadata": metadata,
    }


def reason(answer: Assignment, definition: Definition) -> str:
    """Return OpenFeature's word for ours. Where everybody in a segment sees the same, chance has no part in it."""
    if answer.reason is not Reason.ASSIGNED or answer.segment is None or definition.layer is not None:
        return REASONS[answer.reason]
    plan = definition.plan_of(answer.segment)
    if plan is None or plan.traffic_bp < BUCKETS or len(plan.allocation.weights_bp) > 1:
        return "SPLIT"
    return "TARGETING_MATCH" if len(definition.segments) > 1 else "STATIC"


def bulk(evaluations: Iterable[bytes], streams: bytes = b"") -> bytes:
    """Return the answer to a bulk request out of encoded evaluations and the encoded list of event streams."""
    flags = b'{"flags":[' + b",".join(evaluations) + b"]"
    return flags + (b',"eventStreams":' + streams if streams else b"") + b"}"


def tag(evaluations: Iterable[bytes], ticket: str = "") -> str:
    """Return the ETag, without quotes. It changes with any answer, and when clients need a new address of their stream.

    What a change of the configuration does to other units leaves it as it is.
    """
    digest = hashlib.blake2b(ticket.encode(), digest_size=15)
    for each in evaluations:
        digest.update(each)
    return base64.urlsafe_b64encode(digest.digest()).decode()
