"""How much units do, in tests: events, what is kept of them, and what is documented of it, read once more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from experiments.bootstrap import Winnow
from experiments.domain.errors import NotFound
from experiments.domain.event import Event
from experiments.services.following.activity import ActivityFollower
from experiments.services.following.saying import register
from tests.unit.following.test_follow import purchase, record

STEPS = (1, 2, 3, 5, 7, 11, 15, 19, 23, 29)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def follower(shop: Winnow, names: tuple[str, ...] = ("visit",), **options: int) -> ActivityFollower:
    registering = partial(register, shop.author.sources, shop.author.attributes, shop.open_unit_of_work)
    return ActivityFollower(shop.open_unit_of_work, shop.clock, names, register=registering, **options)


def visit(unit_id: str, at: datetime, name: str = "visit") -> Event:
    return purchase(unit_id, None, at, name)


def do(shop: Winnow, unit_id: str, *days_ago: float, name: str = "visit") -> None:
    record(shop, [visit(unit_id, shop.clock() - timedelta(days=days), name) for days in days_ago])


def known(shop: Winnow, unit_id: str) -> dict[str, object]:
    try:
        return shop.profiles.get(unit_id).laid.attributes
    except NotFound:
        return {}


def rows(shop: Winnow, *unit_ids: str) -> dict[str, dict[int, int]]:
    with shop.open_unit_of_work(read_only=True) as work:
        return {unit_id: dict(row.by_day) for unit_id, row in work.activity.some(unit_ids).items()}


def told(days_active: int, recent: int, earlier: int) -> dict[str, object]:
    """Read what is documented, once more."""
    if days_active == 0:
        return {}
    level = "light" if days_active < 4 else "regular" if days_active < 12 else "heavy"
    said: dict[str, object] = {
        "engagement_level": level,
        "active_days_28": min(step for step in STEPS if step >= days_active),
    }
    if recent + earlier >= 10:
        change = (recent - earlier) / (recent + earlier)
        said["engagement_trend"] = "rising" if change >= 0.5 else "falling" if change <= -0.5 else "steady"
    return said


def told_on(by_day: Mapping[int, int], today: int) -> dict[str, object]:
    ago = {today - day: count for day, count in by_day.items()}
    return told(
        sum(0 <= days <= 28 for days in ago),
        sum(count for days, count in ago.items() if 1 <= days <= 14),
        sum(count for days, count in ago.items() if 15 <= days <= 28),
    )
