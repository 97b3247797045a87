"""Coordinates of the forest plot, worked out by hand."""

from __future__ import annotations

import pytest

from api.dashboard.forest import NARROW, WIDE, Group, Mark, bar, forest, nice_ticks, scale_for


def mark(value: float | None, low: float | None, high: float | None, label: str = "B") -> Mark:
    return Mark(label=label, text="text", detail="why", tone="open", value=value, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0.0, 0.15, 8, (0.0, 0.05, 0.1, 0.15)),
        (-0.023, 1.081, 8, (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)),
        (-0.023, 1.081, 5, (-0.5, 0.0, 0.5, 1.0, 1.5)),
        (-0.004, 0.0, 8, (-0.004, -0.003, -0.002, -0.001, 0.0)),
        (-1.0, 4.1, 8, (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0)),
    ],
)
def test_ticks_are_round_and_enclose_the_data(low: float, high: float, most: int, ticks: tuple[float, ...]) -> None:
    assert nice_ticks(low, high, most) == ticks


def test_a_simple_interval_stands_where_arithmetic_puts_it() -> None:
    # Axis 0 to 15% on 230 to 700: 470 pixels, a third of them (156.67) per tick.
    scale = scale_for([mark(0.10, 0.05, 0.15)], WIDE)
    assert scale is not None
    assert (scale.low, scale.high) == (0.0, 0.15)
    placed = bar(scale, mark(0.10, 0.05, 0.15))
    assert placed is not None
    assert (placed.low, placed.point, placed.high) == (386.7, 543.3, 700.0)
    assert not placed.cut_low
    assert not placed.cut_high


def test_an_interval_that_dwarfs_the_others_is_cut_with_arrows_on_both_sides() -> None:
    # Median |end| is .15, times 2.5 is .375: the axis goes from -40% to +40%, zero in the middle of 230 to 700.
    tidy, wild = mark(0.10, 0.05, 0.15), mark(0.10, -3.0, 4.0)
    scale = scale_for([tidy, tidy, tidy, wild], WIDE)
    assert scale is not None
    assert scale.ticks == (-0.4, -0.2, 0.0, 0.2, 0.4)
    assert scale.x(0.0) == 465.0
    placed = bar(scale, wild)
    assert placed is not None
    assert (placed.low, placed.high, placed.cut_low, placed.cut_high) == (230.0, 700.0, True, True)
    assert placed.point == 523.8


def test_zero_is_always_on_the_axis() -> None:
    for value, low, high in ((0.5, 0.4, 0.6), (-0.5, -0.6, -0.4)):
        scale = scale_for([mark(value, low, high)], WIDE)
        assert scale is not None
        assert 0.0 in scale.ticks


def test_no_effect_at_all_still_has_an_axis() -> None:
    scale = scale_for([mark(0.0, 0.0, 0.0)], WIDE)
    assert scale is not None
    assert scale.low <= 0.0 < scale.high


def test_without_any_estimate_there_are_words_and_no_axis() -> None:
    plot = forest([Group(title="Men", note="5", marks=(mark(None, None, None),))], WIDE)
    assert plot.scale is None
    assert plot.ticks == ()
    assert plot.zero is None
    assert plot.rows[1].bar is None
    assert plot.rows[1].reason == ("why",)


def test_rows_stand_below_each_other_and_fit() -> None:
    groups = [Group(title="Men", note="", marks=(mark(0.1, 0.05, 0.15),) * 2), Group(title="Women", note="", marks=())]
    plot = forest(groups, WIDE)
    # From 30: heading of 34, two rows of 28, heading of 34; then the axis below.
    assert [row.y for row in plot.rows] == [51.0, 78.0, 106.0, 141.0]
    assert (plot.top, plot.bottom, plot.height) == (30, 154, 184)


def test_the_narrow_plot_puts_words_above_the_interval() -> None:
    plot = forest([Group(title="Men", note="", marks=(mark(0.1, 0.05, 0.15),))], NARROW)
    row = plot.rows[1]
    assert (row.y, row.bar_y) == (76, 96)
    assert row.bar is not None
    assert row.bar.high <= NARROW.right


def test_the_lines_of_the_axis_do_not_run_through_words_that_stand_above_intervals() -> None:
    groups = [Group(title="Men", note="", marks=(mark(0.1, 0.05, 0.15), mark(None, None, None)))]
    narrow, wide = forest(groups, NARROW), forest(groups, WIDE)
    # The words of the first row stand at 76, its interval at 96; the second row has none; the axis is at 166.
    assert narrow.bands == ((85, 107), (160, 166))
    assert wide.bands == ((wide.top, wide.bottom),)


def test_long_labels_are_shortened_but_not_lost() -> None:
    plot = forest([Group(title="Men", note="", marks=(mark(0.1, 0.05, 0.15, label="x" * 200),))], WIDE)
    assert len(plot.rows[1].label) == WIDE.label_length
    assert plot.rows[1].full_label == "x" * 200


def test_a_title_that_leaves_no_room_for_its_note_has_it_below() -> None:
    def rows(title: str) -> list[tuple[float, float]]:
        groups = [Group(title=title, note="28,423 customers", marks=(mark(0.1, 0.05, 0.15),))]
        return [(row.y, row.note_y) for row in forest(groups, NARROW).rows]

    # A heading of 32 from 30 on, its middle 4 lower; then the first row, whose words stand 14 below its top.
    assert rows("Men") == [(50, 50), (76, 76)]
    assert rows("Bought women’s goods only") == [(50, 67), (93, 93)]


def test_a_reason_is_told_to_its_end_in_as_many_lines_as_it_takes() -> None:
    why = "There is no stretch of time yet in which both have enough units side by side."
    silent = Mark(label="B", text="no interval yet", detail=why, tone="open", value=None, low=None, high=None)
    for frame in (WIDE, NARROW):
        plot = forest([Group(title="Men", note="5", marks=(silent, silent))], frame)
        _, first, second = plot.rows
        assert " ".join(first.reason) == why
        assert len(first.reason) == 2
        assert second.y - first.y == frame.row_height + 17


def test_a_long_label_leaves_room_for_what_stands_beside_it() -> None:
    plot = forest([Group(title="Men", note="", marks=(mark(0.1, 0.05, 0.15, label="W" * 26),))], NARROW)
    assert plot.rows[1].label.endswith("…")
    assert plot.rows[1].full_label == "W" * 26


def test_ticks_are_labelled_in_per_cent() -> None:
    plot = forest([Group(title="Men", note="", marks=(mark(0.001, -0.004, 0.003),))], WIDE)
    assert [tick.label for tick in plot.ticks] == [
        "−0.4%",
        "−0.3%",
        "−0.2%",
        "−0.1%",
        "0%",
        "+0.1%",
        "+0.2%",
        "+0.3%",
    ]
    assert [tick.is_zero for tick in plot.ticks].index(True) == 4
