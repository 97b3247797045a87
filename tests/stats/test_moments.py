"""Moments: merging is adding the units, and what is written is read back."""

from __future__ import annotations

import json
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.moments import (
    ArmKey,
    ArrivalKey,
    CrossMoments,
    DayKey,
    Distribution,
    MetricKey,
    Moments,
    MomentTable,
    Shape,
)
from tests.stats.builders import moments_of, table

number = st.floats(-1e6, 1e6)
group = st.lists(st.tuples(number, number), max_size=12)


def of(units: list[tuple[float, float]]) -> Moments:
    if not units:
        return Moments()
    both_signs = min(units)[0] < 0 < max(units)[0]
    return replace(
        moments_of([x for x, _ in units], [y for _, y in units]),
        absolute_mean=sum(abs(x) for x, _ in units) / len(units) if both_signs else None,
    )


def close(found: Moments, expected: Moments) -> bool:
    """Sums of squares of numbers up to 1e6 are right to 1e12 times the precision of a float."""
    assert (found.absolute_mean is None) == (expected.absolute_mean is None)
    numbers = [[*astuple(value)[:-1], value.size] for value in (found, expected)]
    return found.n == expected.n and np.allclose(*numbers, rtol=1e-9, atol=1e-2)


@given(group, group)
def test_merging_commutes_to_the_last_bit(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> None:
    assert of(a) + of(b) == of(b) + of(a)


@given(group, group)
def test_merging_is_the_moments_of_all_units(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> None:
    assert close(of(a) + of(b), of(a + b))


@given(group, group, group)
def test_merging_associates(
    a: list[tuple[float, float]], b: list[tuple[float, float]], c: list[tuple[float, float]]
) -> None:
    assert close((of(a) + of(b)) + of(c), of(a) + (of(b) + of(c)))


@given(group)
def test_an_empty_group_changes_nothing(a: list[tuple[float, float]]) -> None:
    assert of(a) + Moments() == of(a) == Moments() + of(a)


def test_variance_of_a_hundred_million_with_a_spread_of_one() -> None:
    """1e8 + {-1, 0, 1}: the variance is exactly 1, in one piece and merged from three."""
    units = [1e8 - 1, 1e8, 1e8 + 1]
    assert moments_of(units).variance == 1.0
    one, two, three = (moments_of([unit]) for unit in units)
    assert (one + two + three).variance == pytest.approx(1.0, rel=1e-6)


def test_equal_values_have_no_spread_however_they_were_merged() -> None:
    merged = moments_of([0.1] * 3) + moments_of([0.1] * 7)
    assert merged.variance == 0.0
    assert merged.mean == pytest.approx(0.1)


def test_numerators_that_are_a_multiple_of_the_denominators_leave_no_residual() -> None:
    assert moments_of([0.3, 0.6, 2.1], [1, 2, 7]).residual_variance == 0.0


@pytest.mark.parametrize("changes", [{"n": -1}, {"n": 2, "m2": -1e-9}, {"n": 2, "denominator_m2": -1.0}])
def test_impossible_moments_cannot_be_built(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative"):
        Moments(**changes)  # type: ignore[arg-type]


EXAMPLE = table(
    {
        (1, "new", "a"): {"visits": moments_of([0, 1, 1]), "spend": moments_of([0.1, 0.2, 0.3], [1, 2, 3.3])},
        (2, "new", "a"): {"visits": moments_of([1])},
    },
    mixed={ArmKey(1, "new", "a"): 2, ArmKey(1, "new", "b"): 1},
    units_outside=4,
    values_missing={"spend": 2},
    maturing={MetricKey(2, "new", "a", "visits"): 5},
    cut_short={MetricKey(1, "new", "a", "visits"): 6},
)


def test_a_table_is_read_back_as_it_was_written() -> None:
    assert MomentTable.from_dict(json.loads(json.dumps(EXAMPLE.to_dict()))) == EXAMPLE


def test_a_foreign_document_is_refused() -> None:
    with pytest.raises(ValueError, match=r"winnow\.moments/2"):
        MomentTable.from_dict({"schema": "winnow.moments/9"})


def test_tables_merge_key_by_key() -> None:
    other = table({(2, "new", "a"): {"visits": moments_of([0, 0])}, (2, "new", "b"): {"visits": moments_of([1])}})
    both = EXAMPLE + other
    assert both.units == {
        ArmKey(1, "new", "a"): 3,
        ArmKey(2, "new", "a"): 3,
        ArmKey(2, "new", "b"): 1,
    }
    assert both.of(MetricKey(2, "new", "a", "visits")) == moments_of([1]) + moments_of([0, 0])
    assert (both.units_mixed, both.units_outside, both.values_missing) == (3, 4, {"spend": 2})
    assert (both.mixed, both.maturing, both.cut_short) == (EXAMPLE.mixed, EXAMPLE.maturing, EXAMPLE.cut_short)
    twice = both + EXAMPLE
    assert twice.mixed == {ArmKey(1, "new", "a"): 4, ArmKey(1, "new", "b"): 2}
    assert (list(twice.maturing.values()), list(twice.cut_short.values())) == ([10], [12])
    assert both == other + EXAMPLE


def shape(values: list[float]) -> Shape:
    if not values:
        return Shape()
    x = np.array(values)
    delta = x - x.mean()
    cubes, squares = float((delta**3).sum()), float((delta**2).sum())
    return Shape(n=len(x), mean=float(x.mean()), m2=squares, m3=cubes, smallest=float(x.min()), largest=float(x.max()))


numbers = st.lists(st.floats(-1e3, 1e3), max_size=12)


@given(numbers, numbers)
def test_shapes_merge_to_that_of_all_and_commute(a: list[float], b: list[float]) -> None:
    assert shape(a) + shape(b) == shape(b) + shape(a)
    assert np.allclose(astuple(shape(a) + shape(b)), astuple(shape(a + b)), rtol=1e-9, atol=1e-3)


def distribution(*thresholds: float) -> Distribution:
    return Distribution(thresholds=thresholds, up_to=tuple(moments_of([1, 0], [1, 1]) for _ in thresholds))


def test_distributions_add_at_the_same_thresholds_only() -> None:
    both = distribution(1, 2) + distribution(1, 2)
    assert both.up_to == (moments_of([1, 0], [1, 1]) + moments_of([1, 0], [1, 1]),) * 2
    with pytest.raises(ValueError, match="thresholds"):
        distribution(1, 2) + distribution(1, 3)
    with pytest.raises(ValueError, match="ascend"):
        distribution(2, 1)


def test_values_cut_off_at_different_caps_do_not_add() -> None:
    assert (MomentTable(caps={"a": 1.0}) + MomentTable(caps={"a": 1.0, "b": 2.0})).caps == {"a": 1.0, "b": 2.0}
    with pytest.raises(ValueError, match="cut off"):
        MomentTable(caps={"a": 1.0}) + MomentTable(caps={"a": 2.0})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_moment(bad: float) -> None:
    for build in (
        lambda: Moments(n=1, mean=bad),
        lambda: Moments(n=1, absolute_mean=abs(bad)),
        lambda: Shape(n=1, m3=bad),
        lambda: CrossMoments(n=1, mean=(bad,), centred=((0.0,),)),
        lambda: CrossMoments(n=1, mean=(0.0,), centred=((bad,),)),
        lambda: distribution(bad),
    ):
        with pytest.raises(ValueError, match=r"NaN|negative"):
            build()


FULL = MomentTable(
    units=EXAMPLE.units,
    moments={MetricKey(1, "new", "a", "m"): Moments(n=2, m2=2.0, absolute_mean=1.0)},
    cross={MetricKey(1, "new", "a", "m"): CrossMoments(n=2, mean=(0.1, 0.2), centred=((1.0, 0.3), (0.3, 2.0)))},
    shapes={MetricKey(1, "new", "a", "m"): shape([0.1, 0.7])},
    distributions={MetricKey(1, "new", "a", "q"): distribution(0.1, 0.2)},
    by_day={DayKey(1, "new", "a", 3): moments_of([0.1, 1])},
    arrivals={ArrivalKey("new", "2026-03-01"): 5},
    caps={"m": 0.1},
)


def test_all_parts_are_read_back_and_merge() -> None:
    assert MomentTable.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL
    twice = FULL + FULL
    for name in ("moments", "cross", "shapes", "distributions", "by_day"):
        one, two = getattr(FULL, name), getattr(twice, name)
        assert two == {key: value + value for key, value in one.items()}
    assert (twice.arrivals, twice.caps) == ({ArrivalKey("new", "2026-03-01"): 10}, {"m": 0.1})
    assert FULL + EXAMPLE == EXAMPLE + FULL


def test_documents_of_the_first_form_are_read() -> None:
    document = EXAMPLE.to_dict()
    new = ("cross", "shapes", "distributions", "by_day", "arrivals", "caps")
    old = {key: value for key, value in document.items() if key not in new} | {"schema": "winnow.moments/1"}
    old["moments"] = [row[:10] for row in document["moments"]]
    assert MomentTable.from_dict(old) == EXAMPLE
