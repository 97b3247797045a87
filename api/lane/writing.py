"""Answers written out, in every form that is asked for."""

from __future__ import annotations

from collections.abc import Callable

from api.lane.answers import Write, Written
from api.lane.asked import reply
from api.metrics.counts import Decisions
from api.ofrep.evaluation import encode, evaluation
from api.schemas.assignment import AssignmentSchema
from experiments.domain.assignment import Assignment, Reason
from experiments.domain.definition import Definition, ExposurePolicy
from experiments.services.assigning.implied import implied_by


def writer(dumps: Callable[..., str], decisions: Decisions) -> Write:
    """Return what writes an answer; `dumps` is the app's own, so that the lane's bytes are Flask's."""
    schema = AssignmentSchema()

    def write(answer: Assignment, definition: Definition) -> Written:
        exposes = answer.reason is Reason.ASSIGNED and definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT
        document = dumps(schema.dump(answer), separators=(",", ":")).encode()
        return Written(
            assignment=answer,
            document=document,
            reply=reply(b'{"assignments":[' + document + b"]}\n"),
            evaluation=encode(evaluation(answer, definition)),
            slot=decisions.slot(answer.experiment, answer.reason),
            implied=implied_by(answer) if exposes else None,
        )

    return write
