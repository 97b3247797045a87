"""Coordinates of the plot by day, worked out by hand."""

from __future__ import annotations

from api.dashboard.day_plot import NARROW, WIDE, Point, day_plot


def point(day: int, value: float, reach: float = 0.02) -> Point:
    return Point(day=day, value=value, low=value - reach, high=value + reach)


def test_days_go_from_left_to_right_and_zero_is_on_the_axis() -> None:
    # Axis 0 to 10 % in steps of 5 %: 176 pixels, from 190 up to 14.
    plot = day_plot([point(0, 0.08), point(1, 0.04), point(2, 0.04)], WIDE)
    assert plot is not None
    assert [(level.value, level.y) for level in plot.levels] == [(0.0, 190.0), (0.05, 102.0), (0.1, 14.0)]
    assert [placed.x for placed in plot.points] == [104.0, 537.5, 971.0]
    assert [placed.y for placed in plot.points] == [49.2, 119.6, 119.6]
    assert (plot.points[0].top, plot.points[0].bottom) == (14.0, 84.4)


def test_an_interval_that_dwarfs_the_others_is_cut_at_the_edge() -> None:
    plot = day_plot([point(0, 0.05), point(1, 0.05), point(2, 0.05), point(3, 0.05, reach=9.0)], WIDE)
    assert plot is not None
    assert plot.points[3].top == 14.0
    assert plot.points[3].bottom == 190.0
    assert plot.levels[-1].value < 0.5


def test_days_without_an_estimate_leave_a_gap_and_labels_are_thinned_out() -> None:
    plot = day_plot([point(0, 0.05), point(13, 0.05)], NARROW)
    assert plot is not None
    assert [day for _, day in plot.days] == [0, 2, 4, 6, 8, 10, 12]
    assert plot.path == f"{plot.points[0].x},{plot.points[0].y} {plot.points[1].x},{plot.points[1].y}"


def test_one_day_is_no_course() -> None:
    assert day_plot([point(0, 0.05)], WIDE) is None
    assert day_plot([], WIDE) is None
