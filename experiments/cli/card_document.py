"""Segment cards as JSON."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from analysis.estimate import Undefined
from experiments.services.segment_cards import Cards


def document(made: Cards) -> dict[str, Any]:
    """Field names as keys; a number that does not exist is {"undefined": reason, "message": …}, as in reports."""
    return {
        "units": made.book.units,
        "since": made.since.isoformat(),
        "until": made.until.isoformat(),
        "everybody": _plain(made.book.everybody),
        "cards": [
            {
                "name": made.names[card.segment],
                **_plain(card),
                "unregistered": list(made.unregistered.get(card.segment, ())),
            }
            for card in made.book.cards
        ],
        "notes": list(made.notes),
    }


def _plain(value: Any) -> Any:
    match value:
        case Undefined():
            found: Any = {"undefined": value.reason, "message": value.message}
        case datetime():
            found = value.isoformat()
        case float() if not isfinite(value):
            found = {"undefined": "not_finite", "message": "Too large or too small for a number."}
        case tuple():
            found = [_plain(item) for item in value]
        case _ if is_dataclass(value):
            found = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            found = value
    return found
