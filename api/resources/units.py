"""What is known of single units."""

from __future__ import annotations

from collections import Counter
from typing import Any

from api.body import ItemParser
from api.current import actor, winnow
from api.routes import Routes
from api.schemas.profile import (
    PatchedProfileSchema,
    ProfileBatchSchema,
    ProfilePatchSchema,
    ProfileSchema,
    ProfileVerdictsSchema,
    read_change,
)
from api.schemas.receipt import ReceiptSchema
from experiments.services.keys import Scope
from experiments.services.profiles.profiles import ChangeStatus, ProfileChange

routes = Routes(
    "Units",
    "Profiles: what sources say of units, laid over one another by precedence. Conditions read them beneath the "
    "attributes of a request.",
    parser=ItemParser,
)
_ONE = "/units/<only_unit:unit_id>"
_UNSTORED = {"Cache-Control": "no-store"}


@routes.get(_ONE, scope=Scope.PROFILES, out=ProfileSchema, refuses=(404, 503))
def read(unit_id: str) -> object:
    """Read what is known of a unit now, and from which source."""
    return winnow().profiles.get(unit_id), _UNSTORED


@routes.view("PATCH", _ONE, scope=Scope.PROFILES, body=ProfilePatchSchema, out=PatchedProfileSchema, refuses=(503,))
def patch(body: dict[str, Any], unit_id: str) -> object:
    """Let a source say something of a unit (JSON merge patch); what the registry does not allow is refused whole."""
    return winnow().profiles.patch(ProfileChange(unit_id=unit_id, **body)), _UNSTORED


@routes.view("DELETE", _ONE, scope=Scope.PROFILES, out=ReceiptSchema, refuses=(503,))
def erase(unit_id: str) -> object:
    """Erase a person everywhere; the receipt says what was done, and does not name them.

    On 503 some of it may be done: ask again after `Retry-After`. Who was never known gets a receipt too.
    """
    return winnow().eraser.erase(unit_id, actor=actor()), _UNSTORED


@routes.post("/units/batch", scope=Scope.PROFILES, body=ProfileBatchSchema, out=ProfileVerdictsSchema, refuses=(503,))
def patch_many(body: dict[str, Any]) -> object:
    """Let a source say something of up to 1,000 units; every unit has a verdict of its own.

    Sending a batch again stores nothing where its units have an `at`; without one they say it anew. On 503 nothing of
    it was stored; send it again after `Retry-After`.
    """
    verdicts = winnow().profiles.upsert_many([read_change(item, body["source"]) for item in body["units"]])
    counts = Counter(verdict.status for verdict in verdicts)
    return {"units": verdicts, **{status.value: counts[status] for status in ChangeStatus}}, _UNSTORED
