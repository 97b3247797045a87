"""Charts of segments: where marks stand, computed here from the scales, and what stands on them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from math import sqrt
from pathlib import Path

import pytest

import api.dashboard
from api.dashboard.heat import count_legend, share_step, step_of
from api.dashboard.overlap_matrix import overlap_matrix, whole_share
from api.dashboard.rfm_map import NARROW, WIDE, MapFrame, rfm_map
from api.dashboard.rfm_section import rfm_section
from api.dashboard.stay_plot import NARROW as NARROW_STAYS
from api.dashboard.stay_plot import WIDE as WIDE_STAYS
from api.dashboard.stay_plot import StayFrame, stay_plot
from api.dashboard.stored.card_values import Week
from api.dashboard.stored.cards import read_card
from api.dashboard.stored.customers import Overlaps, read_customers
from api.dashboard.stored.rfm import RfmReport, read_rfm
from tests.http import segment_documents as made

AT = datetime(2026, 11, 1, tzinfo=UTC)


def test_colours_go_by_the_root_and_their_legend_says_where_one_ends() -> None:
    most = 4_243
    legend = count_legend(most)
    assert [step.label for step in legend] == [
        "nobody", "1 to 169", "170 to 678", "679 to 1,527", "1,528 to 2,715", "2,716 to 4,243",
    ]  # fmt: skip
    for count, step in ((0, 0), (1, 1), (169, 1), (170, 2), (1_527, 3), (1_528, 4), (2_716, 5), (4_243, 5)):
        assert step_of(count, most) == step, count
        assert count == 0 or sqrt(count / most) <= step / 5 + 1e-9
    assert [step.label for step in count_legend(1)] == ["nobody", "1"]


@pytest.mark.parametrize(("share", "step"), [(0.0, 0), (0.001, 1), (0.2, 1), (0.21, 2), (0.8, 4), (0.81, 5), (1.0, 5)])
def test_shares_are_coloured_by_fifths(share: float, step: int) -> None:
    assert share_step(share) == step


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0%"), (0.004, "under 1%"), (0.416, "42%"), (0.99, "99%"), (0.996, "over 99%"), (1.0, "100%")],
)
def test_only_nobody_is_nothing_and_only_all_are_all(share: float, said: str) -> None:
    assert whole_share(share) == said


@pytest.mark.parametrize("frame", [WIDE, NARROW], ids=["wide", "narrow"])
def test_squares_stand_by_recency_and_frequency(frame: MapFrame) -> None:
    plot = rfm_map(read_rfm(made.rfm()), frame)
    assert plot is not None
    half = (frame.width - frame.left) / 2
    placed = {(square.x, square.y): square for square in plot.squares}
    lately, long_ago = frame.top, frame.top + frame.cell_height
    assert placed[round(frame.left + half, 1), lately].text == "400"
    assert placed[float(frame.left), long_ago].text == "900"
    assert placed[round(frame.left + half, 1), long_ago].text == "under 30"
    assert placed[float(frame.left), lately].text == "0"
    assert plot.height == frame.top + 2 * frame.cell_height
    assert [word.text for word in plot.rows] == ["0 to 90", "91 or more"]
    assert [word.text for word in plot.columns] == ["1", "2 or more"]
    last = max(square.x + square.width for square in plot.squares)
    assert last == pytest.approx(frame.width - frame.gap, abs=0.2)


def test_a_square_says_how_many_and_what_they_spent_but_not_of_a_handful() -> None:
    plot = rfm_map(read_rfm(made.rfm()), WIDE)
    assert plot is not None
    titles = {square.text: square.title for square in plot.squares}
    assert titles["400"] == (
        "Purchases: 2 or more; days since the last: 0 to 90. 400 customers (30.5% of all), each spent 30.00 on average"
    )
    assert titles["under 30"].endswith("91 or more. under 30 customers")


def test_a_score_that_nobody_can_have_has_no_column() -> None:
    doc = made.rfm(cuts={"recency_days": [90, 90], "frequency": [1, 1], "monetary_cents": [1, 2]})
    doc["heat_map"] = [
        {"r": r, "f": f, "customers": 50 if r != 2 and f != 2 else 0, "revenue_cents": 0}
        for r in (3, 2, 1)
        for f in (1, 2, 3)
    ]
    plot = rfm_map(read_rfm(doc), WIDE)
    assert plot is not None
    assert [word.text for word in plot.columns] == ["1", "2 or more"]
    assert [word.text for word in plot.rows] == ["0 to 90", "91 or more"]
    assert len(plot.squares) == 4
    section = rfm_section(read_rfm(doc))
    assert [len(row.cells) for row in section.rows] == [2, 2]


def test_the_table_beside_the_map_says_the_same() -> None:
    section = rfm_section(read_rfm(made.rfm()))
    assert [(row.label, row.cells) for row in section.rows] == [
        ("0 to 90", (("0", "–"), ("400", "30.00"))),
        ("91 or more", (("900", "1.00"), ("under 30", "too few to say"))),
    ]
    champions, at_risk = section.groups
    assert (champions.name, champions.customers, champions.share, champions.per_customer, champions.revenue_share) == (
        "Champions", "400", "30.5%", "30.00", "89.6%",
    )  # fmt: skip
    assert (at_risk.name, at_risk.customers, at_risk.share, at_risk.revenue_share, at_risk.length) == (
        "At risk", "under 30", "too few to say", "too few to say", 0.0,
    )  # fmt: skip
    assert dict(section.facts)["Bought once, and not again"] == "68.6%"
    assert dict(section.facts)["Half of them spent at most"] == "43.40"


def test_without_purchases_there_is_a_reason_and_no_map() -> None:
    section = rfm_section(read_rfm(made.undefined("not_followed", "No purchases are followed.")))
    assert (section.wide, section.narrow, section.missing) == (None, None, "No purchases are followed.")
    assert rfm_map(RfmReport(), WIDE) is None


def _weeks(*counts: tuple[int, int, int]) -> tuple[Week, ...]:
    steadiness = read_card(
        made.card(stability={"weeks": made.weeks(AT, *counts), "entering": 0.1, "leaving": 0.1})
    ).steadiness
    assert steadiness is not None
    return steadiness.weeks


@pytest.mark.parametrize("frame", [WIDE_STAYS, NARROW_STAYS], ids=["wide", "narrow"])
def test_weeks_stand_on_a_zero_and_what_came_is_above_what_left(frame: StayFrame) -> None:
    plot = stay_plot(_weeks((1_000, 200, 100), (1_100, 50, 150)), frame)
    assert plot is not None
    assert [level.label for level in plot.sizes] == ["0", "500", "1,000", "1,500"]
    per_customer = (frame.middle - frame.top) / 1_500
    assert [y for _, y in plot.points] == [
        pytest.approx(frame.middle - size * per_customer, abs=0.06) for size in (1_000, 1_100, 1_000)
    ]
    first, second = plot.weeks
    assert first.came_y + first.came_height == pytest.approx(plot.zero_y, abs=0.11)
    assert first.came_height / second.came_height == pytest.approx(4, rel=0.02)
    assert second.left_height / first.left_height == pytest.approx(1.5, rel=0.02)
    assert [point[0] for point in plot.points] == [frame.left, (frame.left + frame.right) / 2, frame.right]
    assert first.title == ("Week from 1 Nov 2026: 1,000 at its beginning, 200 came, 100 left, 1,100 at its end")


def test_many_weeks_are_not_all_named() -> None:
    plot = stay_plot(_weeks(*[(100, 10, 10)] * 52), NARROW_STAYS)
    assert plot is not None
    named = [week.x for week in plot.weeks if week.label]
    assert len(named) == NARROW_STAYS.most_words
    assert min(after - before for before, after in pairwise(named)) > 60


def test_nobody_at_any_time_is_no_plot() -> None:
    assert stay_plot(_weeks((0, 0, 0)), WIDE_STAYS) is None
    assert stay_plot((), WIDE_STAYS) is None


def _overlaps(names: dict[str, str], units: list[int], both: list[list[int]]) -> Overlaps | None:
    doc = made.customers(AT, overlap=made.overlap(names, units, both))
    return read_customers(doc).overlaps


def test_the_square_of_segments_has_the_largest_first_and_shares_of_its_rows() -> None:
    names = {"a": "Small", "b": "Large", "c": "Nobody", "d": "Few"}
    both = [[100, 60, 0, 2], [60, 300, 0, 1], [0, 0, 0, 0], [2, 1, 0, 20]]
    matrix = overlap_matrix(_overlaps(names, [100, 300, 0, 20], both))
    assert matrix is not None
    assert [(line.number, line.name) for line in matrix.lines] == [(1, "Large"), (2, "Small"), (3, "Few")]
    large, small, few = matrix.lines
    assert [cell.text for cell in large.cells] == ["", "20%", "< 1%"]
    assert [cell.text for cell in small.cells] == ["60%", "", "2%"]
    assert [cell.text for cell in few.cells] == ["?", "?", ""]
    assert small.cells[0].title == "Of Small, 60% are in Large too: 60 customers"
    assert small.cells[2].title == "Of Small, 2% are in Few too: under 30 customers"
    assert (small.cells[0].step, small.cells[1].step) == (3, -1)


def test_fifty_segments_are_twelve_and_a_sentence() -> None:
    names = {f"s{place:02}": f"Segment {place}" for place in range(50)}
    units = [1_000 + place for place in range(50)]
    both = [[min(mine, other) for other in units] for mine in units]
    matrix = overlap_matrix(_overlaps(names, units, both))
    assert matrix is not None
    assert [line.name for line in matrix.lines] == [f"Segment {place}" for place in range(49, 37, -1)]
    assert "12 largest of 50 segments" in matrix.left_out


def test_one_segment_is_no_square() -> None:
    assert overlap_matrix(_overlaps({"a": "A"}, [10], [[10]])) is None
    assert overlap_matrix(None) is None


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_numbers_on_colours_can_be_read(scheme: int) -> None:
    sheet = (Path(api.dashboard.__file__).parent / "static" / "segments.css").read_text()
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", sheet.split(":root")[scheme + 1]))
    for step in range(6):
        ground, words = (_luminance(colours[name]) for name in (f"heat-{step}", "on-high" if step > 3 else "on-low"))
        assert (max(ground, words) + 0.05) / (min(ground, words) + 0.05) >= 4.5, step
