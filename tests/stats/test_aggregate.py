"""Raw tables to moments: every expected number is computed by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.aggregate import aggregate
from analysis.moments import ArmKey, MetricKey, MomentTable
from analysis.plan import Cell
from analysis.report import build
from tests.stats.aggregating import ALL_A, FOUR_CELLS, of, one_arm
from tests.stats.builders import at, events, exposures, metric, moments_of, plan


@pytest.mark.parametrize(
    ("seconds", "counted"),
    [
        pytest.param(-1, 0, id="before the exposure"),
        pytest.param(0, 1, id="at the exposure"),
        pytest.param(59.999999, 1, id="last microsecond of the window"),
        pytest.param(60, 0, id="end of the window"),
    ],
)
def test_window_is_closed_at_the_exposure_and_open_at_its_end(seconds: float, counted: int) -> None:
    found = one_arm(metric(window_seconds=60), ["u"], [("u", "visit", None, at(seconds))])
    assert of(found) == moments_of([counted])


@pytest.mark.parametrize(("seconds", "counted"), [(99.999999, 1), (100, 0)])
def test_follow_up_is_open_at_its_end(seconds: float, counted: int) -> None:
    cell = Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}, follow_up_ends_at=at(100))
    found = one_arm(metric(), ["u"], [("u", "visit", None, at(seconds))], cells=[cell])
    assert of(found) == moments_of([counted])


def test_each_metric_has_its_own_window() -> None:
    metrics = [
        metric(window_seconds=10),
        metric(key="later", kind="count", role="secondary", window_seconds=100),
        metric(key="ever", kind="count", role="secondary"),
    ]
    rows = [("u", "visit", None, at(seconds)) for seconds in (5, 50, 500)]
    found = aggregate(exposures([("u", "a", "all", 1, at(0))]), events(rows), plan(*metrics))
    assert [of(found, key).mean for key in ("visits", "later", "ever")] == [1.0, 2.0, 3.0]


def test_the_four_kinds() -> None:
    """u: visits 2, orders 10 + 5; v: visits 1; w: an order of 7 and no visit; x: nothing."""
    per_visit = {"kind": "ratio", "role": "secondary", "event_name": "order", "denominator_event_name": "visit"}
    metrics = [
        metric(),
        metric(key="count", kind="count", role="secondary"),
        metric(key="spend", kind="mean", role="secondary", event_name="order"),
        metric(key="per_visit", **per_visit, denominator_counts_events=True),
        metric(key="orders", **per_visit, numerator_counts_events=True),
    ]
    rows = [
        ("u", "visit", 3.0, at(1)),
        ("u", "visit", 1.5, at(2)),
        ("u", "order", 10.0, at(3)),
        ("u", "order", 5.0, at(4)),
        ("v", "visit", 1.0, at(1)),
        ("w", "order", 7.0, at(1)),
        ("w", "search", 7.0, at(1)),
        ("stranger", "visit", 1.0, at(1)),
    ]
    units = [(unit, "a", "all", 1, at(0)) for unit in "uvwx"]
    found = aggregate(exposures(units), events(rows), plan(*metrics))
    assert found.units == {ALL_A: 4}
    assert of(found) == moments_of([1, 1, 0, 0])
    assert of(found, "count") == moments_of([2, 1, 0, 0])
    assert of(found, "spend") == moments_of([15, 0, 7, 0])
    assert of(found, "per_visit") == moments_of([15, 0, 7, 0], [2, 1, 0, 0])
    assert of(found, "orders") == moments_of([2, 0, 1, 0], [4.5, 1, 0, 0])


def test_a_cap_cuts_the_units_sum_not_its_events() -> None:
    """8 + 8 and 30 capped at 12; a sum of 11 stays; a refund of -20 is not cut."""
    spend = metric(key="spend", kind="mean", event_name="order", cap=12.0)
    rows = [("u", 8.0), ("u", 8.0), ("v", 30.0), ("w", 11.0), ("x", -20.0)]
    found = one_arm(spend, list("uvwx"), [(unit, "order", value, at(1)) for unit, value in rows])
    assert of(found, "spend") == replace(moments_of([12, 12, 11, -20]), absolute_mean=55 / 4)


def test_a_cap_on_a_ratio_cuts_both_sides() -> None:
    names = {"event_name": "order", "denominator_event_name": "visit"}
    ratio = metric(key="r", kind="ratio", **names, cap=2.0, denominator_counts_events=True)
    rows = [("u", "order", 9.0, at(1)), *[("u", "visit", None, at(1))] * 3, ("v", "visit", None, at(1))]
    assert of(one_arm(ratio, ["u", "v"], rows), "r") == moments_of([2, 0], [2, 1])


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf"), 1e300])
def test_unusable_values_add_nothing_but_are_events(value: float | None) -> None:
    metrics = [
        metric(key="spend", kind="mean"),
        metric(key="count", kind="count", role="secondary"),
        metric(key="visits", role="secondary"),
        metric(key="r", kind="ratio", role="secondary", denominator_event_name="visit"),
    ]
    rows = [("u", "visit", value, at(1)), ("u", "visit", 2.0, at(2)), ("v", "visit", value, at(2))]
    found = one_arm(metrics[0], ["u", "v"], rows, metrics=tuple(metrics))
    assert of(found, "spend") == moments_of([2, 0])
    assert of(found, "count") == moments_of([2, 1])
    assert of(found, "visits") == moments_of([1, 1])
    assert of(found, "r") == moments_of([2, 0], [2, 0])
    assert found.values_missing == {"spend": 2, "r": 2}


@pytest.mark.parametrize(
    ("rows", "arm"),
    [
        pytest.param([("a", "s", 1, 5), ("a", "s", 1, 9)], (1, "s", "a"), id="seen twice"),
        pytest.param([("b", "s", 2, 9), ("a", "s", 1, 5)], (1, "s", "a"), id="moved by a later epoch"),
        pytest.param([("a", "s", 1, 5), ("a", "t", 1, 9)], (1, "s", "a"), id="changed segment, kept variant"),
        pytest.param([("a", "t", 1, 5), ("a", "s", 1, 5)], (1, "s", "a"), id="same instant: lowest segment"),
        pytest.param([("a", "s", 2, 5), ("b", "t", 1, 5)], (1, "t", "b"), id="same instant: lowest epoch first"),
        pytest.param([("a", "s", 2, 1), ("b", "s", 1, 5), ("a", "s", 1, 6)], (2, "s", "a"), id="mixed elsewhere"),
        pytest.param([("a", "s", 1, 5), ("b", "s", 1, 9)], "mixed", id="two variants in one cell"),
        pytest.param([("a", "s", 1, 5), ("b", "t", 1, 9)], (1, "s", "a"), id="another variant in another segment"),
        pytest.param([("a", "s", 1, 1), ("a", "t", 1, 5), ("b", "t", 1, 6)], (1, "s", "a"), id="mixed after a move"),
        pytest.param([("a", "s", 1, 5), ("z", "s", 1, 9)], "mixed", id="then an unknown variant"),
        pytest.param([("a", "s", 3, 5)], "outside", id="unknown epoch"),
        pytest.param([("a", "z", 1, 5)], "outside", id="unknown segment"),
        pytest.param([("z", "s", 1, 5)], "outside", id="unknown variant"),
        pytest.param([(None, "s", 1, 5)], "outside", id="no variant"),
        pytest.param([("a", None, 1, 5)], "outside", id="no segment"),
        pytest.param([("a", "z", 1, 5), ("a", "s", 1, 9)], "outside", id="first outside, then inside"),
    ],
)
def test_where_a_unit_counts(rows: list[Any], arm: Any) -> None:
    exposed = [("u", variant, segment, epoch, at(seconds)) for variant, segment, epoch, seconds in rows]
    found = aggregate(
        exposures(exposed), events([("u", "visit", None, at(50))]), plan(segments=("s", "t"), cells=FOUR_CELLS)
    )
    counted = {} if arm in ("mixed", "outside") else {ArmKey(*arm): 1}
    assert found.units == counted
    assert {key: value.mean for key, value in found.moments.items()} == {
        MetricKey(*key, "visits"): 1.0 for key in counted
    }
    assert (found.units_mixed, found.units_outside) == (arm == "mixed", arm == "outside")


def test_customers_who_move_to_a_promoted_segment_are_no_mixed_units() -> None:
    """Whoever buys becomes a buyer, and buyers see b, promoted to 95 %.

    New: 500 in a, 500 in b, of each 100 buy (.2: A/A). All of them come back as buyers: of the 100 from a five stay in
    a, 95 see b; the 100 from b stay in b. Leaving out whoever saw both would leave 5 of 405 in a against 100 of 500.
    """
    cells = [
        Cell(epoch=2, segment="new", weights={"a": 1, "b": 1}),
        Cell(epoch=2, segment="buyers", weights={"a": 5, "b": 95}),
    ]
    first = [(f"{arm}{i}", arm, "new", 2, at(i)) for arm in "ab" for i in range(500)]
    bought = [(f"{arm}{i}", "visit", None, at(i + 10)) for arm in "ab" for i in range(100)]
    back = [
        (f"{arm}{i}", "a" if arm == "a" and i < 5 else "b", "buyers", 2, at(9_999)) for arm in "ab" for i in range(100)
    ]
    question = plan(segments=("new", "buyers"), cells=cells)
    found = aggregate(exposures(first + back), events(bought), question)
    assert (found.mixed, found.units_outside) == ({}, 0)
    assert found.units == {ArmKey(2, "new", "a"): 500, ArmKey(2, "new", "b"): 500}
    assert {key.variant: round(value.total) for key, value in found.moments.items()} == {"a": 100, "b": 100}
    assert build(question, found).segments[0].verdict.outcome == "undecided"


def test_mixed_units_are_kept_by_their_first_variant() -> None:
    """Three start in a (two of them in s), one in b."""
    seen = {"u": "ab", "v": "ba", "w": "ab", "x": "aa"}
    rows = [(unit, variant, "s", 1, at(i)) for unit, variants in seen.items() for i, variant in enumerate(variants)]
    rows += [("y", "a", "t", 2, at(0)), ("y", "b", "t", 2, at(5))]
    found = aggregate(exposures(rows), events([]), plan(segments=("s", "t"), cells=FOUR_CELLS))
    assert found.mixed == {ArmKey(1, "s", "a"): 2, ArmKey(1, "s", "b"): 1, ArmKey(2, "t", "a"): 1}
    assert found.units_mixed == 4
    assert found.units == {ArmKey(1, "s", "a"): 1}


@pytest.mark.parametrize(("seconds", "counted"), [(99.999999, 1), (100, 0)])
def test_an_exposure_after_the_follow_up_is_outside(seconds: float, counted: int) -> None:
    """A client that has not heard of the new split: nothing that happens could count any more."""
    cell = Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}, follow_up_ends_at=at(100))
    found = aggregate(exposures([("u", "a", "all", 1, at(seconds))]), events([]), plan(cells=[cell]))
    assert (sum(found.units.values()), found.units_outside) == (counted, 1 - counted)


@pytest.mark.parametrize(
    ("watermark", "follow_up_ends", "complete", "maturing", "cut_short"),
    [
        pytest.param(None, None, 3, 0, 0, id="no end known"),
        pytest.param(120, None, 3, 0, 0, id="the last window just ends"),
        pytest.param(119, None, 2, 1, 0, id="the last is too recent"),
        pytest.param(None, 119, 2, 0, 1, id="the last is cut by a new split"),
        pytest.param(80, 119, 1, 1, 1, id="one too recent, one cut"),
        pytest.param(80, 65, 1, 0, 2, id="cut comes first"),
    ],
)
def test_only_complete_windows_count(
    watermark: int | None, follow_up_ends: int | None, complete: int, maturing: int, cut_short: int
) -> None:
    """Exposed at 0, 30 and 60, windows of 60: they end at 60, 90 and 120. All three visit and order at once.

    Without a window, everybody counts.
    """
    cell = Cell(
        epoch=1,
        segment="all",
        weights={"a": 1, "b": 1},
        follow_up_ends_at=None if follow_up_ends is None else at(follow_up_ends),
    )
    metrics = (metric(window_seconds=60), metric(key="ever", kind="mean", role="secondary"))
    starts = {"u": 0, "v": 30, "w": 60}
    found = aggregate(
        exposures([(unit, "a", "all", 1, at(start)) for unit, start in starts.items()]),
        events([(unit, "visit", 2.0, at(start + 1)) for unit, start in starts.items()]),
        plan(*metrics, cells=[cell], watermark_at=None if watermark is None else at(watermark)),
    )
    assert found.units == {ALL_A: 3}
    assert of(found) == moments_of([1] * complete)
    assert of(found, "ever") == moments_of([2] * 3)
    key = MetricKey(*ALL_A, "visits")
    assert found.maturing == ({key: maturing} if maturing else {})
    assert found.cut_short == ({key: cut_short} if cut_short else {})


def test_missing_values_of_units_that_do_not_count_yet_are_not_reported() -> None:
    spend = metric(key="spend", kind="mean", window_seconds=60)
    found = one_arm(spend, ["u"], [("u", "visit", None, at(1))], watermark_at=at(59))
    assert (found.values_missing, found.moments) == ({}, {})


def test_a_faster_variant_is_no_better_one() -> None:
    """Everybody converts: in a in the last second of a window of 60, in b in the first; one unit a second each.

    At 100 the units exposed up to 40 have a complete window. All others of b have converted, none of a.
    """
    units = [(arm, i) for arm in "ab" for i in range(100)]
    found = aggregate(
        exposures([(f"{arm}{i}", arm, "all", 1, at(i)) for arm, i in units]),
        events(
            [
                (f"{arm}{i}", "visit", None, at(i + (59 if arm == "a" else 0)))
                for arm, i in units
                if i < 41 or arm == "b"
            ]
        ),
        plan(metric(window_seconds=60), watermark_at=at(100)),
    )
    assert {key.variant: (value.n, value.total) for key, value in found.moments.items()} == {
        "a": (41, 41),
        "b": (41, 41),
    }
    assert sum(found.maturing.values()) == 2 * 59


def test_outcomes_count_from_the_first_exposure() -> None:
    rows = [("u", "a", "all", 1, at(100)), ("u", "a", "all", 1, at(10))]
    found = aggregate(
        exposures(rows), events([("u", "visit", None, at(9)), ("u", "visit", None, at(10))]), plan(metric(kind="count"))
    )
    assert of(found) == moments_of([1])


def test_rows_without_a_unit_or_an_instant_are_no_exposures() -> None:
    rows = [(None, "a", "all", 1, at(0)), ("u", "a", "all", 1, None)]
    found = aggregate(exposures(rows), events([]), plan())
    assert found == MomentTable(rows_unusable={"exposures": 2}, rows_read={"exposures": 2})


def test_no_rows_at_all() -> None:
    found = aggregate(exposures([]), events([]), plan())
    assert found == MomentTable()


def test_a_spread_of_one_around_a_hundred_million() -> None:
    """Values 1e8 + {-1, 0, 1}: Σ(x - mean)² is exactly 2."""
    spend = metric(key="spend", kind="mean", event_name="order")
    rows = [(unit, "order", 1e8 + shift, at(1)) for unit, shift in (("u", -1), ("v", 0), ("w", 1))]
    found = of(one_arm(spend, list("uvw"), rows), "spend")
    assert (found.mean, found.m2) == (1e8, 2.0)


def test_a_metric_key_may_be_any_text() -> None:
    odd = replace(metric(), key='";drop "ü', event_name="it's")
    found = one_arm(odd, ["u"], [("u", "it's", None, at(1))])
    assert of(found, '";drop "ü') == moments_of([1])
