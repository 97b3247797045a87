"""Covariates must not differ between arms: scipy's t, arms that lost their data, and A/A tests looked at every day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from analysis.board import board_of
from analysis.comparison import Evidence
from analysis.effects.cuped import cross_moments, with_missing
from analysis.estimate import Finding
from analysis.groups import FIELDS
from analysis.inference.sequential import always_valid_p, mixture_scale
from analysis.moments import ArmKey, CrossMoments, MetricKey, MomentTable
from analysis.plan import Cell, Covariate, Looks, MetricPlan, Plan
from analysis.sections.covariates import ANY_LOOK_ALPHA, balance, covariate_findings
from tests.stats.builders import metric, plan

Floats = NDArray[np.float64]
# (epoch, segment, variant) to one row per unit: outcome, [denominator], covariates…
Arms = Mapping[tuple[int, str, str], Floats]

BEFORE = Covariate(key="orders_before", event_name="order", lookback_seconds=86_400)
SPEND = metric(key="spend", kind="mean", event_name="order", covariates=(BEFORE,))
NAMES = {"a": "Plain", "b": "Bold", "c": "Loud"}


def told(question: Plan, arms: Arms, *metrics: MetricPlan, number: int = 0) -> list[Finding]:
    """The same rows for each metric."""
    cross = {MetricKey(*arm, one.key): cross_moments(rows) for arm, rows in arms.items() for one in metrics or (SPEND,)}
    return covariate_findings(board_of(question, MomentTable(units=units_of(arms), cross=cross)), number)


def units_of(arms: Arms) -> dict[ArmKey, int]:
    return {ArmKey(*arm): len(rows) for arm, rows in arms.items()}


def question(*metrics: MetricPlan, **changes: Any) -> Plan:
    return plan(*(metrics or (SPEND,)), variant_names=NAMES, **changes)


def two_arms(*values: Floats) -> dict[tuple[int, str, str], Floats]:
    """Covariates of the control and of the treatment, one row per unit, behind an outcome without any effect."""
    rng = np.random.default_rng(7)
    arms = (np.column_stack([rng.normal(size=len(rows)), rows]) for rows in values)
    return {(1, "all", variant): rows for variant, rows in zip("ab", arms, strict=True)}


def orders(size: int, seed: int, mean: float = 3.0) -> Floats:
    return np.random.default_rng(seed).poisson(mean, size=(size, 1)).astype(float)


def row(*strata: Floats) -> Floats:
    """Shape (1, strata, fields), of one number per unit."""
    filled = np.zeros((1, len(strata), len(FIELDS)))
    for place, values in enumerate(strata):
        n, mean = len(values), float(values.mean())
        filled[0, place] = n, mean, float(((values - mean) ** 2).sum()), 0, 0, 0, abs(mean)
    return filled


def rule(alpha: float = ANY_LOOK_ALPHA, tuned_for_units: int = 5_000) -> Evidence:
    return Evidence(alpha=alpha, rho=mixture_scale(alpha, tuned_for_units), min_units=20)


@pytest.mark.parametrize(("n1", "n0", "shift"), [(400, 400, 0.1), (900, 300, 0.3), (150, 2_000, 0.0)])
def test_in_one_stratum_it_is_the_t_test_of_scipy(n1: int, n0: int, shift: float) -> None:
    """z² = (N - 1)·r², and Student's t is r·√((N - 2)/(1 - r²)): r² = t²/(t² + N - 2)."""
    rng = np.random.default_rng(n1)
    one, other = rng.gamma(2.0, size=n1) + shift, rng.gamma(2.0, size=n0)
    t, total = float(ttest_ind(one, other, equal_var=True).statistic), n1 + n0
    z = np.sign(t) * sqrt((total - 1) * t * t / (t * t + total - 2))
    found = balance(row(one), row(other), np.array([[float(total)]]), rule(), np.ones((1, 1)))
    assert found.tested.z[0] == pytest.approx(z, rel=1e-12)
    assert found.p_value_always_valid[0] == pytest.approx(always_valid_p(z, float(total), rule().rho), rel=1e-9)
    # Welch counts fewer degrees of freedom.
    assert found.p_value[0] == pytest.approx(ttest_ind(one, other, equal_var=True).pvalue, rel=0.05, abs=1e-4)


def test_strata_weigh_by_their_units() -> None:
    rng = np.random.default_rng(3)
    sizes, levels = [(300, 100), (200, 600)], [1.0, 9.0]
    one = [rng.normal(level, size=n) for level, (n, _) in zip(levels, sizes, strict=True)]
    other = [rng.normal(level, size=n) for level, (_, n) in zip(levels, sizes, strict=True)]
    units = np.array([[float(sum(size)) for size in sizes]])
    found = balance(row(*one), row(*other), units, rule(), np.array([[1.0, 2.0]]))
    share = units[0] / units.sum()
    gaps = [float(a.mean() - b.mean()) for a, b in zip(one, other, strict=True)]
    spread = [
        float(np.concatenate([a, b]).var(ddof=1)) * (1 / len(a) + 1 / len(b)) for a, b in zip(one, other, strict=True)
    ]
    assert found.difference[0] == pytest.approx(share @ gaps)
    assert found.tested.z[0] == pytest.approx(share @ gaps / sqrt(share**2 @ spread))
    assert found.p_value_always_valid[0] > 0.05


@pytest.mark.parametrize("seed", range(8))
def test_balanced_covariates_are_not_told_of(seed: int) -> None:
    assert told(question(), two_arms(orders(800, seed), orders(800, seed + 100))) == []


def test_halved_in_one_arm() -> None:
    assert told(question(), two_arms(orders(800, 1) / 2, orders(800, 2))) == [
        Finding(
            code="covariate_imbalance",
            severity="critical",
            message="Orders before differ between Bold and Plain, though nobody had seen either: the data before "
            "exposure cannot be trusted",
            variant="b",
            metric="spend",
        )
    ]


@pytest.mark.parametrize("lost", ["a", "b"])
@pytest.mark.parametrize("rule", ["always_valid", "fixed_horizon", "group_sequential"])
def test_nothing_in_one_arm(lost: str, rule: str) -> None:
    """As event tables show it: everybody without events before. That arm has no events, and no spread."""
    looks = Looks(planned_units=10_000) if rule == "group_sequential" else None
    values = [orders(800, seed) * (arm != lost) for seed, arm in enumerate("ab")]
    found = told(question(stopping_rule=rule, looks=looks), two_arms(*values))
    assert [(one.code, one.variant) for one in found] == [("covariate_imbalance", "b")]


def test_null_in_one_arm_is_told_once_and_as_missing() -> None:
    """As tables of units show it: filled with 0, and an indicator that is 1 for all of the arm, 0 for the other."""
    values = [with_missing(one) for one in (np.full((800, 1), np.nan), orders(800, 1))]
    (found,) = told(question(), two_arms(*values))
    assert found.message == (
        "Orders before: more values are missing in Plain than in Bold, though nobody had seen either: the data before "
        "exposure cannot be trusted"
    )


def test_missing_alike_in_both_arms_is_nothing() -> None:
    rng = np.random.default_rng(5)
    values = [with_missing(np.where(rng.random((800, 1)) < 0.3, np.nan, orders(800, seed))) for seed in (1, 2)]
    assert told(question(), two_arms(*values)) == []


@pytest.mark.parametrize(("first", "second", "alarm"), [(3.0, 4.0, True), (0.0, 1.0, True), (0.1, 0.1, False)])
def test_constant_in_both_arms(first: float, second: float, alarm: bool) -> None:
    found = told(question(), two_arms(np.full((150, 1), first), np.full((173, 1), second)))
    assert bool(found) is alarm


def test_values_around_zero_that_are_shifted_apart() -> None:
    """Their sum says nothing of how many events there are."""
    rng = np.random.default_rng(11)
    values = [rng.normal(centre, 1, size=(800, 1)) for centre in (-0.25, 0.25)]
    assert [one.variant for one in told(question(), two_arms(*values))] == ["b"]


def test_too_few_units_are_no_alarm() -> None:
    """100 are the plan's minimum."""
    assert told(question(), two_arms(np.zeros((99, 1)), np.ones((99, 1)))) == []
    assert told(question(), two_arms(np.zeros((100, 1)), np.ones((100, 1)))) != []


@pytest.mark.parametrize("rule", ["always_valid", "fixed_horizon"])
def test_rare_events_wait_for_ten_in_each_arm(rule: str) -> None:
    some = np.zeros((1_000, 1))
    few, enough = some.copy(), some.copy()
    few[:18], enough[:60] = 1.0, 1.0
    assert told(question(stopping_rule=rule), two_arms(some, few)) == []
    assert told(question(stopping_rule=rule), two_arms(some, enough)) != []


@pytest.mark.parametrize("rule", ["always_valid", "fixed_horizon"])
def test_the_more_is_known_the_more_it_takes(rule: str) -> None:
    """100 of 1,000 against 160: z 3.99. At any look it takes 3.65 alone and 4.44 among twenty, at one 3.29 and 4.06."""
    many = tuple(replace(BEFORE, key=f"before {number}") for number in range(20))
    values = np.zeros((2, 1_000, 20))
    values[:, :300, 1:] = 1.0
    values[0, :100, 0] = values[1, :160, 0] = 1.0
    alone, among = (replace(SPEND, covariates=many[:size]) for size in (1, 20))
    assert told(question(alone, stopping_rule=rule), two_arms(*values[..., :1]), alone) != []
    assert told(question(among, stopping_rule=rule), two_arms(*values), among) == []


def test_where_only_one_of_them_was_offered_nothing_is_compared() -> None:
    """Bold came in the second epoch; units that saw it in the first are another alarm's."""
    weights = [{"a": 1.0, "b": 0.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}]
    cells = [Cell(epoch=epoch, segment="all", weights=split) for epoch, split in enumerate(weights)]
    arms = {
        (epoch, arm): np.column_stack([np.ones(800), orders(800, 10 * epoch + seed)])
        for epoch in (0, 1)
        for seed, arm in enumerate("abc")
    }
    arms[0, "b"] = arms[0, "b"] / 2
    table = {(epoch, "all", arm): rows for (epoch, arm), rows in arms.items()}
    asked = question(variants="abc", cells=cells)
    assert told(asked, table) == []
    assert [one.variant for one in told(asked, table | {(1, "all", "b"): arms[0, "b"]})] == ["b"]


def test_a_covariate_of_several_metrics_is_told_of_once() -> None:
    others = [replace(SPEND, key=key, role="secondary") for key in ("orders", "visits")]
    found = told(question(SPEND, *others), two_arms(orders(800, 1) / 2, orders(800, 2)), SPEND, *others)
    assert [(one.metric, one.variant) for one in found] == [("spend", "b")]


def test_the_covariates_of_a_ratio_come_after_its_denominator() -> None:
    ratio = metric(key="rate", kind="ratio", event_name="order", denominator_event_name="visit", covariates=(BEFORE,))
    rng = np.random.default_rng(2)

    def values(visits: float, before: float) -> Floats:
        return np.column_stack([rng.poisson(visits, 800), rng.poisson(before, 800)]).astype(float)

    assert told(question(ratio), two_arms(values(9, 3), values(3, 3)), ratio) == []
    assert told(question(ratio), two_arms(values(9, 3), values(9, 2)), ratio) != []


def test_every_broken_covariate_of_every_treatment() -> None:
    other = Covariate(key="visits_before", event_name="visit", lookback_seconds=60)
    spend = replace(SPEND, covariates=(BEFORE, other))
    rng = np.random.default_rng(4)
    means = {"a": (3, 5), "b": (3, 5), "c": (3, 2)}
    arms = {
        (1, "all", arm): np.column_stack([rng.poisson(one, 800) for one in (1, *mean)]).astype(float)
        for arm, mean in means.items()
    }
    found = told(question(spend, variants="abc"), arms)
    assert [(one.variant, one.message.split(",")[0]) for one in found] == [
        ("c", "Visits before differ between Loud and Plain")
    ]


def test_segments_and_epochs_are_strata_where_their_splits_differ() -> None:
    """The new segment orders more and sees Bold more often: pooled, the means would be 3.9 and 5.1."""
    weights = {"old": {"a": 3.0, "b": 1.0}, "new": {"a": 1.0, "b": 3.0}}
    cells = [Cell(epoch=1, segment=segment, weights=split) for segment, split in weights.items()]
    sizes = {("old", "a"): 1_500, ("old", "b"): 500, ("new", "a"): 500, ("new", "b"): 1_500}
    level = {"old": 3.0, "new": 6.0}
    arms = {
        (1, segment, arm): np.column_stack([np.ones(size), orders(size, seed, level[segment])])
        for seed, ((segment, arm), size) in enumerate(sizes.items())
    }
    asked = question(segments=("old", "new"), cells=cells)
    assert [told(asked, arms, number=number) for number in range(3)] == [[], [], []]
    broken = arms | {(1, "new", "b"): arms[1, "new", "b"] * [1.0, 0.5]}
    assert [len(told(asked, broken, number=number)) for number in range(3)] == [1, 0, 1]


def test_segments_of_one_split_are_pooled() -> None:
    """60 in each arm of each are too few alone, and enough together."""
    arms = {
        (1, segment, arm): np.column_stack([np.ones(60), orders(60, seed, 1.0 if arm == "a" else 4.0)])
        for seed, (segment, arm) in enumerate((segment, arm) for segment in ("old", "new") for arm in "ab")
    }
    asked = question(segments=("old", "new"))
    assert [len(told(asked, arms, number=number)) for number in range(3)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("metrics", "cross"),
    [
        pytest.param((metric(),), {}, id="no covariates"),
        pytest.param((SPEND,), {}, id="no cross products"),
        pytest.param((SPEND,), {MetricKey(1, "all", "a", "spend"): None}, id="one arm"),
    ],
)
def test_nothing_to_compare(metrics: Sequence[MetricPlan], cross: Mapping[MetricKey, CrossMoments | None]) -> None:
    found = {key: cross_moments(np.ones((500, 2))) for key in cross}
    assert covariate_findings(board_of(question(*metrics), MomentTable(cross=found)), 0) == []


@pytest.mark.parametrize("share", [pytest.param(0.5, id="1:1"), pytest.param(0.9, id="9:1")])
@pytest.mark.parametrize("kind", ["orders", "spend", "indicator"])
def test_whoever_looks_every_day_is_alarmed_by_one_in_a_hundred(kind: str, share: float) -> None:
    rng = np.random.default_rng(20_260_301)
    runs, looks, each = 1_000, 50, 400
    sums = np.zeros((2, 3, runs))
    ever = np.zeros(runs, dtype=bool)
    for _ in range(looks):
        for arm, size in enumerate((round(each * share), round(each * (1 - share)))):
            values = _drawn(rng, kind, (runs, size))
            sums[arm] += np.full(runs, size), values.sum(axis=1), (values * values).sum(axis=1)
        ever |= _alarmed(sums)
    tolerance = 3 * sqrt(0.0128 * (1 - 0.0128) / runs)
    assert ever.mean() <= 0.0128 + tolerance


def _drawn(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> Floats:
    if kind == "orders":
        return rng.poisson(0.3, shape).astype(float)
    buys = rng.random(shape) < (0.2 if kind == "spend" else 0.05)
    return np.where(buys, rng.lognormal(0, 1, shape) if kind == "spend" else 1.0, 0.0)


def _alarmed(sums: Floats) -> NDArray[np.bool_]:
    arms = np.zeros((2, sums.shape[2], 1, len(FIELDS)))
    n, total, squares = sums.swapaxes(0, 1)
    mean = total / n
    for place, field in enumerate((n, mean, squares - n * mean * mean)):
        arms[..., 0, place] = field
    arms[..., 0, -1] = mean
    found = balance(arms[0], arms[1], n.sum(axis=0)[:, None], rule(), np.ones((sums.shape[2], 1)))
    return found.p_value_always_valid < ANY_LOOK_ALPHA
