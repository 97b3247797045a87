"""What a unit's purchases make its profile say, and until when that stays true."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from experiments.domain.attribute import AttributeType
from experiments.domain.purchases import Purchases
from experiments.services.following.saying import own_attribute
from segmentation.behaviour.cuts import Cuts
from segmentation.behaviour.groups import NAMED_GROUPS
from segmentation.behaviour.histories import HistoryRow
from segmentation.behaviour.history import History
from segmentation.behaviour.lifecycle import STAGES, Lifecycle
from segmentation.behaviour.money import bounded
from segmentation.behaviour.single import behaviour

RECENCY_STEPS = (1, 7, 14, 30, 60, 90, 180, 270, 365)
"""Days since the last purchase are rounded up to these, beyond to years: a profile is rewritten at each, not daily."""
EXPECTED_STEPS = (*range(7, 92, 7), *range(119, 365, 28), 455, 546, 637)
"""Days since the last purchase after each of which expectations are said anew; beyond at every year."""
LIFECYCLE = Lifecycle()
_DAY = timedelta(days=1)
_YEAR_DAYS = 365
_NEW = (LIFECYCLE.new_days + 1) * _DAY
_STEPS = ", ".join(str(step) for step in RECENCY_STEPS)
_NUMBER, _SCORE = AttributeType.NUMBER, "1 (worst) to 5 (best), by the latest cuts."
ATTRIBUTES = (
    own_attribute("last_purchase_on", "Last purchase", AttributeType.DATE, "Its day in UTC."),
    own_attribute(
        "recency_days", "Days since the last purchase", _NUMBER, f"At most so many: {_STEPS}, then multiples of 365."
    ),
    own_attribute("orders", "Purchases", _NUMBER, "How many there were."),
    own_attribute("total_spent", "Spent in all", _NUMBER, "The sum of the purchases' values."),
    own_attribute("r_score", "Score of recency", _NUMBER, _SCORE),
    own_attribute("f_score", "Score of frequency", _NUMBER, _SCORE),
    own_attribute("m_score", "Score of money", _NUMBER, _SCORE),
    own_attribute(
        "rfm_group", "RFM group", AttributeType.TEXT, "By recency, frequency and money together.", NAMED_GROUPS.names
    ),
    own_attribute("lifecycle_stage", "Stage of life-cycle", AttributeType.TEXT, "From new to lapsed.", STAGES),
    own_attribute(
        "expected_purchases_90_days", "Expected purchases", _NUMBER, "In 90 days from when it was said, by BG/NBD."
    ),
    own_attribute(
        "expected_value_90_days", "Expected value", _NUMBER, "Revenue in 90 days from when it was said, by Gamma-Gamma."
    ),
)


def history_of(row: Purchases) -> History:
    return History(
        first_at=row.first_at,
        last_at=row.last_at,
        previous_at=row.previous_at,
        frequency=row.frequency,
        unvalued=row.unvalued,
        monetary_cents=row.monetary_cents,
    )


def purchases_of(row: HistoryRow, *, due_at: datetime) -> Purchases:
    *state, cents = row
    return Purchases.of((*state, bounded(cents), due_at))


def values(history: History, cuts: Cuts, now: datetime) -> dict[str, Any]:
    """Return what the profile says of a customer; a purchase that lies a little ahead of our clock is one of now."""
    found = behaviour(history, max(now, history.last_at), cuts, lifecycle=LIFECYCLE)
    return {
        "last_purchase_on": history.last_at.date().isoformat(),
        "recency_days": recency_step(found.recency_days),
        "orders": found.frequency,
        "total_spent": found.monetary_cents / 100,
        "r_score": found.scores.r,
        "f_score": found.scores.f,
        "m_score": found.scores.m,
        "rfm_group": found.rfm_group,
        "lifecycle_stage": found.stage,
    }


def recency_step(days: int) -> int:
    """Round up to a step: at most 30 days ago is `recency_days` of at most 30."""
    place = bisect_left(RECENCY_STEPS, days)
    return RECENCY_STEPS[place] if place < len(RECENCY_STEPS) else -(-days // _YEAR_DAYS) * _YEAR_DAYS


def next_due(history: History, cuts: Cuts, now: datetime, *, expects: bool = False) -> datetime:
    """Return when, without another purchase, `values` will say something else, or what one `expects` is said anew.

    Whole days are at most a number until a day after it.
    """
    recency_days = (now - history.last_at) // _DAY
    end = _next_end(_recency_ends(cuts, expects), recency_days)
    at = history.last_at + (end + 1) * _DAY
    return at if (now - history.first_at) // _DAY > LIFECYCLE.new_days else min(at, history.first_at + _NEW)


def _next_end(ends: Sequence[int], recency_days: int) -> int:
    """The first of the ends that is not passed; whole years are ends without end."""
    years = max(_YEAR_DAYS, -(-recency_days // _YEAR_DAYS) * _YEAR_DAYS)
    place = bisect_left(ends, recency_days)
    return min(years, ends[place]) if place < len(ends) else years


@lru_cache(maxsize=4)
def _recency_ends(cuts: Cuts, expects: bool) -> tuple[int, ...]:
    ends = {*RECENCY_STEPS, *cuts.recency_days, LIFECYCLE.active_days, LIFECYCLE.cooling_days}
    return tuple(sorted(ends.union(EXPECTED_STEPS) if expects else ends))


def cuts_document(cuts: Cuts) -> Mapping[str, tuple[int, ...]]:
    return {name: getattr(cuts, name) for name in ("recency_days", "frequency", "monetary_cents")}
