"""OpenFeature's clients ask: OFREP 0.3.0."""

from __future__ import annotations

from typing import Any

from flask import Response

from api.body import LenientParser
from api.current import metrics, principal, winnow
from api.ofrep.evaluation import bulk, encode, evaluation, tag
from api.ofrep.streams import address_of_streams, catch_up_with
from api.preconditions import has_already
from api.routes import IF_NONE_MATCH, Routes
from api.schemas.ofrep import EvaluateSchema, EvaluationSchema, EvaluationsSchema, FailureSchema, NoticedSchema
from experiments.services.assigning.assign import Unit
from experiments.services.keys import Scope

routes = Routes(
    "OFREP",
    "The OpenFeature Remote Evaluation Protocol: experiments as flags, their content as values.",
    prefix="/ofrep/v1/evaluate",
    parser=LenientParser,
)
_FAILS = {400: FailureSchema}


@routes.post(
    "/flags/<string:key>",
    scope=Scope.ASSIGN,
    body=EvaluateSchema,
    out=EvaluationSchema,
    fails={404: FailureSchema, **_FAILS},
    refuses=(429, 503),
)
def evaluate(body: dict[str, Any], key: str) -> object:
    """Evaluate one live experiment for one unit."""
    (found,) = _evaluated(body["context"], key)
    return _answer(found)


@routes.post(
    "/flags",
    scope=Scope.ASSIGN,
    body=EvaluateSchema,
    query=NoticedSchema,
    out=EvaluationsSchema,
    also={304: None},
    fails=_FAILS,
    refuses=(429, 503),
    headers=(IF_NONE_MATCH,),
)
def evaluate_all(body: dict[str, Any], query: dict[str, Any]) -> object:
    """Evaluate all live experiments for one unit; paused and stopped ones are live."""
    services = winnow()
    catch_up_with(services.catalog, query["flagConfigEtag"])
    since = services.catalog.loaded().version
    found = _evaluated(body["context"], None)
    streams, ticket = address_of_streams(since)
    etag = tag(found, ticket)
    headers = {"ETag": f'"{etag}"'}
    if has_already(etag):
        return Response(status=304, headers=headers)
    return _answer(bulk(found, streams), headers)


def _evaluated(unit: Unit, experiment: str | None) -> list[bytes]:
    found = winnow().assigner.evaluate(unit, experiment, tags=principal().tags)
    metrics().decisions.count(answer for _, answer in found)
    return [encode(evaluation(answer, live.experiment.definition)) for live, answer in found]


def _answer(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, headers=headers, mimetype="application/json")
