"""Verdicts and their sentences."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

import pytest

from analysis.estimate import ScopeReport, Undefined
from analysis.moments import Moments
from analysis.plan import Cell
from analysis.report import build
from tests.stats.builders import (
    comparison,
    conversions,
    metric,
    moments_of,
    one_segment,
    plan,
    rates,
    segment,
    table,
)
from tests.stats.exact_means import mean_with


@pytest.mark.parametrize(
    ("successes", "outcome", "variant", "leaders", "sentence"),
    [
        pytest.param({"a": 1000, "b": 1500}, "winner", "b", ("b",), "b wins for all: visits", id="one wins"),
        pytest.param({"a": 1000, "b": 1020, "c": 1500}, "winner", "c", ("c",), "c wins for all: visits", id="of two"),
        pytest.param(
            {"a": 1000, "b": 1500, "c": 1520},
            "tied",
            None,
            ("c", "b"),
            "c and b both beat a for all, but cannot be told apart yet.",
            id="two beat the control",
        ),
        pytest.param(
            {"a": 1000, "b": 1500, "c": 1520, "d": 1510},
            "tied",
            None,
            ("c", "d", "b"),
            "c, d and b all beat a for all, but cannot be told apart yet.",
            id="three beat the control",
        ),
        pytest.param(
            {"a": 1000, "b": 1500, "c": 1520, "d": 2200},
            "winner",
            "d",
            ("d",),
            "d wins for all: visits",
            id="best of 3",
        ),
        pytest.param(
            {"a": 1000, "b": 1120, "c": 1230},
            "undecided",
            None,
            ("c",),
            "c beats a for all, but cannot be told apart from b yet: visits are 23% higher than with a",
            id="ahead of the control only",
        ),
        # z = 3.43 of 20,000 customers: p = .021 alone, .064 as the smallest of three.
        pytest.param(
            {"a": 1000, "b": 1150, "c": 1075},
            "undecided",
            None,
            (),
            "No winner yet for all: b looks better than a, but not surely enough for as many comparisons as are made "
            "at once.",
            id="sure enough alone, not among three",
        ),
        pytest.param(
            {"a": 1500, "b": 1000},
            "control_wins",
            "a",
            (),
            "a wins for all: with b visits are 33% lower (between",
            id="control beats the only treatment",
        ),
        pytest.param(
            {"a": 1500, "b": 1000, "c": 1100},
            "control_wins",
            "a",
            (),
            "a wins for all: visits are lower with b and c.",
            id="control beats all",
        ),
        pytest.param(
            {"a": 1500, "b": 1000, "c": 1480},
            "undecided",
            None,
            (),
            "No winner yet for all: b does worse than a, no other difference from a is shown. c does better than b.",
            id="control beats some",
        ),
        pytest.param(
            {"a": 1000, "b": 1010},
            "undecided",
            None,
            (),
            "No winner yet for all: no difference from a is shown.",
            id="no difference",
        ),
        # c v b: z = 4.23 of 20,000 customers.
        pytest.param(
            {"a": 1000, "b": 910, "c": 1090},
            "undecided",
            None,
            (),
            "No winner yet for all: no difference from a is shown. c does better than b.",
            id="treatments differ, neither from the control",
        ),
        pytest.param(
            {"a": 10, "b": 9},
            "too_early",
            None,
            (),
            "Too early to say for all: b has 9 of the 10 units with an event needed.",
            id="few successes",
        ),
        pytest.param(
            {"a": 9995, "b": 9994},
            "too_early",
            None,
            (),
            "Too early to say for all: a has 5 of the 10 units without an event needed.",
            id="few failures",
        ),
    ],
)
def test_verdicts(
    successes: dict[str, int], outcome: str, variant: str | None, leaders: tuple[str, ...], sentence: str
) -> None:
    """The differences are many standard errors wide or none, so that the outcome needs no calculation."""
    found = segment(rates(**successes)).verdict
    assert (found.outcome, found.variant, found.leaders) == (outcome, variant, leaders)
    assert found.sentence.startswith(sentence)


@pytest.mark.parametrize(("rule", "kind"), [("always_valid", "always_valid"), ("fixed_horizon", "fixed")])
def test_a_sentence_shows_the_interval_of_the_stopping_rule(rule: str, kind: str) -> None:
    arms = {"none": conversions(1000, 10_000), "mens": conversions(1690, 10_000)}
    names = {"none": "No e-mail", "mens": "Men's e-mail"}
    found = segment(
        one_segment(
            arms,
            stopping_rule=rule,
            variant_names=names,
            segment_names={"all": "Buyers of men's goods"},
            metrics=(metric(name="visits"),),
        )
    )
    lift, interval = comparison(found).lift, comparison(found).lift_in_family
    assert lift.value == pytest.approx(0.69)
    assert interval == getattr(lift, kind)
    assert found.verdict.sentence == (
        "Men's e-mail wins for Buyers of men's goods: visits are 69% higher than with No e-mail "
        f"(between {interval.low:.0%} and {interval.high:.0%})."
    )


def test_when_less_is_better() -> None:
    down = metric(key="visits", name="complaint rate", direction="decrease")
    found = segment(one_segment({"a": conversions(1500, 10_000), "b": conversions(1000, 10_000)}, metrics=(down,)))
    assert (found.verdict.outcome, found.verdict.variant) == ("winner", "b")
    assert found.verdict.sentence.startswith("b wins for all: complaint rate is 33% lower than with a (between")


def test_a_lift_that_does_not_exist_is_told_in_plain_numbers() -> None:
    """Baseline mean -5, so there is no percentage; the difference is 2."""
    arms = {"a": moments_of([-6, -4] * 200), "b": moments_of([-4, -2] * 200)}
    found = segment(one_segment(arms, metrics=(metric(kind="mean", name="balance"),)))
    assert found.verdict.sentence.startswith("b wins for all: balance is 2 higher than with a (between 1.")
    lift = comparison(found).lift
    assert isinstance(lift.value, Undefined)
    assert lift.value.reason == "baseline_not_positive"


@pytest.mark.parametrize(("n", "outcome"), [(99, "too_early"), (100, "winner")])
def test_the_minimum_of_units_is_per_arm(n: int, outcome: str) -> None:
    found = segment(one_segment({"a": conversions(0, 0) + conversions(20, n), "b": conversions(80, n)}))
    assert found.verdict.outcome == outcome
    p = comparison(found).p_value_adjusted
    if outcome == "too_early":
        assert isinstance(p, Undefined)
        assert p.reason == "too_early"
        assert found.verdict.sentence == "Too early to say for all: a has 99 of the 100 units needed."


def test_an_arm_that_was_stopped_below_the_minimum_holds_nobody_up() -> None:
    cells = [
        Cell(epoch=1, segment="all", weights={"a": 1, "b": 1, "c": 1}),
        Cell(epoch=2, segment="all", weights={"a": 1, "b": 1}),
    ]
    few = {(1, "all", variant): {"visits": conversions(5, 30)} for variant in "abc"}
    many = {(2, "all", "a"): {"visits": conversions(900, 9000)}, (2, "all", "b"): {"visits": conversions(1500, 9000)}}
    found = segment(build(plan(variants=("a", "b", "c"), cells=cells), table(few | many)))
    assert (found.verdict.outcome, found.verdict.variant) == ("winner", "b")
    assert ("stratum_left_out", "c", 2) in [
        (finding.code, finding.variant, finding.epoch) for finding in found.findings
    ]


def test_without_a_second_variant_there_is_nothing_to_compare() -> None:
    cells = [Cell(epoch=1, segment="all", weights={"b": 1})]
    found = segment(build(plan(cells=cells), table({(1, "all", "b"): {"visits": conversions(500, 1000)}})))
    assert found.verdict.outcome == "undecided"
    assert found.verdict.sentence.startswith("There is nothing to compare for all")
    p = comparison(found).p_value
    assert isinstance(p, Undefined)
    assert p.reason == "no_common_stratum"


def test_comparisons_are_against_the_control_first_then_later_against_earlier() -> None:
    found = one_segment({variant: conversions(10, 100) for variant in "abcd"}, control="b")
    assert [(row.treatment, row.baseline) for row in segment(found).metrics[0].comparisons] == [
        ("a", "b"),
        ("c", "b"),
        ("d", "b"),
        ("c", "a"),
        ("d", "a"),
        ("d", "c"),
    ]


def two_of_three(first: dict[str, Moments], second: dict[str, Moments], **changes: Any) -> ScopeReport:
    """Variants a, b and c side by side, then only those of the second epoch."""
    cells = [
        Cell(epoch=1, segment="all", weights=dict.fromkeys(first, 1.0)),
        Cell(epoch=2, segment="all", weights={variant: float(variant in second) for variant in first}),
    ]
    arms = {(1, "all", variant): {"visits": found} for variant, found in first.items()}
    arms |= {(2, "all", variant): {"visits": found} for variant, found in second.items()}
    return segment(build(plan(variants=tuple(first), cells=cells, **changes), table(arms)))


@pytest.mark.parametrize(
    ("b", "c", "outcome", "variant", "sentence"),
    [
        pytest.param(800, 500, "undecided", None, "No winner yet for all: no difference from a is shown.", id="even"),
        pytest.param(1200, 800, "winner", "c", "c wins for all: visits are 60% higher than with a", id="second best"),
        pytest.param(500, 300, "control_wins", "a", "a wins for all: with c visits are 40% lower", id="control"),
    ],
)
def test_a_variant_that_is_not_offered_any_more_cannot_win_and_is_not_hushed_up(
    b: int, c: int, outcome: str, variant: str | None, sentence: str
) -> None:
    kept = {"a": conversions(500, 5000), "c": conversions(c, 5000)}
    found = two_of_three({"a": kept["a"], "b": conversions(b, 5000), "c": kept["c"]}, kept).verdict
    assert (found.outcome, found.variant) == (outcome, variant)
    assert found.sentence.startswith(sentence)
    told = {800: " b did better than a, but is not offered any more.", 1200: " b did better than c, but", 500: "."}[b]
    assert told in found.sentence
    assert ("b did" in found.sentence) == (b > 500)


def test_a_comparison_with_an_arm_below_the_minimum_is_too_early_even_when_the_arm_is_gone() -> None:
    """Three units, all high and alike: t is large, and means nothing. It counts as p = 1 in a family of three."""
    kept = {"a": moments_of([2, 4] * 1000), "b": moments_of([2, 4.6] * 1000)}
    first = {"a": moments_of([2, 4] * 1000), "b": moments_of([2, 4.6] * 1000), "c": moments_of([9.8, 9.9, 10.0])}
    cells = {"a": 2000.0, "b": 2000.0, "c": 3.0}
    arms = {(1, "all", variant): {"visits": found} for variant, found in first.items()}
    arms |= {(2, "all", variant): {"visits": found} for variant, found in kept.items()}
    question = plan(
        metric(kind="mean"),
        variants=("a", "b", "c"),
        cells=[
            Cell(epoch=1, segment="all", weights=cells),
            Cell(epoch=2, segment="all", weights={"a": 1.0, "b": 1.0, "c": 0.0}),
        ],
    )
    found = segment(build(question, table(arms)))
    b_a, *with_c = found.metrics[0].comparisons
    for row in with_c:
        for value in (row.p_value_adjusted, row.lift_in_family, row.difference_in_family):
            assert isinstance(value, Undefined)
            assert value.reason == "too_early"
    assert isinstance(b_a.p_value_always_valid, float)
    assert b_a.p_value_adjusted == pytest.approx(3 * b_a.p_value_always_valid)
    assert (found.verdict.outcome, found.verdict.variant) == ("winner", "b")


@pytest.mark.parametrize(
    ("weights", "told"), [({"a": 9.0, "b": 1.0}, True), ({"a": 5.0, "b": 5.0}, False)], ids=["new split", "same split"]
)
def test_rates_that_mix_splits_carry_a_caution(weights: dict[str, float], told: bool) -> None:
    """Simpson's paradox by hand: 20 % v 26 % and 5 % v 8 %, b better in both; pooled 18.5 % v 9.8 %, b worse."""
    cells = [
        Cell(epoch=1, segment="all", weights=weights),
        Cell(epoch=2, segment="all", weights=dict(zip("ab", reversed(weights.values()), strict=True))),
    ]
    arms = {
        (1, "all", "a"): {"visits": conversions(1800, 9000)},
        (1, "all", "b"): {"visits": conversions(260, 1000)},
        (2, "all", "a"): {"visits": conversions(50, 1000)},
        (2, "all", "b"): {"visits": conversions(720, 9000)},
    }
    found = segment(build(plan(cells=cells), table(arms)))
    assert [arm.value for arm in found.metrics[0].arms] == pytest.approx([0.185, 0.098])
    value = comparison(found).difference.value
    assert isinstance(value, float)
    assert value > 0
    assert ("pooled_over_epochs" in [finding.code for finding in found.findings]) == told


def test_a_winner_is_named_exactly_when_its_adjusted_p_is_below_alpha() -> None:
    found = [segment(rates(a=1000, b=x, c=800)) for x in range(1080, 1220, 4)]
    named = [scope.verdict.outcome == "winner" for scope in found]
    p_values = [comparison(scope).p_value_adjusted for scope in found]
    assert named == [isinstance(p, float) and p < 0.05 for p in p_values]
    assert any(isinstance(p, float) and 0.05 < p < 0.1 for p in p_values)
    assert any(named)


def test_what_is_recommended_does_not_contradict_a_segment() -> None:
    """b and c convert 16 % of vips against 10 %, and 7 % of the rest against 10 %, who are four in five."""
    arms = {
        (1, where, variant): {"visits": conversions(events, n)}
        for where, n, of in (("vip", 4_000, (400, 640, 640)), ("rest", 16_000, (1_600, 1_120, 1_120)))
        for variant, events in zip("abc", of, strict=True)
    }
    found = build(plan(variants=("a", "b", "c"), segments=("vip", "rest")), table(arms))
    assert [scope.verdict.outcome for scope in (found.overall, *found.segments)] == [
        "control_wins",
        "tied",
        "control_wins",
    ]
    assert found.recommendation is not None
    assert (found.recommendation.advice, found.recommendation.winners) == ("per_segment", (("rest", "a"),))
    assert found.recommendation.sentence == (
        "What works differs between segments: keep a for rest; either b or c to vip, or wait to know which."
    )


@pytest.mark.parametrize(("direction", "who"), [("increase", "b wins for y: visits are"), ("decrease", "a wins for y")])
def test_where_an_interval_ends_at_0_the_sentence_rules_0_out(direction: str, who: str) -> None:
    """Holm over three segments, p = 6e-5, .0215 and 1: the second is below alpha/2 and not below alpha/3, so that its
    simultaneous interval ends at 0 (Strassburger & Bretz, Statistics in Medicine 27, 2008, pp. 4914-4927)."""
    error = sqrt(2) * 0.05
    arms = {
        (1, name, arm): {"visits": mean_with(value, 0.05)}
        for name, z in (("x", 4.0), ("y", 2.3), ("z", 0.0))
        for arm, value in (("a", 10.0), ("b", 10 + z * error))
    }
    question = plan(metric(kind="mean", direction=direction), segments=("x", "y", "z"), stopping_rule="fixed_horizon")
    sentence = build(question, table(arms)).segments[1].verdict.sentence
    assert sentence.startswith(who)
    assert "1.6% higher" in sentence
    assert "(more than 0% and at most 3." in sentence


def test_a_sentence_never_says_that_all_are_lost_while_some_convert() -> None:
    """3,600 of 4,000 against 16: 99.56% lower."""
    found = one_segment({"a": conversions(3_600, 4_000), "b": conversions(16, 4_000)})
    assert "with b visits are 99.6% lower (between " in found.overall.verdict.sentence
    assert "100%" not in found.overall.verdict.sentence


def test_large_values_are_written_out() -> None:
    """The control's mean is not above 0: no percentage, and the difference of 123,400 has no exponent."""
    arms = {
        (1, "all", arm): {"visits": replace(mean_with(value, 1_000.0), absolute_mean=2e4)}
        for arm, value in (("a", -5.0), ("b", 123_395.0))
    }
    sentence = build(plan(metric(kind="mean")), table(arms)).overall.verdict.sentence
    assert "visits are 123,400 higher than with a (between " in sentence
    assert "e+" not in sentence
