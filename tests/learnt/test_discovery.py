"""What a discovery says, held against a direct computation on the half that estimates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2, ttest_ind

from experiments.domain.condition import check_condition, compile_condition
from segmentation.discovery import Discovery, Search, discover, proposing_half, units_needed
from segmentation.refusal import Refused
from tests.learnt.trials import Trial, inside, trial

SEARCH = Search(seed=3)


def shown(seed: int = 2, units: int = 8000) -> Trial:
    """Half a standard deviation in the planted segment, .2 everywhere."""
    return trial(seed, units, lambda rng, x, w: 0.2 * w + 0.5 * w * inside(x) + rng.normal(size=len(w)), share=0.4)


def found(one: Trial, search: Search = SEARCH) -> Discovery:
    return discover(one.ids, one.treated, one.outcome, one.attributes, search)


def units_of(attributes: dict[str, Any]) -> list[dict[str, object]]:
    rows = zip(*(np.asarray(values).tolist() for values in attributes.values()), strict=True)
    return [
        {name: value for name, value in zip(attributes, row, strict=True) if value == value}  # noqa: PLR0124 - NaN
        for row in rows
    ]


def test_numbers_are_those_of_a_group_by_on_the_estimating_half() -> None:
    """Membership by the dialect's own compiler, missing values and all; tests by scipy."""
    one = shown()
    said = found(one)
    assert said.outcome == "proposals"
    estimating = ~proposing_half(one.ids, one.treated, SEARCH.seed)
    assert said.units_estimating == estimating.sum()
    units, effects = units_of(one.attributes), []
    for leaf in said.leaves:
        check_condition(leaf.condition)
        member = np.fromiter(map(compile_condition(leaf.condition), units), dtype=bool) & estimating
        treated, control = one.outcome[member & one.treated], one.outcome[member & ~one.treated]
        test = ttest_ind(treated, control, equal_var=False)
        interval = test.confidence_interval(0.95)
        assert leaf.units == member.sum()
        assert leaf.effect == pytest.approx(treated.mean() - control.mean())
        assert (leaf.effect_interval.low, leaf.effect_interval.high) == pytest.approx((interval.low, interval.high))
        variance = treated.var(ddof=1) / len(treated) + control.var(ddof=1) / len(control)
        effects.append((leaf.effect, variance, leaf.units))
    assert sum(leaf.units for leaf in said.leaves) == estimating.sum()
    check_contrasts(said, effects)


def check_contrasts(said: Discovery, effects: list[tuple[float, float, int]]) -> None:
    value, variance, units = (np.array(column) for column in zip(*effects, strict=True))
    precision = 1 / variance
    q = float((precision * (value - (precision * value).sum() / precision.sum()) ** 2).sum())
    assert said.gate is not None
    assert said.gate.p_value == pytest.approx(float(chi2.sf(q, len(value) - 1)))
    for index, leaf in enumerate(said.leaves):
        rest = np.arange(len(value)) != index
        weights = units[rest] / units[rest].sum()
        outside = float((weights * value[rest]).sum())
        error = float(np.sqrt(variance[index] + (weights**2 * variance[rest]).sum()))
        interval = leaf.difference_interval
        assert leaf.outside == pytest.approx(outside)
        assert leaf.difference == pytest.approx(value[index] - outside)
        assert interval.high - leaf.difference == pytest.approx(leaf.difference - interval.low)
        # 7.849 = (1.960 + .842)²: the textbook's factor for .05 and .8.
        assert leaf.units_needed == pytest.approx(7.849 * error**2 * units.sum() / leaf.difference**2, rel=1e-3)
    ordered = sorted(said.leaves, key=lambda leaf: leaf.p_value)
    holm = np.maximum.accumulate([min(1.0, (len(ordered) - i) * leaf.p_value) for i, leaf in enumerate(ordered)])
    family = [leaf.p_value for leaf in ordered] if len(ordered) == 2 else holm.tolist()
    assert [leaf.p_adjusted for leaf in ordered] == pytest.approx(family)
    assert set(map(id, said.proposals)) == {id(leaf) for leaf in said.leaves if leaf.p_adjusted <= 0.05}


def test_the_estimating_half_has_no_say_in_the_leaves() -> None:
    one = shown()
    estimating = ~proposing_half(one.ids, one.treated, SEARCH.seed)
    shuffled = one.outcome.copy()
    shuffled[estimating] = np.random.default_rng(1).permutation(shuffled[estimating])
    again = discover(one.ids, one.treated, shuffled, one.attributes, SEARCH)
    said = found(one)
    assert said.outcome == "proposals"
    assert [leaf.condition for leaf in again.leaves] == [leaf.condition for leaf in said.leaves]
    assert again.proposals == ()
    assert again.outcome == "no_heterogeneity"


def test_neither_the_order_of_units_nor_the_kind_of_table_matters() -> None:
    one, order = shown(), np.random.default_rng(5).permutation(8000)
    said = found(one)
    shuffled = pa.table({name: values[order] for name, values in one.attributes.items()})
    ids = [one.ids[index] for index in order]
    again = discover(ids, one.treated[order], one.outcome[order], shuffled, SEARCH)
    assert [leaf.condition for leaf in again.leaves] == [leaf.condition for leaf in said.leaves]
    assert [leaf.effect for leaf in again.leaves] == pytest.approx([leaf.effect for leaf in said.leaves])
    assert found(one) == said


def test_a_proposal_is_where_the_effect_is() -> None:
    """With 12,000 units the best leaf is mostly the planted segment, and its effect near the planted .7."""
    one = shown(units=12_000)
    best = max(found(one).proposals, key=lambda leaf: leaf.difference)
    member = np.fromiter(map(compile_condition(best.condition), units_of(one.attributes)), dtype=bool)
    assert inside(one.attributes)[member].mean() >= 0.8
    assert best.effect_interval.low < 0.7
    assert best.effect == pytest.approx(0.7, abs=0.15)
    assert best.units_needed is not None
    assert best.units_needed_at_worst is not None
    assert best.units_needed_at_worst > best.units_needed


def test_halves_are_halves_of_each_arm() -> None:
    treated = np.arange(1001) % 3 == 0
    ids = [f"unit {index}" for index in range(1001)]
    one, other = proposing_half(ids, treated, 1), proposing_half(ids, treated, 2)
    assert (one[treated].sum(), one[~treated].sum()) == (334 // 2, 667 // 2)
    # By chance half of those that propose with one seed propose with the other.
    assert 0.4 < (one & other).sum() / one.sum() < 0.6


def test_several_comparisons_share_the_error_rate() -> None:
    one = shown()
    said, strict = found(one), found(one, Search(seed=3, comparisons=4))
    assert strict.leaves[0].effect_interval.level == pytest.approx(1 - 0.05 / 4)
    assert strict.leaves[0].p_value == said.leaves[0].p_value


def test_without_anything_to_split_nothing_is_proposed() -> None:
    one = shown()
    same = discover(one.ids, one.treated, one.outcome, {"constant": np.ones(8000)}, SEARCH)
    assert (same.outcome, same.leaves, same.gate) == ("nothing_to_split", (), None)


def test_units_needed() -> None:
    """Fleiss, Levin & Paik's (z + z)² is 10.5074 for .05 and .9."""
    assert units_needed(100.0, 1.0, alpha=0.05, power=0.9) == 1051
    assert units_needed(100.0, -0.5, alpha=0.05, power=0.9) == 4203
    assert units_needed(100.0, 0.0, alpha=0.05, power=0.9) is None
    assert units_needed(100.0, 1e-200, alpha=0.05, power=0.9) is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unit_ids": ["a"] * 8000}, "bad_ids"),
        ({"unit_ids": ["a"]}, "bad_ids"),
        ({"treated": np.ones(8000, dtype=bool)}, "bad_arms"),
        ({"treated": np.ones(8000)}, "bad_arms"),
        ({"treated": np.arange(8000) < 399}, "too_few_units"),
        ({"outcome": np.full(8000, np.nan)}, "bad_outcome"),
        ({"outcome": np.zeros(3)}, "bad_outcome"),
        ({"attributes": {}}, "no_table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_searched_is_refused(change: dict[str, Any], code: str) -> None:
    one = shown()
    given = {"unit_ids": one.ids, "treated": one.treated, "outcome": one.outcome, "attributes": one.attributes}
    with pytest.raises(Refused) as refused:
        discover(**{**given, **change}, search=SEARCH)
    assert refused.value.code == code


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"depth": 0}, {"least_arm": 29}, {"power": 1.0}, {"comparisons": 0}])
def test_a_search_outside_its_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Search(**wrong)
