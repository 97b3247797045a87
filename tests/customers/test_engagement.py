"""Events in a window that ends today, of everybody and event by event."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.behaviour.engagement import Activity, Engagement, Window, engagement
from segmentation.refusal import Refused
from tests.customers.builders import on, purchases, rows_of

NOW = on("2026-03-10", "12:00:00")
WEEKS = Window(days=14, regular_from=2, heavy_from=4)


def events(rows: list[tuple[str, datetime]]) -> object:
    return purchases((unit, at, None) for unit, at in rows)


def one(*instants: datetime, window: Window = WEEKS) -> Engagement:
    return reduce(add, map(Activity.of, instants), Activity()).engagement(NOW, window)


def test_today_counts_and_is_no_part_of_the_trend() -> None:
    found = one(on("2026-03-10"), on("2026-03-10", "11:59:59"), on("2026-03-09"), on("2026-03-02"))
    assert found == Engagement(events=4, days_active=3, recent=1, earlier=1, level="regular")
    assert found.trend == 0


def test_the_window_begins_with_the_first_of_its_whole_days() -> None:
    """14 days before 10 March is 24 February; the recent half begins on 3 March."""
    found = one(on("2026-02-23", "23:59:59"), on("2026-02-24"), on("2026-03-02", "23:59:59"), on("2026-03-03"))
    assert (found.events, found.earlier, found.recent) == (3, 2, 1)
    assert found.trend == pytest.approx(-1 / 3)


def test_without_events_there_is_no_trend() -> None:
    assert one() == Engagement(events=0, days_active=0, recent=0, earlier=0, level="none")
    assert one().trend is None
    assert one(on("2026-03-10")).trend is None


@pytest.mark.parametrize(("days", "level"), [(1, "light"), (2, "regular"), (3, "regular"), (4, "heavy"), (15, "heavy")])
def test_levels_by_days_with_events(days: int, level: str) -> None:
    assert one(*(NOW - timedelta(days=back) for back in range(days))).level == level


_rows = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-3, 60 * 86_400)).map(
        lambda row: (row[0], NOW - timedelta(seconds=row[1]))
    ),
    max_size=60,
)


@settings(max_examples=25)
@given(_rows)
def test_following_events_is_the_same_as_counting_them_anew(rows: list[tuple[str, datetime]]) -> None:
    found = rows_of(engagement(events(rows), NOW, WEEKS))
    known: dict[str, Activity] = defaultdict(Activity)
    for unit, at in rows:
        if at <= NOW:
            known[unit] = (known[unit] + Activity.of(at)).since(at, Window(days=366))
    states = {unit: activity.engagement(NOW, WEEKS) for unit, activity in known.items()}
    assert found.keys() == {unit for unit, state in states.items() if state.events}
    for unit, row in found.items():
        state = states[unit]
        assert row == {
            "events": state.events,
            "days_active": state.days_active,
            "recent": state.recent,
            "earlier": state.earlier,
            "trend": state.trend,
            "level": state.level,
        }


def test_days_that_no_window_needs_are_forgotten() -> None:
    activity = Activity.of(on("2026-02-23")) + Activity.of(on("2026-02-24")) + Activity.of(on("2026-02-24", "01:00:00"))
    kept = activity.since(NOW, WEEKS)
    assert list(kept.by_day.values()) == [2]
    assert kept.engagement(NOW, WEEKS) == activity.engagement(NOW, WEEKS)


@pytest.mark.parametrize(
    "wrong",
    [{"days": 13}, {"days": 0}, {"days": 368}, {"regular_from": 0}, {"regular_from": 5, "heavy_from": 4}],
    ids=str,
)
def test_windows_that_are_none_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Refused) as refused:
        Window(**wrong)
    assert refused.value.code == "window_outside"
