"""Harm to guardrails: what is found, and what is recommended then."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.estimate import Interval, Report, Undefined, Verdict
from analysis.inference.recommend import Harm, recommend
from analysis.moments import Moments
from analysis.plan import Cell
from analysis.report import build
from tests.stats.builders import conversions, metric, plan, segment, table
from tests.stats.situations import LOST, NAMES, OPEN, TIED, won


def harm(segment: str | None, variant: str = "b", metric: str = "returns", *, beyond: bool = True) -> Harm:
    return Harm(segment=segment, variant=variant, metric=metric, beyond=beyond)


SOME = "perhaps no more than is tolerated: look at that first."


FOR_ALL = "Show New to everybody: it wins over all, and there is no sure sign that its effect differs between segments."


@pytest.mark.parametrize(
    ("overall", "segments", "harms", "advised", "sentence"),
    [
        pytest.param(
            won("b"),
            [OPEN, OPEN],
            [harm(None), harm("w")],
            ("none", ""),
            "New wins on Visits, but harms Returns: do not show it to everybody before that is understood.",
            id="over all",
        ),
        pytest.param(
            won("b"),
            [won("b"), won("b")],
            [harm(None, metric="stops"), harm("w"), harm("m"), harm("m", "c")],
            ("none", ""),
            "New wins on Visits, but harms Stops, and Returns for Women and Men: do not show it to everybody before "
            "that is understood.",
            id="one over all, another in segments only",
        ),
        pytest.param(won("b"), [OPEN, OPEN], [harm(None, "c")], ("one_for_all", ""), FOR_ALL, id="by another variant"),
        pytest.param(
            won("b"),
            [OPEN, OPEN],
            [harm(None, beyond=False), harm("w", beyond=False)],
            ("one_for_all", ""),
            f"{FOR_ALL} New does some harm to Returns, {SOME}",
            id="perhaps within the margin",
        ),
        pytest.param(
            won("b"),
            [OPEN, OPEN],
            [harm("w", beyond=False)],
            ("one_for_all", ""),
            f"{FOR_ALL} New does some harm to Returns for Women, {SOME}",
            id="perhaps within the margin, in a segment",
        ),
        pytest.param(
            OPEN,
            [won("b"), won("b"), LOST],
            [harm("w"), harm("w", metric="stops")],
            ("per_segment", "m:b k:a"),
            "No variant is shown to be best for everybody: show New to Men; keep Old for Kids; do not show New to "
            "Women before it is understood why it harms Returns and Stops.",
            id="in one of the segments that it wins",
        ),
        pytest.param(
            OPEN,
            [won("b"), OPEN],
            [harm("w")],
            ("per_segment", ""),
            "No variant is shown to be best for everybody: do not show New to Women before it is understood why it "
            "harms Returns; wait for Men.",
            id="in the only segment that it wins",
        ),
        pytest.param(
            OPEN,
            [TIED, OPEN],
            [harm("w")],
            ("per_segment", ""),
            "No variant is shown to be best for everybody: for Women Bold beats Old, but may not be the best: show "
            "it, or wait; do not show New to Women before it is understood why it harms Returns; wait for Men.",
            id="one of two that are tied",
        ),
        pytest.param(
            OPEN,
            [won("b"), OPEN],
            [harm(None)],
            ("per_segment", "w:b"),
            "No variant is shown to be best for everybody: show New to Women; wait for Men. Over all, New harms "
            "Returns: look at that first.",
            id="over all, not shown in the segment that it wins",
        ),
        pytest.param(
            TIED,
            [OPEN, OPEN],
            [harm(None, "c")],
            ("wait", ""),
            "New and Bold are better than Old, but the best one is not certain. Let it run: more customers are "
            "needed. Over all, Bold harms Returns: look at that first.",
            id="tied over all",
        ),
    ],
)
def test_who_harms_a_guardrail_is_not_recommended_without_a_word(
    overall: Verdict, segments: list[Verdict], harms: list[Harm], advised: tuple[str, str], sentence: str
) -> None:
    found = recommend(overall, dict(zip("wmk", segments, strict=False)), control="a", names=NAMES, harms=harms)
    winners = " ".join(f"{segment}:{variant}" for segment, variant in found.winners)
    assert ((found.advice, winners), found.sentence) == (advised, sentence)
    assert found.variant == ("b" if found.advice == "one_for_all" else None)


def test_of_harm_in_segments_alone_the_others_are_told_what_to_do() -> None:
    """It wins over all and in each, and harms in one: whoever is not harmed need not wait for them."""
    found = recommend(won("b"), {"w": won("b"), "m": won("b")}, control="a", names=NAMES, harms=[harm("w")])
    assert (found.advice, found.variant, found.winners) == ("per_segment", None, (("m", "b"),))
    assert found.sentence == (
        "New wins on Visits, but not without harm: show New to Men; do not show New to Women before it is understood "
        "why it harms Returns."
    )


def test_harm_in_a_segment_is_told_while_one_waits() -> None:
    found = recommend(TIED, {"w": OPEN, "m": OPEN}, control="a", names=NAMES, harms=[harm("w")])
    assert found.advice == "wait"
    assert found.sentence.endswith("For Women, New harms Returns: look at that first.")


def test_of_one_segment_nothing_is_told_over_all() -> None:
    found = recommend(TIED, {"w": TIED}, control="a", names=NAMES, harms=[harm(None)])
    assert found.sentence.endswith("are needed. New harms Returns: look at that first.")


def test_a_metric_without_a_name_wins_all_the_same() -> None:
    found = recommend(won("b"), {"w": won("b")}, control="a", harms=[harm(None)])
    assert found.sentence == "b wins, but harms returns: do not show it to everybody before that is understood."


def guarded(harmed: int, segments: tuple[str, ...] = ("s",), **changes: Any) -> Report:
    """b wins 15 % against 10 %; of 100,000 an arm 50,000 and so many complain. The first segment alone is harmed."""
    guard = metric(key="guard", name="Complaints", role="guardrail", direction="decrease", margin_lift=0.02)
    arms = {
        (1, where, variant): {
            "visits": conversions(visits, 100_000),
            "guard": conversions(harmed if (where, variant) == (segments[0], "b") else 50_000, 100_000),
        }
        for where in segments
        for variant, visits in (("a", 10_000), ("b", 15_000))
    }
    return build(plan(metric(name="Visits"), guard, segments=segments, **changes), table(arms))


@pytest.mark.parametrize(
    ("complaints", "code", "message", "advice", "sentence"),
    [
        pytest.param(
            60_000,
            "guardrail_harmed",
            "b harms Complaints: 20% higher than with a, surely by 18% or more; 2% is tolerated",
            "none",
            "b wins on Visits, but harms Complaints: do not show it to everybody before that is understood.",
            id="harmed",
        ),
        pytest.param(
            51_000,
            "guardrail_worse",
            "b does some harm to Complaints: 2.0% higher than with a, perhaps no more than the 2% that is tolerated",
            "one_for_all",
            "Show b to everybody: it wins. b does some harm to Complaints, perhaps no more than is tolerated: look at "
            "that first.",
            id="worse",
        ),
        pytest.param(40_000, None, "", "one_for_all", "Show b to everybody: it wins.", id="safe"),
    ],
)
def test_who_wins_at_a_price_is_not_recommended_without_it(
    complaints: int, code: str | None, message: str, advice: str, sentence: str
) -> None:
    """The lift's interval is some 1.3 points wide on either side."""
    found = guarded(complaints)
    for scope in (found.overall, *found.segments):
        assert scope.verdict.outcome == "winner"
        told = [one for one in scope.findings if one.code.startswith("guardrail")]
        assert [(one.code, one.severity, one.message, one.variant, one.metric) for one in told] == (
            [(code, "warning", message, "b", "guard")] if code else []
        )
    assert found.recommendation is not None
    assert (found.recommendation.advice, found.recommendation.sentence) == (advice, sentence)


def test_harm_in_a_segment_is_named_with_it() -> None:
    """+4 % of s alone; with t +2 %, at the margin."""
    found = guarded(52_000, ("s", "t"))
    told = [[one.message for one in scope.findings if one.metric == "guard"] for scope in found.segments]
    assert told[0][0].startswith("b harms Complaints for s: 4.0% higher than with a, surely by 2.")
    assert told[1] == []
    assert found.recommendation is not None
    assert (found.recommendation.advice, found.recommendation.winners) == ("per_segment", (("t", "b"),))
    assert found.recommendation.sentence == (
        "b wins on Visits, but not without harm: show b to t; do not show b to s before it is understood why it harms "
        "Complaints. b does some harm to Complaints, perhaps no more than is tolerated: look at that first."
    )


def test_nothing_is_said_of_guardrails_where_the_data_cannot_be_trusted() -> None:
    cells = [Cell(epoch=1, segment="s", weights={"a": 2, "b": 1})]
    found = segment(guarded(60_000, cells=cells))
    assert found.verdict.outcome == "untrustworthy"
    assert [one.code for one in found.findings if one.code.startswith("guardrail")] == []


@pytest.mark.parametrize(
    ("control", "treatment", "direction", "state"),
    [
        pytest.param(50_000, 50_000, "increase", "safe", id="same"),
        pytest.param(50_000, 40_000, "increase", "harmed", id="far below"),
        pytest.param(50_000, 49_000, "increase", "worse", id="at the margin"),
        pytest.param(50_000, 51_000, "decrease", "worse", id="complaints at the margin"),
        pytest.param(50_000, 49_600, "increase", "unknown", id="near 0"),
        pytest.param(50_000, 48_000, "increase", "harmed", id="beyond the margin"),
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


@pytest.mark.parametrize(
    ("control", "treatment", "direction", "margin", "state"),
    [
        pytest.param(-5.0, -5.5, "increase", None, "harmed", id="losses grow"),
        pytest.param(-5.0, -4.5, "increase", None, "safe", id="losses shrink"),
        pytest.param(-5.0, -5.0, "increase", None, "unknown", id="losses stay"),
        pytest.param(-5.0, -5.5, "increase", 0.02, "harmed", id="losses grow by more than 0.1"),
        pytest.param(-5.0, -5.5, "increase", 0.10, "worse", id="losses grow by about 0.5"),
        pytest.param(-5.0, -5.5, "increase", 0.20, "safe", id="losses grow by less than 1"),
        pytest.param(-5.0, -4.5, "decrease", 0.02, "harmed", id="it rises by more than 0.1, and should fall"),
        pytest.param(-5.0, -4.5, "decrease", 0.20, "safe", id="it rises by less than 1, and should fall"),
        pytest.param(0.01, -0.5, "increase", 0.02, "harmed", id="of a control that may be 0"),
        pytest.param(0.01, 0.5, "increase", 0.02, "safe", id="better than a control that may be 0"),
        pytest.param(0.0, 0.5, "decrease", 0.02, "harmed", id="of a control of 0"),
    ],
)
def test_harm_needs_no_percentage(
    control: float, treatment: float, direction: str, margin: float | None, state: str
) -> None:
    """5,000 an arm, standard deviation 1: the always-valid interval of the difference is ± .06 wide."""
    guard = metric(key="guard", name="Balance", kind="mean", role="guardrail", margin_lift=margin, direction=direction)
    tables = table(
        {
            (1, "all", variant): {
                "visits": conversions(100, 1000),
                "guard": Moments(n=5_000, mean=mean, m2=4_999.0, absolute_mean=abs(mean) + 0.8),
            }
            for variant, mean in (("a", control), ("b", treatment))
        }
    )
    found = segment(build(plan(metric(), guard), tables))
    (row,) = found.metrics[1].comparisons
    assert isinstance(row.difference.always_valid, Interval)
    assert 0.05 < (row.difference.always_valid.high - row.difference.always_valid.low) / 2 < 0.07
    assert isinstance(row.lift.always_valid, Undefined)
    assert row.guardrail == state
    tolerated = f"{100 * margin:g}% is tolerated" if margin else "no harm is tolerated"
    told = [one.message for one in found.findings if one.code == "guardrail_harmed"]
    assert told == ([f"b harms Balance: worse than with a; {tolerated}"] if state == "harmed" else [])


@pytest.mark.parametrize(
    ("treatment", "direction", "margin", "state"),
    [
        pytest.param(137, "decrease", None, "harmed", id="crashes begin"),
        pytest.param(137, "decrease", 0.02, "harmed", id="two in a hundred more than none are tolerated"),
        pytest.param(137, "increase", 0.02, "safe", id="wanted"),
        pytest.param(3, "decrease", 0.02, "unknown", id="three may be chance"),
        pytest.param(0, "decrease", 0.02, "unknown", id="nobody in either"),
    ],
)
def test_what_nobody_in_the_control_does_can_be_harm(
    treatment: int, direction: str, margin: float | None, state: str
) -> None:
    """Of 5,000 an arm; Fisher's exact test of 137 against none has p = 4e-42, of three p = .25."""
    guard = metric(key="guard", role="guardrail", margin_lift=margin, direction=direction)
    tables = table(
        {
            (1, "all", variant): {"visits": conversions(100, 1000), "guard": conversions(count, 5_000)}
            for variant, count in (("a", 0), ("b", treatment))
        }
    )
    (row,) = segment(build(plan(metric(), guard), tables)).metrics[1].comparisons
    assert row.guardrail == state
