"""The list of segments: one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import format as say
from api.dashboard.doubt_words import ShownDoubt
from api.dashboard.segment_figures import Figure, per_customer, revenue_share
from api.dashboard.stored.customers import StoredCard
from experiments.domain.segment import Segment

PENDING = "Not counted yet"
OUTDATED = "Changed since it was counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """`share_length` is a fraction of all customers; `worst` the worst doubt; `state` is empty where all is well."""

    key: str
    name: str
    kind: str
    size: str
    share: str
    share_length: float
    per_customer: Figure | None
    revenue_share: Figure | None
    worst: ShownDoubt | None
    more_doubts: int
    state: str


def segment_row(
    segment: Segment, report: StoredCard | None, doubts: Sequence[ShownDoubt], *, outdated: bool
) -> SegmentRow:
    """Return the row of one segment, with a card or without; of the doubts those that are no mere information."""
    grave = [doubt for doubt in doubts if doubt.severity != "info"]
    kind = segment.kind.value.replace("_", " ") if segment.kind else ""
    card = report.card if report else None
    if report is None or card is None:
        return SegmentRow(
            key=segment.key,
            name=segment.name,
            kind=kind,
            size="",
            share="",
            share_length=0.0,
            per_customer=None,
            revenue_share=None,
            worst=grave[0] if grave else None,
            more_doubts=max(0, len(grave) - 1),
            state=report.missing if report else PENDING,
        )
    return SegmentRow(
        key=segment.key,
        name=segment.name,
        kind=kind,
        size=say.count(card.units),
        share=say.part(card.share),
        share_length=card.share,
        per_customer=per_customer(card),
        revenue_share=revenue_share(card),
        worst=grave[0] if grave else None,
        more_doubts=max(0, len(grave) - 1),
        state=OUTDATED if outdated else "",
    )


def counted(made_at: datetime, now: datetime) -> str:
    """When the figures were made."""
    return f"Counted {say.instant(made_at)} ({say.ago(now - made_at)})"
