"""How much a unit does: events, days with any, and whether that rises or falls; of everybody, or event by event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from segmentation.behaviour.instants import checked, day_number, day_of, instant, prepared, start_of
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

Level = Literal["none", "light", "regular", "heavy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Today (in UTC, up to the instant that is asked about) and the `days` whole days before it.

    `days` is even, 2 to 366: the trend compares its two halves, without today, which is not over. `regular_from` and
    `heavy_from`: days with events from which on a unit is called so. Else `Refused("window_outside")`.
    """

    days: int = 28
    regular_from: int = 4
    heavy_from: int = 12

    def __post_init__(self) -> None:
        if self.days % 2 or not 2 <= self.days <= 366:
            raise Refused("window_outside", "a window has 2 to 366 days, an even number")
        if not 1 <= self.regular_from <= self.heavy_from <= self.days + 1:
            raise Refused("window_outside", "1 ≤ regular_from ≤ heavy_from ≤ days + 1")

    def level(self, days_active: int) -> Level:
        if not days_active:
            return "none"
        return "heavy" if days_active >= self.heavy_from else "regular" if days_active >= self.regular_from else "light"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement:
    """`recent` and `earlier`: events in the later and the former half of the window, today in neither."""

    events: int
    days_active: int
    recent: int
    earlier: int
    level: Level

    @property
    def trend(self) -> float | None:
        """(recent - earlier) / (recent + earlier), from -1 (has stopped) to 1 (has just begun); None without events."""
        both = self.recent + self.earlier
        return (self.recent - self.earlier) / both if both else None


def engagement(events: ir.Table, as_of: datetime, window: Window | None = None) -> ir.Table:
    """One row per unit with an event in the window.

    Parameters
    ----------
    events : ibis.Table
        `unit_id` string, `at` timestamp or date (without a time zone: UTC); every row is an event.

    Returns
    -------
    ibis.Table
        `unit_id` and the fields of `Engagement`, `trend` among them. Units without events in the window have no row:
        `Engagement` of zeros.

    Raises
    ------
    Refused
        `missing_columns`, `not_an_instant`, `instant_without_zone`.
    """
    window, now = window or Window(), checked(as_of)
    today, half = day_of(now), window.days // 2
    table = prepared(events, "events")
    table = table.select("unit_id", "at", day=day_number(table["at"]))
    is_inside = table["at"].between(instant(table["at"], start_of(today - window.days)), instant(table["at"], now))
    table = table.filter(table["unit_id"].notnull() & is_inside)
    found = table.group_by("unit_id").aggregate(
        events=table.count(),
        days_active=table["day"].nunique(),
        recent=table.count(where=table["day"].between(today - half, today - 1)),
        earlier=table.count(where=table["day"] < today - half),
    )
    both = found["recent"] + found["earlier"]
    return found.mutate(
        trend=(found["recent"] - found["earlier"]) / both.nullif(0), level=_levels(found["days_active"], window)
    )


def _levels(days_active: Any, window: Window) -> Any:
    regular = (days_active >= window.regular_from).ifelse("regular", "light")
    return (days_active >= window.heavy_from).ifelse("heavy", regular)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Events by day (days since 1970-01-01 in UTC); merges with `+`, in any order. As many entries as active days."""

    by_day: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_day", MappingProxyType(dict(self.by_day)))

    @classmethod
    def of(cls, at: datetime) -> Activity:
        """Of one event."""
        return cls(by_day={day_of(checked(at)): 1})

    def __add__(self, other: Activity) -> Activity:
        days = {*self.by_day, *other.by_day}
        return Activity(by_day={day: self.by_day.get(day, 0) + other.by_day.get(day, 0) for day in days})

    def since(self, now: datetime, window: Window) -> Activity:
        """Without the days that no window needs any more from now on."""
        first = day_of(checked(now)) - window.days
        return Activity(by_day={day: count for day, count in self.by_day.items() if day >= first})

    def engagement(self, now: datetime, window: Window | None = None) -> Engagement:
        """At an instant of the last day with an event, or later; days after it are left out."""
        window, today = window or Window(), day_of(checked(now))
        ago = {today - day: count for day, count in self.by_day.items() if 0 <= today - day <= window.days}
        half = window.days // 2
        return Engagement(
            events=sum(ago.values()),
            days_active=len(ago),
            recent=sum(count for days, count in ago.items() if 1 <= days <= half),
            earlier=sum(count for days, count in ago.items() if days > half),
            level=window.level(len(ago)),
        )
