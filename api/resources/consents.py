"""Who consents."""

from __future__ import annotations

from collections import Counter
from typing import Any

from api.body import ItemParser
from api.current import actor, winnow
from api.routes import Routes
from api.schemas.consent import (
    ConsentBatchSchema,
    ConsentPutSchema,
    ConsentSaidSchema,
    ConsentSchema,
    ConsentVerdictsSchema,
    read_word,
)
from experiments.domain.errors import InvalidInput
from experiments.services.consent.consents import ConsentWord
from experiments.services.keys import Scope
from experiments.services.profiles.profiles import ChangeStatus

routes = Routes(
    "Consent",
    "Whether anything of a unit may be stored. Without it the control is shown, and nothing is kept but a digest.",
    parser=ItemParser,
)
_ONE = "/units/<unit:unit_id>/consent"
_UNSTORED = {"Cache-Control": "no-store"}
_VIEWED = ("unit_id", "mode", "is_stored", "said")


@routes.get(_ONE, scope=Scope.PROFILES, out=ConsentSchema, refuses=(503,))
def read(unit_id: str) -> object:
    """Read what a unit has said, and what holds for it now."""
    return winnow().consents.get(unit_id), _UNSTORED


@routes.put(_ONE, scope=Scope.PROFILES, body=ConsentPutSchema, out=ConsentSaidSchema, refuses=(503,))
def say(body: dict[str, Any], unit_id: str) -> object:
    """Say that a unit consents, or refuses; when this is answered, nothing of who refuses is stored any more.

    On 503 after a refusal with `erase`, ask again.
    """
    if body["erase"] and body["granted"]:
        raise InvalidInput("erase_with_grant", "Only who refuses can be erased with it.", path="/erase")
    services = winnow()
    word = ConsentWord(unit_id=unit_id, granted=body["granted"], at=body["at"])
    view = services.consents.say(word, by=actor())
    is_refused = view.said is not None and not view.said.granted  # unless a later word is known
    receipt = services.eraser.erase(unit_id, actor=actor()) if body["erase"] and is_refused else None
    return {**{name: getattr(view, name) for name in _VIEWED}, "receipt": receipt}, _UNSTORED


@routes.post(
    "/units/consents", scope=Scope.PROFILES, body=ConsentBatchSchema, out=ConsentVerdictsSchema, refuses=(503,)
)
def say_many(body: dict[str, Any]) -> object:
    """Say it of up to 1,000 units; every item has a verdict of its own, and the latest word of a unit counts.

    On 503 nothing of it was stored; send it again after `Retry-After`.
    """
    verdicts = winnow().consents.say_many([read_word(item) for item in body["consents"]], by=actor())
    counts = Counter(verdict.status for verdict in verdicts)
    return {"consents": verdicts, **{status.value: counts[status] for status in ChangeStatus}}, _UNSTORED
