"""Reports on tables that nobody would draw up: `build` answers all of them, soundly."""

from __future__ import annotations

from itertools import product
from math import inf, nan
from typing import Any

import numpy as np
import pytest

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
from analysis.plan import Cell, Covariate, EffectPrior, Looks, MetricPlan, Plan
from analysis.report import build, canonical_json
from calibration.soundness import unsound
from tests.repeats import repeats

Rng = np.random.Generator
VARIANTS = ("a", "b", "c", "d")
SEGMENTS = ("s", "t", "u")
SIZES = (0, 1, 2, 3, 19, 20, 100, 101, 5_000, 10**7)
SCALES = (1e-300, 1e-12, 1.0, 1e8, 1e100)


def some(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def metrics(rng: Rng) -> tuple[MetricPlan, ...]:
    roles = ["primary", "secondary", "guardrail"][: some(rng, (1, 2, 2, 3))]
    return tuple(metric(rng, f"m{index}", role) for index, role in enumerate(roles))


def metric(rng: Rng, key: str, role: str) -> MetricPlan:
    kind = some(rng, ("conversion", "count", "mean", "ratio", "quantile"))
    covariates = tuple(
        Covariate(key=f"x{index}", event_name="visit", lookback_seconds=60)
        for index in range(int(rng.integers(3)) if kind != "quantile" and rng.random() < 0.4 else 0)
    )
    return MetricPlan(
        key=key,
        kind=kind,
        role=role,  # type: ignore[arg-type]
        event_name="e",
        denominator_event_name="d" if kind == "ratio" else None,
        direction=some(rng, ("increase", "decrease")),
        margin_lift=some(rng, (None, 0.02)) if role == "guardrail" else None,
        quantile=some(rng, (0.01, 0.5, 0.99)) if kind == "quantile" else None,
        window_seconds=some(rng, (None, 3_600)),
        covariates=covariates,
    )


def cells(rng: Rng, variants: tuple[str, ...], segments: tuple[str, ...]) -> tuple[Cell, ...]:
    return tuple(
        Cell(epoch=epoch, segment=segment, weights=weights(rng, variants))
        for epoch, segment in product(range(some(rng, (1, 1, 2, 5))), segments)
        if epoch == 0 or rng.random() < 0.8
    )


def weights(rng: Rng, variants: tuple[str, ...]) -> dict[str, float]:
    found = {variant: float(some(rng, (0, 1, 1, 9, 1e-6))) for variant in variants}
    return found if any(found.values()) else found | {variants[0]: 1.0}


def plan(rng: Rng) -> Plan:
    variants = VARIANTS[: some(rng, (2, 2, 3, 4))]
    segments = SEGMENTS[: some(rng, (1, 1, 2, 3))]
    # Looks are rare here: each costs as much as the rest of a report.
    rule = "group_sequential" if rng.random() < 0.01 else some(rng, ("always_valid", "always_valid", "fixed_horizon"))
    families = ["holm", "hochberg", "bonferroni", "benjamini_hochberg", "benjamini_yekutieli"]
    families += {"always_valid": ["e_benjamini_hochberg"], "fixed_horizon": ["dunnett"]}.get(rule, [])
    earlier = {segment: (50, 400) for segment in (None, *segments) if rng.random() < 0.5}
    return Plan(
        variants=variants,
        control=some(rng, variants),
        segments=segments,
        metrics=metrics(rng),
        cells=cells(rng, variants, segments),
        alpha=some(rng, (0.05, 0.5, 1e-6)),
        stopping_rule=rule,
        family=some(rng, families),
        tuned_for_units=some(rng, (100, 5_000, 10**9)),
        min_units=some(rng, (20, 100)),
        min_conversions=some(rng, (0, 10)),
        post_stratified=bool(rng.random() < 0.3),
        looks=Looks(planned_units=some(rng, (1_000, 10**6)), earlier_units=earlier)
        if rule == "group_sequential"
        else None,
        lift_prior=some(rng, (None, EffectPrior(mean=0.0, std_dev=0.05))),
        minimum_lift=some(rng, (None, 0.02)),
        novelty_days=some(rng, (0, 0, 3)),
    )


def table(rng: Rng, question: Plan) -> MomentTable:
    """Cells may be empty, arms missing; a metric may have fewer units than its arm."""
    units, mixed, moments = {}, {}, {}
    cross, shapes, distributions, by_day = {}, {}, {}, {}
    thresholds = tuple(sorted({float(x) for x in rng.integers(0, 50, 4)}))
    for cell, variant in product(question.cells, question.variants):
        if rng.random() < 0.1:
            continue
        arm = ArmKey(cell.epoch, cell.segment, variant)
        units[arm] = n = size(rng)
        if rng.random() < 0.1:
            mixed[arm] = int(rng.integers(50))
        for one in question.metrics:
            key = MetricKey(*arm, one.key)
            known = n if rng.random() < 0.8 else min(n, size(rng))
            moments[key] = group(rng, one.kind, known)
            if one.covariates:
                cross[key] = beside(rng, moments[key], one)
            if one.kind in ("count", "mean", "ratio") and rng.random() < 0.7:
                shapes[key] = shape(rng, moments[key])
            if one.kind == "quantile":
                distributions[key] = distribution(rng, known, thresholds)
        for day in range(question.novelty_days):
            by_day[DayKey(*arm, day)] = group(rng, question.primary.kind, min(n, size(rng)))
    arrivals = {ArrivalKey(segment, "2026-03-01"): int(rng.integers(10**4)) for segment in question.segments}
    return MomentTable(
        units=units,
        mixed=mixed,
        moments=moments,
        units_outside=int(rng.integers(3)),
        cross=cross,
        shapes=shapes,
        distributions=distributions,
        by_day=by_day,
        arrivals=arrivals if rng.random() < 0.5 else {},
    )


def size(rng: Rng) -> int:
    return int(some(rng, SIZES)) if rng.random() < 0.4 else int(rng.integers(0, 3_000))


def group(rng: Rng, kind: str, n: int) -> Moments:
    if not n:
        return Moments()
    if kind == "conversion":
        successes = int(some(rng, (0, n, min(1, n), rng.binomial(n, rng.random()))))
        return Moments(n=n, mean=successes / n, m2=successes * (n - successes) / n)
    mean, spread = number(rng), abs(number(rng))
    if kind not in ("ratio", "quantile"):
        absolute = some(rng, (None, abs(mean) + spread / 2)) if kind == "mean" else None
        return Moments(n=n, mean=mean, m2=sum_of_squares(n, spread), absolute_mean=absolute)
    below, off = number(rng), abs(number(rng))
    if kind == "quantile":
        below = abs(below)
    m2, other = sum_of_squares(n, spread), sum_of_squares(n, off)
    co_m2 = float(rng.uniform(-1, 1)) * m2**0.5 * other**0.5
    return Moments(n=n, mean=mean, m2=m2, denominator_mean=below, denominator_m2=other, co_m2=co_m2)


def number(rng: Rng) -> float:
    """Mostly a plain one, sometimes 0, tiny, huge or the same as another."""
    chance = rng.random()
    if chance < 0.15:
        return 0.0
    if chance < 0.3:
        return float(some(rng, (1.0, -1.0, 2.0)))
    scale = some(rng, SCALES) if chance < 0.45 else 1.0
    return float(rng.normal(3, 2)) * float(scale)


def sum_of_squares(n: int, spread: float) -> float:
    return min((n - 1) * spread * spread, 1e250) if n > 1 else 0.0


def beside(rng: Rng, moments: Moments, one: MetricPlan) -> CrossMoments:
    """Cross products that some values have: A·Aᵀ, the metric's own part as it is."""
    own = 2 if one.kind == "ratio" else 1
    count = own + len(one.covariates)
    factor = rng.normal(size=(count, some(rng, (1, count)))) * float(some(rng, (1.0, 1.0, 0.0, 1e6)))
    centred = factor @ factor.T * max(moments.n - 1, 0)
    mean = rng.normal(size=count) * float(some(rng, (1.0, 1e8)))
    return CrossMoments(n=moments.n, mean=tuple(mean.tolist()), centred=tuple(map(tuple, centred.tolist())))


def shape(rng: Rng, moments: Moments) -> Shape:
    if not moments.n:
        return Shape()
    spread = (moments.m2 / moments.n) ** 0.5
    largest = moments.mean + float(rng.uniform(0, 50)) * spread
    m3 = float(np.clip(float(rng.normal(2, 3)) * moments.m2 * min(spread, 1e40), -1e300, 1e300))
    return Shape(n=moments.n, mean=moments.mean, m2=moments.m2, m3=m3, smallest=moments.mean - spread, largest=largest)


def distribution(rng: Rng, n: int, thresholds: tuple[float, ...]) -> Distribution:
    """Rows up to a threshold, among one row or more of every unit."""
    shares = np.sort(rng.random(len(thresholds))) * float(some(rng, (0.0, 1.0, 1.0)))
    rows = float(some(rng, (1.0, 1.0, 3.0)))

    def up_to(share: float) -> Moments:
        if not n:
            return Moments()
        spread, co = rows * share * (1 - share) * n, 0.0
        return Moments(n=n, mean=rows * share, m2=spread, denominator_mean=rows, denominator_m2=0.0, co_m2=co)

    return Distribution(thresholds=thresholds, up_to=tuple(up_to(float(share)) for share in shares))


def check(seed: int, tables: int) -> None:
    for index in range(tables):
        rng = np.random.default_rng((seed, index))
        question = plan(rng)
        try:
            report = build(question, table(rng, question))
        except Exception as error:
            raise AssertionError(f"seed {seed}, table {index}: {error!r}") from error
        assert unsound(report) == [], f"seed {seed}, table {index}"
        assert index % 20 or canonical_json(report)


def test_three_hundred_tables() -> None:
    for part in range(5):
        check(part, 60)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10, 20))
def test_thousands_of_tables(part: int) -> None:
    """10,000 in all with `make test-whole`."""
    check(part, repeats(200, 1_000))


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("field", ["mean", "m2", "denominator_mean", "denominator_m2", "co_m2", "absolute_mean"])
def test_what_is_no_number_is_refused_at_the_door(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=r"NaN or an infinity|negative"):
        Moments(**{"n": 10, field: value})


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_so_it_is_in_shapes_cross_products_and_thresholds(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or an infinity"):
        Shape(n=2, m3=value)
    with pytest.raises(ValueError, match="NaN or an infinity"):
        CrossMoments(n=2, mean=(value,), centred=((0.0,),))
    with pytest.raises(ValueError, match="NaN or an infinity"):
        Distribution(thresholds=(value,), up_to=(Moments(),))
