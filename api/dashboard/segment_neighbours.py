"""With which segments one shares its customers, and by which channels they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.overlap_matrix import few_or, whole_share
from api.dashboard.stored.card_values import Card, Overlap
from experiments.services.segments.few import FEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRow:
    """With one other segment; lengths are fractions."""

    key: str
    name: str
    both: str
    of_this: str
    of_other: str
    of_this_length: float
    of_other_length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachRow:
    channel: str
    customers: str
    share: str
    length: float
    beside: str


def overlap_row(overlap: Overlap, card: Card, names: Mapping[str, str]) -> OverlapRow:
    """Beside one other segment; of a handful, in this one or in the other, no share is told."""
    of_this, of_other = overlap.share_of_this.value, overlap.share_of_other.value
    few = card.units < FEWEST
    few_of_other = of_other is not None and of_other > 0 and round(overlap.both / of_other) < FEWEST
    return OverlapRow(
        key=overlap.other,
        name=names.get(overlap.other, overlap.other),
        both=few_or(overlap.both),
        of_this="too few to say" if few else "not known" if of_this is None else whole_share(of_this),
        of_other="too few to say" if few_of_other else "not known" if of_other is None else whole_share(of_other),
        of_this_length=0.0 if few else of_this or 0.0,
        of_other_length=0.0 if few_of_other else of_other or 0.0,
    )


def reach_rows(card: Card) -> tuple[ReachRow, ...]:
    """By each channel; none where it is not known, or where there is but a handful to reach."""
    if card.reached is None or card.units < FEWEST:
        return ()
    return tuple(
        ReachRow(
            channel=one.channel,
            customers=say.count(one.units) if one.units >= FEWEST else f"under {FEWEST}",
            share="not known" if one.share.value is None else whole_share(one.share.value),
            length=one.share.value or 0.0,
            beside=_index(one.index.value),
        )
        for one in card.reached.channels
    )


def _index(index: float | None) -> str:
    if index is None:
        return ""
    if 0.95 <= index < 1.05:
        return "as among all customers"
    return f"{say.times(index)} as often as among all customers"


def reach_sentence(card: Card) -> str:
    """How many cannot be reached."""
    reached = card.reached
    if reached is None:
        return f"Not known. {card.reasons.get('reached', '')}"
    if card.units < FEWEST:
        return "There are too few of them to say."
    if reached.by_none.value is None:
        return reached.by_none.missing or "Not known."
    if reached.by_none.value == 0:
        return "Every one of them can be reached."
    return f"{whole_share(reached.by_none.value)} of them were seen in no channel."
