"""One piece of advice for all segments: a table of situations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.design.outlook import HORIZON_REACHED
from analysis.estimate import Estimate, Outlook, SegmentComparison, Verdict
from analysis.inference.recommend import recommend
from tests.stats.situations import EARLY, LOST, NAMES, NONE, OPEN, outlook, verdict, won


def compared(treatment: str, *, differ: bool) -> SegmentComparison:
    return SegmentComparison(
        treatment=treatment,
        baseline="a",
        q=NONE,
        degrees_of_freedom=2,
        p_value=NONE,
        p_value_always_valid=NONE,
        i_squared=NONE,
        tau=NONE,
        pooled=Estimate(value=NONE, std_error=NONE, fixed=NONE, always_valid=NONE),
        differ=differ,
        segments=(),
        selected=NONE,
    )


@pytest.mark.parametrize(
    ("overall", "segments", "differ", "advice", "sentence"),
    [
        pytest.param(
            won("b"),
            [OPEN, OPEN, OPEN],
            False,
            "one_for_all",
            "Show New to everybody: it wins over all, and there is no sure sign that its effect differs between "
            "segments.",
            id="one winner",
        ),
        pytest.param(
            won("b"), [won("b"), OPEN, EARLY], False, "one_for_all", None, id="a segment agrees, others are open"
        ),
        pytest.param(
            won("b"),
            [won("b")] * 3,
            True,
            "one_for_all",
            "Show New to everybody: it wins in every segment, though not by the same amount.",
            id="it wins everywhere, by different amounts",
        ),
        pytest.param(
            won("b"),
            [won("b"), LOST, OPEN],
            False,
            "per_segment",
            "No variant is shown to be best for everybody: show New to Women; keep Old for Men; wait for Kids.",
            id="harm in one segment",
        ),
        pytest.param(
            won("b"),
            [won("b"), won("c"), won("b")],
            True,
            "per_segment",
            "What works differs between segments: show New to Women and Kids; show Bold to Men.",
            id="another winner in one segment",
        ),
        pytest.param(
            won("b"),
            [won("b"), verdict("tied", None, "c", "d"), OPEN],
            False,
            "per_segment",
            None,
            id="beaten in a tie",
        ),
        pytest.param(
            won("b"), [verdict("tied", None, "b", "c"), OPEN, OPEN], False, "one_for_all", None, id="a tie with it"
        ),
        pytest.param(
            won("b"),
            [won("b"), OPEN, OPEN],
            True,
            "per_segment",
            "What works differs between segments: show New to Women; wait for Men and Kids.",
            id="segments differ",
        ),
        pytest.param(
            won("b"),
            [OPEN, OPEN, OPEN],
            True,
            "wait",
            "New wins over all, but not equally in all segments, and in no segment alone is it sure yet. "
            "Let it run: more customers are needed.",
            id="segments differ, none is sure",
        ),
        pytest.param(
            OPEN,
            [won("b"), OPEN, OPEN],
            False,
            "per_segment",
            "No variant is shown to be best for everybody: show New to Women; wait for Men and Kids.",
            id="a winner in one segment only",
        ),
        pytest.param(
            OPEN,
            [OPEN, LOST, OPEN],
            False,
            "per_segment",
            "There is no winner over all: keep Old for Men; wait for Women and Kids.",
            id="harm in one segment, nothing over all",
        ),
        pytest.param(
            LOST,
            [verdict("tied", None, "b", "c"), LOST, OPEN],
            False,
            "per_segment",
            "No variant is shown to be best for everybody: keep Old for Men; either New or Bold to Women, or wait to "
            "know which; wait for Kids.",
            id="the control wins, but not for women, where two are tied",
        ),
        pytest.param(
            LOST,
            [verdict("undecided", None, "b"), OPEN, OPEN],
            True,
            "per_segment",
            "What works differs between segments: for Women New beats Old, but may not be the best: show it, or wait; "
            "wait for Men and Kids.",
            id="the control wins, but for women another is ahead",
        ),
        pytest.param(
            OPEN,
            [verdict("tied", None, "b", "c"), OPEN, OPEN],
            False,
            "per_segment",
            "No variant is shown to be best for everybody: either New or Bold to Women, or wait to know which; wait "
            "for Men and Kids.",
            id="a tie in one segment only",
        ),
        pytest.param(
            won("b"),
            [OPEN, verdict("tied", None, "c", "d"), OPEN],
            False,
            "per_segment",
            "No variant is shown to be best for everybody: either Bold or Loud to Men, or wait to know which; wait "
            "for Women and Kids.",
            id="beaten in a tie, and nowhere else a winner",
        ),
        pytest.param(
            verdict("tied", None, "b", "c"),
            [verdict("tied", None, "b", "c"), verdict("undecided", None, "c"), OPEN],
            False,
            "wait",
            "New and Bold are better than Old, but the best one is not certain. Let it run: more customers are needed.",
            id="tied over all and in a segment",
        ),
        pytest.param(LOST, [won("b"), LOST, OPEN], True, "per_segment", None, id="the control wins, but not for women"),
        pytest.param(
            LOST,
            [LOST, OPEN, OPEN],
            False,
            "none",
            "Keep Old: it is better than everything that was tried.",
            id="the control wins",
        ),
        pytest.param(
            verdict("tied", None, "b", "c"),
            [OPEN, OPEN, OPEN],
            False,
            "wait",
            "New and Bold are better than Old, but the best one is not certain. Let it run: more customers are needed.",
            id="tied",
        ),
        pytest.param(
            EARLY,
            [EARLY, EARLY, EARLY],
            False,
            "wait",
            "Too early to say: wait. Let it run: more customers are needed.",
            id="too early",
        ),
        pytest.param(
            verdict("untrustworthy"),
            [won("b"), OPEN, OPEN],
            True,
            "none",
            "Nothing can be recommended yet: these data cannot be trusted, see the warnings.",
            id="untrustworthy",
        ),
    ],
)
def test_advice(overall: Verdict, segments: list[Verdict], differ: bool, advice: str, sentence: str | None) -> None:
    found = recommend(
        overall,
        dict(zip("wmk", segments, strict=True)),
        [compared("b", differ=differ), compared("c", differ=False)],
        control="a",
        names=NAMES,
    )
    assert found.advice == advice
    assert found.variant == ("b" if advice == "one_for_all" else None)
    expected = tuple((key, one.variant) for key, one in zip("wmk", segments, strict=True) if one.variant)
    assert found.winners == (expected if advice == "per_segment" else ())
    if sentence:
        assert found.sentence == sentence


def test_how_another_treatment_differs_does_not_matter_to_the_winner() -> None:
    found = recommend(won("b"), {"w": OPEN, "m": OPEN}, [compared("c", differ=True)], control="a", names=NAMES)
    assert found.advice == "one_for_all"
    assert found.sentence == (
        "Show New to everybody: it wins over all, and there is no sure sign that its effect differs between segments "
        f"(that of {NAMES.variant('c')} does)."
    )


@pytest.mark.parametrize("overall", [won("b"), LOST, OPEN])
def test_before_the_one_look_that_was_planned_nothing_is_concluded(overall: Verdict) -> None:
    early = "Only 1,500 of the 20,000 planned customers are in"
    found = recommend(overall, {"w": overall}, control="a", names=NAMES, early=early)
    assert (found.advice, found.waits_for, found.variant, found.winners) == ("wait", "units", None, ())
    assert found.sentence == f"{early}, and this plan concludes once, at its end: nothing is concluded before."


def test_without_segments() -> None:
    found = recommend(won("b"), {"w": won("b")}, control="a", names=NAMES)
    assert (found.advice, found.sentence) == ("one_for_all", "Show New to everybody: it wins.")


@pytest.mark.parametrize(
    ("outlooks", "sentence"),
    [
        ([outlook(days=12.2, units=900), outlook(days=40.0)], "something can be said in about 13 days."),
        ([outlook(days=0.2)], "something can be said in about a day."),
        ([outlook(days=30.0)], "something can be said in about 5 weeks."),
        ([outlook(days=200.0)], "something can be said in about 7 months."),
        ([outlook(units=12_345), outlook(units=20_000)], "something can be said after 12,345 more customers."),
    ],
)
def test_when_something_can_be_said(outlooks: list[Outlook], sentence: str) -> None:
    found = recommend(OPEN, {"w": OPEN}, (), outlooks, control="a", names=NAMES)
    assert found.sentence == f"There is no winner yet. If things stay as they are, {sentence}"


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        (True, "All units that were planned are in: nothing more can be expected at this size."),
        (False, "Nothing is in sight so far; a difference of 5.1% or more would probably be seen by now."),
    ],
)
def test_more_units_than_planned_are_an_end_only_where_one_was_planned(ends: bool, sentence: str) -> None:
    passed = replace(outlook(lift=0.051), power_left=HORIZON_REACHED)
    found = recommend(OPEN, {"w": OPEN}, (), [passed], control="a", names=NAMES, ends=ends)
    assert found.sentence == f"There is no winner yet. {sentence}"


def test_when_nothing_is_in_sight() -> None:
    found = recommend(OPEN, {"w": OPEN}, (), [outlook(lift=0.051), outlook(lift=0.2)], control="a", names=NAMES)
    assert found.sentence == (
        "There is no winner yet. Nothing is in sight so far; a difference of 5.1% or more would probably be seen by "
        "the planned end."
    )


def test_keys_stand_for_names_where_there_are_none() -> None:
    assert recommend(LOST, {}, control="a").sentence == "Keep a: it is better than everything that was tried."


@pytest.mark.parametrize("segments", [[OPEN, OPEN], [won("b"), won("c")]], ids=["for all", "for each"])
def test_sizes_that_are_doubted_are_told_with_what_to_do(segments: list[Verdict]) -> None:
    overall = won("b") if segments[0] is OPEN else OPEN
    found = recommend(overall, dict(zip("wm", segments, strict=True)), control="a", names=NAMES, doubted=True)
    assert found.sentence.endswith(". The arms' sizes hardly fit the split: look at that first.")
