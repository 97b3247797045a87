"""Arrivals by date, and outcomes by day since exposure."""

from __future__ import annotations

from typing import Any

from analysis.aggregate import aggregate
from analysis.moments import ArrivalKey, DayKey, MetricKey
from analysis.plan import Cell
from tests.stats.aggregating import ALL_A, one_arm
from tests.stats.builders import at, events, exposures, metric, moments_of, plan

DAY = 86_400


def of_a(values: Any, key: str = "visits") -> Any:
    return values[MetricKey(*ALL_A, key)]


def test_arrivals_are_by_utc_date() -> None:
    """START is at noon: 12 hours later it is the next day."""
    exposed = [("u", "a", "s", 1, at(0)), ("v", "b", "s", 1, at(43_199.999999)), ("w", "a", "s", 1, at(43_200))]
    exposed += [("x", "a", "t", 1, at(-43_200.000001)), ("y", "z", "t", 1, at(0)), ("u", "a", "s", 1, at(99_999))]
    found = aggregate(exposures(exposed), events([]), plan(segments=("s", "t")))
    assert found.arrivals == {
        ArrivalKey("s", "2026-03-01"): 2,
        ArrivalKey("s", "2026-03-02"): 1,
        ArrivalKey("t", "2026-02-28"): 1,
    }


def test_by_day_looks_at_each_days_outcomes_of_complete_days() -> None:
    """u came three days before the watermark, v one and a half, w a second less than one."""
    exposed = exposures(
        [("u", "a", "all", 1, at(0)), ("v", "a", "all", 1, at(1.5 * DAY)), ("w", "a", "all", 1, at(2 * DAY + 1))]
    )
    rows = [
        ("u", "visit", 1.0, at(0)),
        ("u", "visit", 2.0, at(DAY - 0.000001)),
        ("u", "visit", 4.0, at(DAY)),
        ("u", "visit", 8.0, at(3 * DAY)),
        ("v", "visit", 16.0, at(2 * DAY)),
        ("v", "visit", 32.0, at(2.6 * DAY)),
        ("w", "visit", 64.0, at(2.5 * DAY)),
    ]
    found = aggregate(exposed, events(rows), plan(metric(kind="mean"), novelty_days=4, watermark_at=at(3 * DAY)))
    assert found.by_day == {
        DayKey(*ALL_A, 0): moments_of([3, 16]),
        DayKey(*ALL_A, 1): moments_of([4]),
        DayKey(*ALL_A, 2): moments_of([0]),
    }


def test_days_end_with_the_follow_up_and_ignore_the_window() -> None:
    cell = Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}, follow_up_ends_at=at(1.5 * DAY))
    rows = [("u", "visit", None, at(0.5 * DAY)), ("u", "visit", None, at(1.2 * DAY))]
    asked = plan(metric(window_seconds=60), cells=[cell], novelty_days=2)
    found = aggregate(exposures([("u", "a", "all", 1, at(0))]), events(rows), asked)
    assert found.by_day == {DayKey(*ALL_A, 0): moments_of([1])}
    assert of_a(found.moments) == moments_of([0])


def test_only_the_primary_metric_is_followed_by_day_and_only_when_asked() -> None:
    metrics = (metric(), metric(key="second", role="secondary", kind="count"))
    rows = [("u", "visit", None, at(1)), ("u", "visit", None, at(2))]
    assert one_arm(metrics[0], "u", rows, metrics=metrics).by_day == {}
    found = one_arm(metrics[0], "u", rows, metrics=metrics, novelty_days=1).by_day
    assert found == {DayKey(*ALL_A, 0): moments_of([1])}


def test_the_cap_of_all_days_is_that_of_each() -> None:
    rows = [("u", "visit", 9.0, at(1)), ("v", "visit", 3.0, at(1)), ("w", "visit", 2.0, at(1))]
    found = one_arm(metric(kind="mean", winsor_quantile=0.5), "uvw", rows, novelty_days=1)
    assert found.by_day == {DayKey(*ALL_A, 0): moments_of([3, 3, 2])}
