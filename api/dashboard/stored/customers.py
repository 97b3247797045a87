"""Stored reports of a segment and of all customers (JSON): the only place that knows their outer field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api.dashboard.stored.card_values import Card, Doubt
from api.dashboard.stored.cards import read_card, read_doubt
from api.dashboard.stored.portrait import Portrait, read_portrait
from api.dashboard.stored.rfm import RfmReport, read_rfm
from api.dashboard.stored.values import Doc, Number, is_defined, number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCard:
    """The report of one segment; `missing` says why there is no card, `no_portrait` why there is no persona."""

    made_at: datetime
    since: datetime
    units: int
    card: Card | None
    missing: str
    portrait: Portrait | None
    no_portrait: str
    doubts: tuple[Doubt, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Of all segments, in one order: members, how many are in both, and which share of the row's that is."""

    segments: tuple[str, ...]
    names: Mapping[str, str]
    units: tuple[int, ...]
    both: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[Number, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersReport:
    """Everybody; `no_overlaps` says why there are none."""

    made_at: datetime
    units: int
    rfm: RfmReport
    overlaps: Overlaps | None
    no_overlaps: str


def read_segment_report(doc: Doc) -> StoredCard:
    """Raise KeyError where the document is no report of a segment."""
    card, portrait = doc["card"], doc["persona"]
    return StoredCard(
        made_at=datetime.fromisoformat(doc["made_at"]),
        since=datetime.fromisoformat(doc["since"]),
        units=doc["units"],
        card=read_card(card) if is_defined(card) else None,
        missing=number_of(card).missing,
        portrait=read_portrait(portrait) if is_defined(portrait) else None,
        no_portrait=number_of(portrait).missing,
        doubts=tuple(map(read_doubt, doc["doubts"])),
        notes=tuple(doc["notes"]),
    )


def read_customers(doc: Doc) -> CustomersReport:
    """Raise KeyError where the document is no report of all customers."""
    overlap = doc["overlap"]
    return CustomersReport(
        made_at=datetime.fromisoformat(doc["made_at"]),
        units=doc["units"],
        rfm=read_rfm(doc["rfm"]),
        overlaps=_overlaps(overlap) if is_defined(overlap) else None,
        no_overlaps=number_of(overlap).missing,
    )


def _overlaps(doc: Doc) -> Overlaps:
    keys = tuple(doc["segments"])
    names = doc["names"]
    return Overlaps(
        segments=keys,
        names=dict(names) if isinstance(names, Mapping) else dict(zip(keys, names, strict=True)),
        units=tuple(doc["units"]),
        both=tuple(tuple(row) for row in doc["both"]),
        shares=tuple(tuple(map(number_of, row)) for row in doc["shares"]),
    )
