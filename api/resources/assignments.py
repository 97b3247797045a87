"""Which variant does this unit see?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import jsonify

from api.current import metrics, principal, winnow
from api.routes import Routes
from api.schemas.assignment import AnswersSchema, AskManySchema, AskSchema, AssignmentSchema, ManyAnswersSchema
from experiments.domain.assignment import Assignment
from experiments.services.assigning.assign import Unit
from experiments.services.keys import Scope

routes = Routes("Assignments", "Which variant a unit sees. Answered from memory; asking is not showing.")
_ANSWER = AssignmentSchema()


@routes.post("/assignments", scope=Scope.ASSIGN, body=AskSchema, out=AnswersSchema, refuses=(404, 503))
def assign(body: dict[str, Any]) -> object:
    """Ask for one unit, about one experiment or all running ones."""
    unit = Unit(unit_id=body["unit_id"], attributes=body["attributes"])
    (answers,) = _assigned([unit], body)
    return jsonify(assignments=answers)


@routes.post("/assignments/batch", scope=Scope.ASSIGN, body=AskManySchema, out=ManyAnswersSchema, refuses=(404, 503))
def assign_many(body: dict[str, Any]) -> object:
    """Ask for up to 1,000 units at once; answers stand in the order of the units."""
    units: list[Unit] = body["units"]
    answers = _assigned(units, body)
    results = [{"unit_id": unit.unit_id, "assignments": given} for unit, given in zip(units, answers, strict=True)]
    return jsonify(results=results)


def _assigned(units: Sequence[Unit], body: Mapping[str, Any]) -> list[list[Any]]:
    """Return the answers as documents. Many units share one answer, so each is written out once."""
    assign = winnow().assigner.assign
    answers = assign(units, body["experiment"], tags=principal().tags, channel=body["channel"])
    for given in answers:
        metrics().decisions.count(given)
    distinct: dict[int, Assignment] = {id(answer): answer for given in answers for answer in given}
    documents = {name: _ANSWER.dump(answer) for name, answer in distinct.items()}
    return [[documents[id(answer)] for answer in given] for given in answers]
