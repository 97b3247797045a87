"""What scores and named groups of recency, frequency and money mean, in days and purchases."""

from __future__ import annotations

from collections.abc import Sequence

from api.dashboard import format as say
from api.dashboard.stored.rfm import RfmCell, RfmReport
from experiments.services.segments.few import FEWEST

NOBODY_CAN = "nobody can"
MEANINGS = {
    "champions": "bought lately, often and for much",
    "loyal": "buy often and for much, not quite so lately",
    "potential_loyalists": "bought lately, not yet often",
    "new": "bought very lately, seldom and for little",
    "promising": "bought lately, seldom and for little",
    "need_attention": "middling in everything",
    "about_to_sleep": "bought seldom, and not lately",
    "at_risk": "used to buy often, not for a long time",
    "cannot_lose": "bought most of all, and longest ago",
    "hibernating": "bought seldom, and long ago",
    "lost": "bought longest ago, and not often",
}


def recency_words(score: int, ends: Sequence[int]) -> str:
    """Days since the last purchase: the best score is that of the fewest days."""
    place = len(ends) + 1 - score
    return _between(0, place, ends)


def frequency_words(score: int, ends: Sequence[int]) -> str:
    """Numbers of purchases."""
    return _between(1, score - 1, ends)


def recency_scores(report: RfmReport) -> tuple[int, ...]:
    """The scores that anybody can have, the best first: two ends that are equal leave none between them."""
    scores = range(len(report.recency_ends) + 1, 0, -1)
    taken = {cell.r for cell in report.cells if cell.customers}
    return tuple(one for one in scores if one in taken or recency_words(one, report.recency_ends) != NOBODY_CAN)


def frequency_scores(report: RfmReport) -> tuple[int, ...]:
    """The same of frequency, the lowest first."""
    scores = range(1, len(report.frequency_ends) + 2)
    taken = {cell.f for cell in report.cells if cell.customers}
    return tuple(one for one in scores if one in taken or frequency_words(one, report.frequency_ends) != NOBODY_CAN)


def _between(least: int, place: int, ends: Sequence[int]) -> str:
    """From where to where a score goes; `place` counts from the lowest numbers up."""
    low = least if place == 0 else ends[place - 1] + 1
    if place == len(ends):
        return f"{say.count(low)} or more"
    high = ends[place]
    if high < low:
        return NOBODY_CAN
    return say.count(low) if high == low else f"{say.count(low)} to {say.count(high)}"


def count_text(customers: int) -> str:
    """A count, unless it is so small that it is of single people."""
    return say.count(customers) if customers >= FEWEST or not customers else f"under {FEWEST}"


def spent_text(customers: int, revenue: float) -> str:
    """What each spent on average; of a handful nothing is told."""
    if not customers:
        return "–"
    return say.money(revenue / customers) if customers >= FEWEST else "too few to say"


def cell_words(cell: RfmCell, total: int) -> str:
    """How many, and what they spent."""
    if not cell.customers:
        return "nobody"
    if cell.customers < FEWEST:
        return f"under {FEWEST} customers"
    share = say.part(cell.customers / total)
    spent = spent_text(cell.customers, cell.revenue)
    return f"{say.amount(cell.customers, 'customer')} ({share} of all), each spent {spent} on average"
