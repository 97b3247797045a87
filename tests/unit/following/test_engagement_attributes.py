"""What events by day make a profile say, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from experiments.services.following.engagement_attributes import active_step, next_due, trend_of, values
from tests.unit.following.engaged import EPOCH, STEPS, told, told_on

_days = st.dictionaries(st.integers(-40, 2), st.integers(1, 12), min_size=1, max_size=30)


@settings(max_examples=200)
@given(_days, st.integers(0, 86_399))
def test_when_time_alone_changes_what_is_said(ago: dict[int, int], second: int) -> None:
    """Looked at on every day until nothing is left."""
    today = 20_000
    by_day = {today + days: count for days, count in ago.items()}
    if not any(days >= -28 for days in ago):
        return
    now = EPOCH + timedelta(days=today, seconds=second)
    assert values(by_day, now) == told_on(by_day, today)
    later = range(today + 1, today + 40)
    first = next(day for day in later if told_on(by_day, day) != told_on(by_day, today))
    assert next_due(by_day, now) == EPOCH + timedelta(days=first)


def test_levels_end_where_steps_do() -> None:
    """So a level is a stretch of `active_days_28`, and at least 4 or 12 days are asked for exactly."""
    levels = {days: told(days, 0, 0)["engagement_level"] for days in range(1, 30)}
    by_step = {(active_step(days), level) for days, level in levels.items()}
    assert sorted(step for step, _ in by_step) == list(STEPS)
    for least in (4, 12):
        assert [days for days in range(1, 30) if active_step(days) >= least] == list(range(least, 30))


@pytest.mark.parametrize(
    ("recent", "earlier", "trend"),
    [(9, 0, None), (10, 0, "rising"), (0, 10, "falling"), (9, 3, "rising"), (8, 3, "steady"), (3, 9, "falling")],
)
def test_what_is_a_trend(recent: int, earlier: int, trend: str | None) -> None:
    assert trend_of(recent, earlier) == trend


def test_chance_alone_seldom_makes_a_trend() -> None:
    """Given how many there are, events that come at random fall into either half like tosses of a coin."""
    by_chance = {
        events: sum(
            binom.pmf(recent, events, 0.5)
            for recent in range(events + 1)
            if trend_of(recent, events - recent) in ("rising", "falling")
        )
        for events in range(10, 120)
    }
    assert max(by_chance, key=lambda events: by_chance[events]) == 12
    assert by_chance[12] == pytest.approx(2 * binom.sf(8, 12, 0.5))
    assert by_chance[12] < 0.15
    assert by_chance[20] == pytest.approx(0.041, abs=5e-4)
    assert all(chance < 0.05 for events, chance in by_chance.items() if events > 16)
