"""Verdicts and their sentences, families, guardrails."""

from __future__ import annotations

import pytest

from analysis.estimate import Undefined
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
        # z = 3.43 of 20,000 customers: p = .019 alone, .057 as the smallest of three.
        pytest.param(
            {"a": 1000, "b": 1150, "c": 1075},
            "undecided",
            None,
            (),
            "No winner for all yet: b looks better than a, but not surely enough for as many comparisons as are made "
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
            "No winner for all yet: b does worse than a, the rest is open.",
            id="control beats some",
        ),
        pytest.param(
            {"a": 1000, "b": 1010},
            "undecided",
            None,
            (),
            "No winner for all yet: the variants cannot be told apart.",
            id="no difference",
        ),
        pytest.param(
            {"a": 1000, "b": 9},
            "too_early",
            None,
            (),
            "Too early to say for all: b has 9 of the 10 units with an event needed.",
            id="few successes",
        ),
        pytest.param(
            {"a": 9995, "b": 9000},
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
    lift = comparison(found).lift
    interval = getattr(lift, kind)
    assert lift.value == pytest.approx(0.69)
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
    """Baseline mean exactly 0, so there is no percentage; the difference is 2."""
    arms = {"a": moments_of([-1, 1] * 200), "b": moments_of([1, 3] * 200)}
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


def test_families_segments_together_and_the_whole_alone() -> None:
    """Two segments of three pairs are a Holm family of six; the overall scope has its own three."""
    strong, equal = {"a": 1000, "b": 1150, "c": 1000}, {"a": 1000, "b": 1000, "c": 1000}
    arms = {
        (1, name, variant): {"visits": conversions(x, 10_000)}
        for name, successes in (("s", strong), ("t", equal))
        for variant, x in successes.items()
    }
    found = build(plan(variants=("a", "b", "c"), segments=("s", "t")), table(arms))
    for scope, size in ((found.segments[0], 6), (found.overall, 3)):
        p, adjusted = comparison(scope).p_value_always_valid, comparison(scope).p_value_adjusted
        assert isinstance(p, float)
        assert adjusted == pytest.approx(min(1.0, size * p))


def test_only_the_primary_metric_has_a_family() -> None:
    metrics = (metric(), metric(key="again", role="secondary"))
    same = {"visits": conversions(100, 1000), "again": conversions(100, 1000)}
    found = build(plan(*metrics), table({(1, "all", "a"): same, (1, "all", "b"): same}))
    other = comparison(segment(found), metric_index=1)
    assert isinstance(other.p_value_adjusted, Undefined)
    assert other.p_value_adjusted.reason == "not_in_family"
    assert other.guardrail is None


@pytest.mark.parametrize(
    ("control", "treatment", "direction", "state"),
    [
        pytest.param(50_000, 50_000, "increase", "safe", id="same"),
        pytest.param(50_000, 40_000, "increase", "harmed", id="far below"),
        pytest.param(50_000, 49_000, "increase", "unknown", id="at the margin"),
        pytest.param(50_000, 60_000, "increase", "safe", id="far above"),
        pytest.param(50_000, 60_000, "decrease", "harmed", id="complaints far above"),
        pytest.param(50_000, 40_000, "decrease", "safe", id="complaints far below"),
        pytest.param(0, 0, "increase", "unknown", id="no lift"),
    ],
)
def test_guardrails(control: int, treatment: int, direction: str, state: str) -> None:
    """100,000 an arm around one half: the always-valid interval of the lift is ± 1.3 points wide, the margin 2 %."""
    guard = metric(key="guard", role="guardrail", margin_lift=0.02, direction=direction)
    arms = {"a": control, "b": treatment, "c": control}
    tables = table(
        {
            (1, "all", variant): {"visits": conversions(100, 1000), "guard": conversions(x, 100_000)}
            for variant, x in arms.items()
        }
    )
    rows = segment(build(plan(metric(), guard, variants=("a", "b", "c")), tables)).metrics[1].comparisons
    assert [row.guardrail for row in rows] == [state, "unknown" if state == "unknown" and not control else "safe", None]


def test_a_winner_is_named_exactly_when_its_adjusted_p_is_below_alpha() -> None:
    found = [segment(rates(a=1000, b=x, c=800)) for x in range(1080, 1220, 4)]
    named = [scope.verdict.outcome == "winner" for scope in found]
    p_values = [comparison(scope).p_value_adjusted for scope in found]
    assert named == [isinstance(p, float) and p < 0.05 for p in p_values]
    assert any(isinstance(p, float) and 0.05 < p < 0.1 for p in p_values)
    assert any(named)
