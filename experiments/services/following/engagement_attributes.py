"""What a unit's events by day make its profile say, and until when that stays true."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from experiments.domain.attribute import AttributeType
from experiments.services.following.saying import own_attribute
from segmentation.behaviour.engagement import Activity, Window
from segmentation.behaviour.instants import day_of, start_of

WINDOW = Window()
"""Today and 28 whole days: two halves of two weeks each, so that weekdays do not look like a trend."""
ACTIVE_STEPS = (1, 2, 3, 5, 7, 11, 15, 19, 23, WINDOW.days + 1)
"""Active days are rounded up to these. Where a level ends (3 and 11 days) a step does."""
LEVELS = ("light", "regular", "heavy")
FALLING, STEADY, RISING = "falling", "steady", "rising"
TREND_EVENTS = 10
"""Events in both halves from which on there is a trend."""
TREND_FACTOR = 3
"""So many times the events of the other half are a trend: the library's number beyond ±1/2.

A convention. Of who does something at random and as often as before, at most 15 % are called rising or falling.
"""
ATTRIBUTES = (
    own_attribute(
        "engagement_level",
        "Engagement",
        AttributeType.TEXT,
        f"By days with events, of today and the {WINDOW.days} before: "
        f"regular from {WINDOW.regular_from}, heavy from {WINDOW.heavy_from}; nothing where there is none.",
        LEVELS,
    ),
    own_attribute(
        "engagement_trend",
        "Trend of engagement",
        AttributeType.TEXT,
        f"Events of the last {WINDOW.days // 2} days against those of the {WINDOW.days // 2} before.",
        (FALLING, STEADY, RISING),
    ),
    own_attribute(
        f"active_days_{WINDOW.days}",
        "Active days",
        AttributeType.NUMBER,
        f"At most so many of today and the {WINDOW.days} days before: {', '.join(map(str, ACTIVE_STEPS))}.",
    ),
)

_Move: TypeAlias = tuple[int, int, int, int]
"""A day, and by how much active days, recent and earlier events change when it begins."""


def still_counting(by_day: Mapping[int, int], now: datetime) -> dict[int, int]:
    """Return the days that the window needs, now or later."""
    first = day_of(now) - WINDOW.days
    return {day: count for day, count in by_day.items() if day >= first}


def values(by_day: Mapping[int, int], now: datetime) -> dict[str, Any]:
    """Return what the profile says; nothing where there is no event in the window."""
    found = Activity(by_day=by_day).engagement(now, WINDOW)
    return _values(found.days_active, found.recent, found.earlier)


def _values(days_active: int, recent: int, earlier: int) -> dict[str, Any]:
    if not days_active:
        return {}
    said = {"engagement_level": WINDOW.level(days_active), "active_days_28": active_step(days_active)}
    trend = trend_of(recent, earlier)
    return said if trend is None else {**said, "engagement_trend": trend}


def active_step(days: int) -> int:
    """Round up to a step: at most 3 days are `active_days_28` of at most 3."""
    return ACTIVE_STEPS[bisect_left(ACTIVE_STEPS, days)]


def trend_of(recent: int, earlier: int) -> str | None:
    if recent + earlier < TREND_EVENTS:
        return None
    if recent >= TREND_FACTOR * earlier:
        return RISING
    return FALLING if earlier >= TREND_FACTOR * recent else STEADY


def next_due(by_day: Mapping[int, int], now: datetime) -> datetime:
    """Return when the first day begins on which, without another event, `values` says something else.

    There is such a day where any counts still: in the end nothing is said.
    """
    found = Activity(by_day=by_day).engagement(now, WINDOW)
    days_active, recent, earlier = found.days_active, found.recent, found.earlier
    present = _values(days_active, recent, earlier)
    moves = sorted(_moves(by_day, day_of(now)))
    for day, together in groupby(moves, key=itemgetter(0)):
        for _, of_days, of_recent, of_earlier in together:
            days_active, recent, earlier = days_active + of_days, recent + of_recent, earlier + of_earlier
        if _values(days_active, recent, earlier) != present:
            return start_of(day)
    raise ValueError("no day counts any more")


def _moves(by_day: Mapping[int, int], today: int) -> Iterator[_Move]:
    """After each day of its own an event is recent, then earlier, then gone; a day ahead of our clock begins first."""
    for day, count in by_day.items():
        for move in (
            (day, 1, 0, 0),
            (day + 1, 0, count, 0),
            (day + 1 + WINDOW.days // 2, 0, -count, count),
            (day + 1 + WINDOW.days, -1, 0, -count),
        ):
            if move[0] > today:
                yield move
