"""What a unit's purchases make its profile say, and until when that stays true."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import AlreadyExists
from experiments.domain.profile import Registry
from experiments.domain.purchases import Purchases
from experiments.domain.source import Source, SourceKind
from experiments.services.authoring.registry import AttributeAuthor, SourceAuthor
from experiments.services.ports import OpenUnitOfWork
from experiments.services.profiles.registry_read import read_registry
from experiments.services.promoting.advance import MACHINE
from segmentation.behaviour.cuts import Cuts
from segmentation.behaviour.groups import NAMED_GROUPS
from segmentation.behaviour.histories import HistoryRow
from segmentation.behaviour.history import History
from segmentation.behaviour.lifecycle import STAGES, Lifecycle
from segmentation.behaviour.single import behaviour

SOURCE = "behaviour"
RECENCY_STEPS = (1, 7, 14, 30, 60, 90, 180, 270, 365)
"""Days since the last purchase are rounded up to these, beyond to years: a profile is rewritten at each, not daily."""
EXPECTED_STEPS = (*range(7, 92, 7), *range(119, 365, 28), 455, 546, 637)
"""Days since the last purchase after each of which expectations are said anew; beyond at every year."""
LIFECYCLE = Lifecycle()
_DAY = timedelta(days=1)
_YEAR_DAYS = 365
_NEW = (LIFECYCLE.new_days + 1) * _DAY


def _attribute(key: str, name: str, type_: AttributeType, description: str, allowed: tuple[Any, ...] = ()) -> Attribute:
    return Attribute(
        key=key, name=name, type=type_, description=description, personal=True, sources=(SOURCE,), allowed=allowed
    )


_STEPS = ", ".join(str(step) for step in RECENCY_STEPS)
_NUMBER, _SCORE = AttributeType.NUMBER, "1 (worst) to 5 (best), by the latest cuts."
ATTRIBUTES = (
    _attribute("last_purchase_on", "Last purchase", AttributeType.DATE, "Its day in UTC."),
    _attribute(
        "recency_days", "Days since the last purchase", _NUMBER, f"At most so many: {_STEPS}, then multiples of 365."
    ),
    _attribute("orders", "Purchases", _NUMBER, "How many there were."),
    _attribute("total_spent", "Spent in all", _NUMBER, "The sum of the purchases' values."),
    _attribute("r_score", "Score of recency", _NUMBER, _SCORE),
    _attribute("f_score", "Score of frequency", _NUMBER, _SCORE),
    _attribute("m_score", "Score of money", _NUMBER, _SCORE),
    _attribute(
        "rfm_group", "RFM group", AttributeType.TEXT, "By recency, frequency and money together.", NAMED_GROUPS.names
    ),
    _attribute("lifecycle_stage", "Stage of life-cycle", AttributeType.TEXT, "From new to lapsed.", STAGES),
    _attribute(
        "expected_purchases_90_days", "Expected purchases", _NUMBER, "In 90 days from when it was said, by BG/NBD."
    ),
    _attribute(
        "expected_value_90_days", "Expected value", _NUMBER, "Revenue in 90 days from when it was said, by Gamma-Gamma."
    ),
)
SOURCE_ITSELF = Source(
    key=SOURCE,
    name="Behaviour",
    kind=SourceKind.OWN,
    precedence=0,
    description="What Winnow's worker finds in the log of events.",
)


def register(sources: SourceAuthor, attributes: AttributeAuthor, open_unit_of_work: OpenUnitOfWork) -> None:
    """Register what is not yet: the source below all others. An attribute that is there is left as it is."""
    with open_unit_of_work(read_only=True) as work:
        registry = read_registry(work)
    if SOURCE not in registry.precedence:
        _unless_there(partial(sources.create, _lowest(registry), actor=MACHINE))
    for one in ATTRIBUTES:
        if one.key not in registry.attributes:
            _unless_there(partial(attributes.create, one, actor=MACHINE))


def _lowest(registry: Registry) -> Source:
    taken = set(registry.precedence.values())
    free = next(number for number in range(len(taken) + 1) if number not in taken)
    return replace(SOURCE_ITSELF, precedence=free)


def _unless_there(create: Callable[[], object]) -> None:
    try:
        create()
    except AlreadyExists:
        return


def sayable(registry: Registry) -> frozenset[str]:
    """Return the attributes that are ours to say: what others registered is theirs, unless it names our source."""
    held = ((one, registry.attributes.get(one.key)) for one in ATTRIBUTES)
    return frozenset(
        one.key for one, found in held if found is not None and found.type is one.type and SOURCE in found.sources
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
    unit_id, first_at, last_at, previous_at, frequency, unvalued, monetary_cents = row
    return Purchases(
        unit_id=unit_id,
        first_at=first_at,
        last_at=last_at,
        previous_at=previous_at,
        frequency=frequency,
        unvalued=unvalued,
        monetary_cents=monetary_cents,
        due_at=due_at,
    )


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
