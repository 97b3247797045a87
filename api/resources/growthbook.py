"""The addresses that GrowthBook's SDKs ask. The key is a part of them, so only public keys are taken."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from api.auth import IN_ADDRESS
from api.body import LenientParser
from api.current import principal, winnow
from api.preconditions import published
from api.routes import IF_NONE_MATCH, Routes
from api.schemas.growthbook import EvaluatedSchema, EvaluationBodySchema, FeaturesSchema
from experiments.services.keys import Scope

routes = Routes(
    "GrowthBook",
    "For GrowthBook's SDKs: `apiHost` is this server, `clientKey` a key for browsers.",
    prefix="/api",
    parser=LenientParser,
)
_KEPT_SHORTLY = "public, max-age=5, stale-while-revalidate=30, stale-if-error=86400"
"""A content delivery network may stand in front: it is a revoked key's longest life there, and an outage's cushion."""


@routes.get(
    f"/features/<string:{IN_ADDRESS}>",
    scope=Scope.CLIENT,
    key_in_address=True,
    out=FeaturesSchema,
    also={304: None},
    refuses=(503,),
    headers=(IF_NONE_MATCH,),
)
def features() -> object:
    """Read the features that an SDK evaluates by itself: experiments with bucketing version 2."""
    return published(winnow().publisher.features(principal().tags), cache_control=_KEPT_SHORTLY)


@routes.post(
    f"/eval/<string:{IN_ADDRESS}>",
    scope=Scope.CLIENT,
    key_in_address=True,
    body=EvaluationBodySchema,
    out=EvaluatedSchema,
    refuses=(422, 503),
)
def evaluate(body: dict[str, Any]) -> Response:
    """Have all experiments evaluated here, for the unit that `attributes.id` names."""
    told = winnow().remote_evaluator.evaluate(body["attributes"], body["forced_variations"], tags=principal().tags)
    answer = jsonify(told)
    answer.headers["Cache-Control"] = "no-store"
    return answer
