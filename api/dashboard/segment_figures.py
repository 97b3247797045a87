"""Size and value of a segment in words, for lists and cards alike."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.stored.card_values import Card, Worth
from api.dashboard.stored.values import Interval
from experiments.services.segments.few import FEWEST

TOO_FEW = "too few"
NOBODY = "–"
NOT_ASKED = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`note` says how sure it is, or what it means."""

    text: str
    note: str = ""


def size_sentence(card: Card, everybody: int) -> str:
    """12,345 customers, 19.3% of all 64,000."""
    if not card.units:
        return "Nobody is in it."
    return f"{say.amount(card.units, 'customer')}, {say.part(card.share)} of all {say.count(everybody)}"


def per_customer(card: Card) -> Figure:
    """Revenue per customer with its interval."""
    worth = card.worth
    if worth is None:
        return Figure(text=NOT_ASKED)
    if card.units < FEWEST:
        return Figure(text=TOO_FEW if card.units else NOBODY)
    if worth.per_customer.value is None:
        return Figure(text=NOT_ASKED, note=worth.per_customer.missing)
    if worth.interval is None:
        return Figure(text=say.money(worth.per_customer.value), note="how sure that is, is not known")
    return Figure(text=say.money(worth.per_customer.value), note=_between(worth.interval))


def _between(interval: Interval) -> str:
    """An interval of a sum of money; one that reaches below 0 says how little is known, and no more than that."""
    high = say.money(interval.high)
    return f"up to {high}: hardly known" if interval.low < 0 else f"{say.money(interval.low)} to {high}"


def revenue_share(card: Card) -> Figure:
    """Its part of all revenue, and how that compares with its part of all customers."""
    worth = card.worth
    if worth is None or worth.revenue_share.value is None:
        return Figure(text=NOT_ASKED, note=worth.revenue_share.missing if worth else "")
    if card.units < FEWEST:
        return Figure(text=TOO_FEW if card.units else NOBODY)
    return Figure(text=say.part(worth.revenue_share.value), note=_beside(worth))


def _beside(worth: Worth) -> str:
    if worth.index.value is None:
        return ""
    return f"each spends {say.times(worth.index.value)} what all customers do"
