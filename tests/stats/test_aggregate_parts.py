"""What else is made of raw tables: covariates, caps, shapes, distributions, days, arrivals. The rules, as loops."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Any

import numpy as np
import pytest

from analysis.aggregate import aggregate
from analysis.aggregation import outcomes
from analysis.moments import CrossMoments, DayKey, MetricKey, MomentTable, Shape
from analysis.plan import Cell, Covariate
from tests.stats.aggregating import ALL_A, moments_close, one_arm, rows_up_to
from tests.stats.builders import at, events, exposures, metric, moments_of, plan

DAY = 86_400


def of_a(values: Any, key: str = "visits") -> Any:
    return values[MetricKey(*ALL_A, key)]


def cross_of(rows: Sequence[Sequence[float]]) -> CrossMoments:
    values = np.array(rows, dtype=float)
    delta = values - values.mean(axis=0)
    return CrossMoments(
        n=len(values), mean=tuple(values.mean(axis=0)), centred=tuple(map(tuple, (delta.T @ delta).tolist()))
    )


def close(found: CrossMoments, expected: CrossMoments) -> bool:
    return (
        found.n == expected.n
        and np.allclose(found.mean, expected.mean, rtol=1e-12)
        and np.allclose(found.centred, expected.centred, rtol=1e-10, atol=1e-12)
    )


def before(**changes: Any) -> Covariate:
    return Covariate(**{"key": "before", "event_name": "order", "lookback_seconds": 100} | changes)


def test_a_covariate_is_what_happened_in_the_look_back_period() -> None:
    """u: 3 + 4 in [-100, 0), 9 too early; v: nothing before; the order at the exposure is an outcome."""
    spend = metric(key="spend", kind="mean", event_name="order", covariates=(before(),))
    rows = [
        ("u", "order", 9.0, at(-100.000001)),
        ("u", "order", 3.0, at(-100)),
        ("u", "order", 4.0, at(-0.000001)),
        ("u", "order", 50.0, at(0)),
        ("v", "order", 8.0, at(1)),
    ]
    found = one_arm(spend, "uvw", rows)
    assert of_a(found.moments, "spend") == moments_of([50, 8, 0])
    assert close(of_a(found.cross, "spend"), cross_of([(50, 7), (8, 0), (0, 0)]))


def test_units_that_only_have_a_past_count_with_it() -> None:
    spend = metric(covariates=(before(counts_events=True),))
    found = one_arm(
        spend, "uvw", [("u", "order", None, at(-1)), ("u", "order", None, at(-2)), ("v", "visit", 1, at(1))]
    )
    assert close(of_a(found.cross), cross_of([(0, 2), (1, 0), (0, 0)]))


def test_covariates_of_a_ratio_come_after_its_denominator_and_are_capped() -> None:
    ratio = metric(
        key="r",
        kind="ratio",
        event_name="order",
        denominator_event_name="visit",
        denominator_counts_events=True,
        covariates=(before(cap=5.0), before(key="visits before", event_name="visit", counts_events=True)),
    )
    rows = [
        ("u", "order", 20.0, at(-5)),
        ("u", "visit", None, at(-5)),
        ("u", "visit", None, at(5)),
        ("u", "visit", None, at(6)),
        ("u", "order", 3.5, at(6)),
        ("v", "visit", None, at(7)),
        ("v", "order", 2.0, at(-99)),
    ]
    found = one_arm(ratio, "uv", rows)
    assert close(of_a(found.cross, "r"), cross_of([(3.5, 2, 5, 1), (0, 1, 2, 0)]))
    assert of_a(found.moments, "r") == moments_of([3.5, 0], [2, 1])


def test_cross_moments_are_of_the_units_whose_window_is_complete() -> None:
    spend = metric(window_seconds=60, covariates=(before(counts_events=True),))
    exposed = exposures([("u", "a", "all", 1, at(0)), ("v", "a", "all", 1, at(50))])
    rows = [("u", "order", None, at(-1)), ("v", "order", None, at(49)), ("v", "visit", None, at(51))]
    found = aggregate(exposed, events(rows), plan(spend, watermark_at=at(60)))
    assert close(of_a(found.cross), cross_of([(0, 1)]))
    assert of_a(found.moments) == moments_of([0])


def test_missing_values_of_a_covariate_are_no_missing_outcomes() -> None:
    spend = metric(kind="mean", covariates=(before(event_name="visit"),))
    found = one_arm(spend, "uv", [("u", "visit", float("nan"), at(-1)), ("u", "visit", 2.0, at(1))])
    assert found.values_missing == {}
    assert close(of_a(found.cross), cross_of([(2, 0), (0, 0)]))


@pytest.mark.parametrize(
    ("values", "smallest", "largest", "m3"),
    [
        pytest.param([0, 0, 3], 0, 3, 6.0, id="skewed: -1, -1, 2"),
        pytest.param([1, 2, 3], 1, 3, 0.0, id="symmetric"),
        pytest.param([5], 5, 5, 0.0, id="one unit"),
        pytest.param([0.1, 0.1, 0.1], 0.1, 0.1, 0.0, id="equal values"),
        pytest.param([-4, 0, 0, 0], -4, 0, -24.0, id="negative: -3, 1, 1, 1"),
    ],
)
def test_shape(values: list[float], smallest: float, largest: float, m3: float) -> None:
    names = [str(number) for number in range(len(values))]
    rows = [(name, "visit", value, at(1)) for name, value in zip(names, values, strict=True)]
    found = of_a(one_arm(metric(kind="mean"), names, rows).shapes)
    mean, m2 = float(np.mean(values)), float(np.var(values)) * len(values)
    assert (found.n, found.smallest, found.largest, found.m3) == (len(values), smallest, largest, m3)
    assert (found.mean, found.m2) == pytest.approx((mean, m2), rel=1e-15)


def test_units_without_events_are_in_the_extremes() -> None:
    rows = [("u", "visit", 2.0, at(1))]
    assert of_a(one_arm(metric(kind="mean"), "uv", rows).shapes) == Shape(
        n=2, mean=1.0, m2=2.0, m3=0.0, smallest=0.0, largest=2.0
    )
    assert of_a(one_arm(metric(kind="mean"), "uv", []).shapes) == Shape(n=2)


def test_conversions_and_quantiles_have_no_shape() -> None:
    median = metric(key="median", kind="quantile", quantile=0.5, role="secondary")
    found = one_arm(metric(), "u", [("u", "visit", 1.0, at(1))], metrics=(metric(), median))
    assert found.shapes == {}


@pytest.mark.parametrize(
    ("values", "absolute"),
    [([-3, 5], 4.0), ([3, 5], None), ([-3, -5], None), ([-3, 0], None), ([0, 5], None), ([-0.1, 0.1, 0.1], 0.1)],
)
def test_absolute_mean_where_both_signs_occur(values: list[float], absolute: float | None) -> None:
    rows = [(str(number), "visit", value, at(1)) for number, value in enumerate(values)]
    found = of_a(one_arm(metric(kind="mean"), [row[0] for row in rows], rows).moments)
    assert found == replace(found, absolute_mean=absolute)


def test_an_arm_of_one_sign_beside_one_of_both() -> None:
    exposed = exposures([(name, name[0], "all", 1, at(0)) for name in ("a1", "a2", "b1", "b2")])
    rows = [("a1", "visit", -1.0, at(1)), ("a2", "visit", 2.0, at(1)), ("b1", "visit", 4.0, at(1))]
    found = aggregate(exposed, events(rows), plan(metric(kind="mean")))
    assert found.moments[MetricKey(1, "all", "a", "visits")].absolute_mean == 1.5
    assert found.moments[MetricKey(1, "all", "b", "visits")].absolute_mean is None


@pytest.mark.parametrize(
    ("quantile", "cap"),
    [(0.5, 0.0), (0.6, 0.0), (0.7, 1.0), (0.75, 2.5), (0.8, 2.5), (0.81, 4.0), (0.9, 4.0), (0.95, 100.0)],
)
def test_winsorised_at_a_quantile_of_all_units(quantile: float, cap: float) -> None:
    """Ten units, five in each arm, of which six have nothing: 0 x 6, 1, 2.5, 4, 100."""
    units = [(f"{arm}{i}", arm, "all", 1, at(0)) for arm in "ab" for i in range(5)]
    values = {"a0": 100.0, "a1": 1.0, "b0": 2.5, "b1": 4.0}
    rows = [(unit, "visit", value, at(1)) for unit, value in values.items()]
    found = aggregate(exposures(units), events(rows), plan(metric(kind="mean", winsor_quantile=quantile)))
    assert found.caps == {"visits": cap}
    assert of_a(found.moments) == moments_of([min(100.0, cap), min(1.0, cap), 0, 0, 0])
    assert of_a(found.shapes).largest == min(100.0, cap)


def test_winsorised_with_losses() -> None:
    """-5, -3, 0, 0, 7: the middle is 0, four fifths are up to 0, and all up to 7."""
    values = {"u": -5.0, "v": -3.0, "w": 7.0}
    rows = [(unit, "visit", value, at(1)) for unit, value in values.items()]
    for quantile, cap in ((0.5, 0.0), (0.8, 0.0), (0.85, 7.0)):
        found = one_arm(metric(kind="mean", winsor_quantile=quantile), "uvwxy", rows)
        assert found.caps == {"visits": cap}
        assert of_a(found.moments).mean == pytest.approx((-8 + cap) / 5)


def test_winsorising_a_ratio_cuts_both_sides_each_at_its_own() -> None:
    ratio = metric(
        kind="ratio",
        event_name="order",
        denominator_event_name="visit",
        denominator_counts_events=True,
        winsor_quantile=0.5,
    )
    rows = [(unit, "order", value, at(1)) for unit, value in (("u", 1.0), ("v", 2.0), ("w", 9.0))]
    rows += [(unit, "visit", None, at(1)) for unit in "uvvwwwww"]
    found = one_arm(ratio, "uvw", rows)
    assert found.caps == {"visits": 2.0, "visits/denominator": 2.0}
    assert of_a(found.moments) == moments_of([1, 2, 2], [1, 2, 2])


def test_a_cap_looks_at_units_whose_window_is_complete() -> None:
    exposed = exposures([("u", "a", "all", 1, at(0)), ("v", "a", "all", 1, at(0)), ("w", "a", "all", 1, at(50))])
    rows = [("u", "visit", 3.0, at(1)), ("v", "visit", 5.0, at(1)), ("w", "visit", 99.0, at(51))]
    spend = metric(kind="mean", window_seconds=60, winsor_quantile=0.95)
    assert aggregate(exposed, events(rows), plan(spend, watermark_at=at(60))).caps == {"visits": 5.0}


EVERYTHING = plan(
    metric(key="spend", kind="mean", event_name="order", winsor_quantile=0.95, covariates=(before(),)),
    metric(key="profit", kind="mean", event_name="profit", role="secondary", window_seconds=5),
    metric(key="count", kind="count", role="secondary", covariates=(before(), before(key="v", event_name="visit"))),
    metric(key="p90", kind="quantile", event_name="order", role="secondary", quantile=0.9, window_seconds=7),
    metric(
        key="basket", kind="ratio", event_name="order", denominator_event_name="visit", role="secondary",
        denominator_counts_events=True, winsor_quantile=0.9,
    ),
    metric(key="converted", role="secondary", covariates=(before(counts_events=True),)),
    segments=("s", "t"),
    cells=[Cell(epoch=epoch, segment=segment, weights={"a": 1, "b": 1}) for epoch in (1, 2) for segment in ("s", "t")],
    novelty_days=2,
    watermark_at=at(2 * DAY),
)  # fmt: skip


def random_rows(units: int, seed: int) -> tuple[list[Any], list[Any]]:
    rng = random.Random(seed)
    exposed = [
        (f"u{i}", rng.choice("ab"), rng.choice("st"), rng.choice((1, 2)), at(rng.random() * 1.5 * DAY))
        for i in range(units)
    ]
    happened = []
    for _ in range(units * 8):
        unit, *_, exposed_at = rng.choice(exposed)
        name = rng.choice(("visit", "order", "profit"))
        value = rng.lognormvariate(0, 2) if name != "profit" else rng.gauss(0, 1e3)
        when = exposed_at + timedelta(seconds=rng.choice((rng.uniform(-120, 120), rng.uniform(0, DAY))))
        happened.append((unit, name, value, when))
    return exposed, happened


def test_order_and_row_counts_of_shards_change_nothing() -> None:
    exposed, happened = random_rows(600, seed=3)
    reference = aggregate(exposures(exposed), events(happened), EVERYTHING)
    random.Random(1).shuffle(exposed)
    random.Random(2).shuffle(happened)
    again = aggregate(exposures(exposed), events(happened), EVERYTHING)
    assert json.dumps(again.to_dict()) == json.dumps(reference.to_dict())
    assert MomentTable.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference


def test_everything_against_plain_python() -> None:
    exposed, happened = random_rows(500, seed=4)
    found = aggregate(exposures(exposed), events(happened), EVERYTHING)
    since = {unit: exposed_at for unit, *_, exposed_at in exposed}
    of: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for unit, name, value, when in happened:
        of[unit].append((name, value, (when - since[unit]).total_seconds()))

    def total(unit: str, name: str, start: float, end: float, *, counts: bool = False) -> float:
        return sum(1 if counts else value for event, value, after in of[unit] if event == name and start <= after < end)

    def cap(values: Sequence[float], quantile: float) -> float:
        return sorted(values)[ceil(len(values) * quantile) - 1]

    forever = 9.0 * DAY
    spend = {unit: total(unit, "order", 0, forever) for unit in since}
    visits = {unit: total(unit, "visit", 0, forever, counts=True) for unit in since}
    spend_cap, basket_cap, visits_cap = (
        cap([*spend.values()], 0.95),
        cap([*spend.values()], 0.9),
        cap([*visits.values()], 0.9),
    )
    assert found.caps == pytest.approx(
        {"basket": basket_cap, "basket/denominator": visits_cap, "spend": spend_cap}, rel=1e-14
    )
    for arm in found.units:
        members = [unit for unit, variant, segment, epoch, _ in exposed if (epoch, segment, variant) == arm]
        assert found.units[arm] == len(members)
        before_ = {unit: total(unit, "order", -100, 0) for unit in members}
        capped = [min(spend[unit], spend_cap) for unit in members]
        assert close(
            found.cross[MetricKey(*arm, "spend")],
            cross_of([(x, before_[unit]) for x, unit in zip(capped, members, strict=True)]),
        )
        counts = [(visits[unit], before_[unit], total(unit, "visit", -100, 0)) for unit in members]
        assert close(found.cross[MetricKey(*arm, "count")], cross_of(counts))
        converted = [(float(visits[unit] > 0), total(unit, "order", -100, 0, counts=True)) for unit in members]
        assert close(found.cross[MetricKey(*arm, "converted")], cross_of(converted))
        profit = [total(unit, "profit", 0, 5) for unit in members]
        moments = found.moments[MetricKey(*arm, "profit")]
        assert moments_close(
            moments,
            replace(
                moments_of(profit),
                absolute_mean=float(np.abs(profit).mean()) if min(profit) < 0 < max(profit) else None,
            ),
        )
        shape = found.shapes[MetricKey(*arm, "profit")]
        delta = np.array(profit) - np.mean(profit)
        assert (shape.smallest, shape.largest) == pytest.approx((min(profit), max(profit)), rel=1e-14)
        assert shape.m3 == pytest.approx(float((delta**3).sum()), rel=1e-7, abs=1e-4)
        orders = {unit: [v for n, v, after in of[unit] if n == "order" and 0 <= after < 7] for unit in members}
        distribution = found.distributions[MetricKey(*arm, "p90")]
        for threshold, up_to in list(zip(distribution.thresholds, distribution.up_to, strict=True))[::10]:
            assert moments_close(up_to, rows_up_to(orders, threshold))
        for day in (0, 1):
            there = [unit for unit in members if since[unit] + timedelta(days=day + 1) <= at(2 * DAY)]
            values = [min(total(unit, "order", day * DAY, (day + 1) * DAY), spend_cap) for unit in there]
            key = DayKey(*arm, day)
            assert moments_close(found.by_day[key], moments_of(values)) if there else key not in found.by_day


def test_units_with_more_events_than_expected_are_summed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    exposed, happened = random_rows(60, seed=6)
    reference = aggregate(exposures(exposed), events(happened), EVERYTHING)
    monkeypatch.setattr(outcomes, "EVENTS_OF_A_UNIT", 2)
    again = aggregate(exposures(exposed), events(happened), EVERYTHING)
    assert again.moments.keys() == reference.moments.keys()
    for key, moments in reference.moments.items():
        assert moments_close(again.moments[key], moments)


def test_a_value_of_another_event_that_is_huge_costs_no_digits() -> None:
    rows = [("u", "visit", 0.1, at(1)), ("v", "visit", 0.3, at(1)), ("u", "other", 1e45, at(1))]
    found = of_a(one_arm(metric(kind="mean"), "uv", rows).moments)
    assert found.mean == pytest.approx(0.2, rel=1e-15)
    assert found.m2 == pytest.approx(0.02, rel=1e-14)
