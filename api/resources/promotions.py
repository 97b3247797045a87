"""Promotions: what would be done, doing it, and taking it back."""

from __future__ import annotations

from typing import Any

from flask import jsonify, url_for

from api.current import actor, winnow
from api.paging import page_of, paged
from api.routes import Routes
from api.schemas.promotion import (
    ApproveSchema,
    PresentSchema,
    PromoteSchema,
    PromotionSchema,
    PromotionsQuery,
    ProposalsSchema,
    ProposedSchema,
    RevertSchema,
)
from experiments.services.keys import Scope

routes = Routes("Promotions", "Winners that go live, segment by segment, on evidence that is kept.")
_PROPOSED = ProposedSchema()


@routes.get("/experiments/<key:key>/proposals", scope=Scope.READ, out=ProposalsSchema, refuses=(404,))
def propose(key: str) -> object:
    """Say what a promotion would do now, in each segment."""
    return {"items": winnow().promoter.propose(key)}


@routes.post(
    "/experiments/<key:key>/promotions",
    scope=Scope.WRITE,
    body=PromoteSchema,
    out=PromotionSchema,
    status=201,
    also={200: ProposedSchema},
    refuses=(404, 409),
)
def promote(body: dict[str, Any], key: str) -> object:
    """Put the segment's winner live; with `dry_run`, only say what would be done."""
    promoter, segment = winnow().promoter, body["segment"]
    if body["dry_run"]:
        (proposal,) = promoter.propose(key, segment)
        return jsonify(_PROPOSED.dump({"proposal": proposal}))
    made = promoter.apply(key, segment, actor=actor(), note=body["reason"])
    return made, 201, {"Location": url_for("Promotions.read", promotion_id=made.id)}


@routes.get("/promotions", scope=Scope.READ, query=PromotionsQuery, out=page_of(PromotionSchema))
def walk(query: dict[str, Any]) -> object:
    """List newest first, of one experiment or of all; `state=proposed` are those that wait for a person."""
    return paged(query, winnow().promoter.history, experiment=query["experiment"], state=query["state"])


@routes.get("/promotions/<key:promotion_id>", scope=Scope.READ, out=PromotionSchema, refuses=(404,))
def read(promotion_id: str) -> object:
    """Read one."""
    return winnow().promoter.get(promotion_id)


@routes.get("/promotions/<key:promotion_id>/evidence", scope=Scope.READ, out=PresentSchema, refuses=(404,))
def present(promotion_id: str) -> object:
    """Say what it has come to: the realised gain beside the predicted one, while it is under way."""
    return {"evidence": winnow().promoter.present_evidence(promotion_id)}


@routes.post(
    "/promotions/<key:promotion_id>/approve",
    scope=Scope.WRITE,
    body=ApproveSchema,
    out=PromotionSchema,
    refuses=(404, 409),
)
def approve(body: dict[str, Any], promotion_id: str) -> object:
    """Let a proposal go live: now, or in quiet hours as soon as they are over."""
    return winnow().promoter.approve(promotion_id, note=body["reason"], actor=actor())


@routes.post(
    "/promotions/<key:promotion_id>/reject",
    scope=Scope.WRITE,
    body=RevertSchema,
    out=PromotionSchema,
    refuses=(404, 409),
)
def reject(body: dict[str, Any], promotion_id: str) -> object:
    """Turn a proposal down, for good: only a person can put its variant live there."""
    return winnow().promoter.reject(promotion_id, reason=body["reason"], actor=actor())


@routes.post(
    "/promotions/<key:promotion_id>/revert",
    scope=Scope.WRITE,
    body=RevertSchema,
    out=PromotionSchema,
    refuses=(404, 409),
)
def revert(body: dict[str, Any], promotion_id: str) -> object:
    """Restore the segment's allocation of before, bucket for bucket."""
    return winnow().promoter.revert(promotion_id, reason=body["reason"], actor=actor())
