"""The card of a segment in a stored report (JSON), read into values."""

from __future__ import annotations

from datetime import datetime

from api.dashboard.stored.card_values import (
    Card,
    Doubt,
    Outlook,
    Overlap,
    Reach,
    Reached,
    Shown,
    Steadiness,
    Trait,
    Week,
    Worth,
)
from api.dashboard.stored.values import Doc, interval_of, is_defined, number_of

_PARTS = ("value", "stability", "reached", "testability")


def read_card(doc: Doc) -> Card:
    """Raise KeyError where the document is no card."""
    return Card(
        units=doc["size"]["units"],
        share=doc["size"]["share"],
        worth=_worth(doc["value"]),
        steadiness=_steadiness(doc["stability"]),
        overlaps=tuple(map(_overlap, doc["overlaps"])),
        reached=_reached(doc["reached"]),
        traits=tuple(map(read_trait, doc["traits"])),
        outlook=_outlook(doc["testability"]),
        reasons={part: number_of(doc[part]).missing for part in _PARTS if not is_defined(doc[part])},
    )


def _worth(doc: Doc) -> Worth | None:
    if not is_defined(doc):
        return None
    return Worth(
        purchases=doc["purchases"],
        buyers=doc["buyers"],
        per_customer=number_of(doc["revenue_per_unit"]),
        interval=interval_of(doc["interval"]) if is_defined(doc["interval"]) else None,
        per_purchase=number_of(doc["purchase_value"]),
        buyer_share=number_of(doc["buyer_share"]),
        revenue_share=number_of(doc["revenue_share"]),
        index=number_of(doc["index"]),
    )


def _steadiness(doc: Doc) -> Steadiness | None:
    if not is_defined(doc):
        return None
    return Steadiness(
        weeks=tuple(map(_week, doc["weeks"])),
        entering=number_of(doc["entering"]),
        leaving=number_of(doc["leaving"]),
    )


def _week(doc: Doc) -> Week:
    return Week(
        starts_at=datetime.fromisoformat(doc["starts_at"]),
        before=doc["before"],
        after=doc["after"],
        entered=doc["entered"],
        left=doc["left"],
    )


def _overlap(doc: Doc) -> Overlap:
    return Overlap(
        other=doc["other"],
        both=doc["both"],
        share_of_this=number_of(doc["share_of_this"]),
        share_of_other=number_of(doc["share_of_other"]),
    )


def _reached(doc: Doc) -> Reached | None:
    if not is_defined(doc):
        return None
    return Reached(channels=tuple(map(read_reach, doc["channels"])), by_none=number_of(doc["by_none"]))


def read_reach(doc: Doc) -> Reach:
    """By one channel."""
    return Reach(
        channel=doc["channel"], units=doc["units"], share=number_of(doc["share"]), index=number_of(doc["index"])
    )


def read_trait(doc: Doc) -> Trait:
    """One difference from everybody else."""
    return Trait(
        attribute=doc["attribute"],
        value=doc.get("value"),
        inside=doc["inside"],
        elsewhere=doc["elsewhere"],
        size=doc["size"],
        distinguishing=doc["distinguishing"],
        by_definition=doc["by_definition"],
    )


def _outlook(doc: Doc) -> Outlook | None:
    if not is_defined(doc):
        return None
    return Outlook(
        baseline=number_of(doc["baseline"]),
        units_needed=number_of(doc["units_needed"]),
        shown=tuple(Shown(weeks=one["weeks"], units=one["units"], lift=number_of(one["lift"])) for one in doc["shown"]),
        sentence=doc["sentence"],
    )


def read_doubt(doc: Doc) -> Doubt:
    """One warning."""
    return Doubt(code=doc["code"], severity=doc["severity"], sentence=doc["sentence"], other=doc.get("other"))
