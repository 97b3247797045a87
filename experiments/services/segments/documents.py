"""Reports as JSON: what is not known is a reason, what does not apply is left out (docs/segmentation/reports.md)."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from analysis.estimate import Undefined
from experiments.services.segments.cards import NO_PROFILES, Cards
from experiments.services.segments.customers import CustomerPicture
from experiments.services.segments.doubts import unregistered_doubt
from experiments.services.segments.reports import NO_SEGMENTS
from segmentation.card import Persona, SegmentCard
from segmentation.card.counts import NO_REVENUE, REFUNDS

SCHEMA = 1
NOBODY_KNOWN = Undefined(reason="no_profiles", message=NO_PROFILES)
UNCOUNTABLE = Undefined(
    reason="unregistered",
    message="Who is in it cannot be counted: it looks at an attribute that is not registered.",
)
NOTHING_BOUGHT = Undefined(reason="no_purchases", message="No purchase is known of these weeks.")
NOBODY_EXPOSED = Undefined(reason="no_traffic", message="Nobody was exposed in these weeks.")
NO_WEEK_YET = Undefined(
    reason="no_week_yet", message="Who comes and leaves is counted per week, and the first one is not over."
)
CHANNELS_UNKNOWN = Undefined(
    reason="channels_unknown", message="No exposure and no event of these weeks said through which channel it came."
)
NOTHING_TO_OVERLAP = Undefined(reason="no_segments", message=NO_SEGMENTS)
_APART = frozenset({"segment", "warnings"})


def segment_document(made: Cards, key: str) -> dict[str, Any]:
    """Return what is reported of one segment."""
    card = next((one for one in made.book.cards if one.segment == key), None)
    hidden = NOBODY_KNOWN if card is None else UNCOUNTABLE if key in made.unregistered else None
    return {
        "schema": SCHEMA,
        "segment": key,
        "name": made.names[key],
        "revision": made.revisions[key],
        "made_at": plain(made.until),
        "since": plain(made.since),
        "weeks": made.wish.weeks,
        "purchases": list(made.wish.purchases),
        "minimum_lift": made.wish.minimum_lift,
        "units": made.book.units,
        "everybody": plain(_or(made.book.everybody, NOTHING_BOUGHT if card else NOBODY_KNOWN)),
        "card": _card(card) if card and not hidden else plain(hidden),
        "persona": plain(hidden) if hidden else _persona(made.persona(key)),
        "doubts": _doubts(made, key, card),
        "notes": list(made.notes),
    }


def _card(card: SegmentCard) -> dict[str, Any]:
    no_trial = NOTHING_BOUGHT if card.value is None else NOBODY_EXPOSED
    return {
        "size": plain(card.size),
        "value": plain(_or(card.value, NOTHING_BOUGHT)),
        "stability": plain(_or(card.stability, NO_WEEK_YET)),
        "overlaps": plain(card.overlaps),
        "reached": plain(_or(card.reached, CHANNELS_UNKNOWN)),
        "profiles": plain(card.profiles),
        "traits": plain(card.traits),
        "testability": plain(_or(card.testability, no_trial)),
    }


def _persona(drawn: Persona) -> dict[str, Any]:
    return {name: value for name, value in plain(drawn).items() if name not in _APART}


def _doubts(made: Cards, key: str, card: SegmentCard | None) -> list[Any]:
    """Of whom nobody can count nothing else is doubted."""
    if unknown := made.unregistered.get(key):
        return [dict(unregistered_doubt(unknown, is_registry_used=made.is_registry_used))]
    found: list[Any] = [] if card is None else plain(card.warnings)
    return found


def customers_document(made: Cards, rfm: CustomerPicture | Undefined) -> dict[str, Any]:
    """Return what is reported of everybody."""
    return {
        "schema": SCHEMA,
        "made_at": plain(made.until),
        "units": made.book.units,
        "rfm": plain(rfm) if isinstance(rfm, Undefined) else rfm_document(rfm),
        "overlap": _overlap(made),
    }


def rfm_document(found: CustomerPicture) -> dict[str, Any]:
    """Return counts and money; `unvalued` purchases are not kept apart where these come from."""
    summary = {name: value for name, value in asdict(found.summary).items() if name != "unvalued"}
    missing = REFUNDS if found.summary.revenue_cents > 0 else NO_REVENUE
    return {
        **{name: plain(_or(value, missing)) for name, value in summary.items()},
        "cuts": plain(found.cuts),
        "heat_map": plain(found.heat_map),
        "groups": [{name: plain(_or(value, missing)) for name, value in asdict(one).items()} for one in found.groups],
    }


def _overlap(made: Cards) -> dict[str, Any]:
    cards = made.book.cards
    if not cards:
        nothing: dict[str, Any] = plain(NOBODY_KNOWN if made.names else NOTHING_TO_OVERLAP)
        return nothing
    shared = {(card.segment, one.other): one for card in cards for one in card.overlaps}
    keys = [card.segment for card in cards]
    units = {card.segment: card.size.units for card in cards}
    own = {
        key: 1.0 if units[key] else Undefined(reason="no_units", message="Nobody is in this segment.") for key in keys
    }
    return {
        "segments": keys,
        "names": [made.names[key] for key in keys],
        "units": [units[key] for key in keys],
        "both": [[units[a] if a == b else shared[a, b].both for b in keys] for a in keys],
        "shares": [[plain(own[a] if a == b else shared[a, b].share_of_this) for b in keys] for a in keys],
    }


def _or(value: Any, reason: Undefined) -> Any:
    return reason if value is None else value


def plain(value: Any) -> Any:
    """Return what JSON holds; fields that are None are left out, a number that does not exist is its reason."""
    match value:
        case Undefined():
            found: Any = {"undefined": value.reason, "message": value.message}
        case datetime():
            found = value.astimezone(UTC).isoformat()
        case float() if not isfinite(value):
            found = {"undefined": "not_finite", "message": "Too large or too small for a number."}
        case tuple() | list():
            found = [plain(item) for item in value]
        case _ if is_dataclass(value):
            named = ((field.name, getattr(value, field.name)) for field in fields(value))
            found = {name: plain(item) for name, item in named if item is not None}
        case _:
            found = value
    return found
