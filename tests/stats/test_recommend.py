"""One piece of advice for all segments: a table of situations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.design.outlook import HORIZON_REACHED
from analysis.estimate import Estimate, Outlook, SegmentComparison, Undefined, Verdict
from analysis.inference.recommend import Harm, Names, recommend
from analysis.inference.waiting import Prospects

NONE = Undefined(reason="too_few_segments", message="")
NAMES = Names(
    variant={"a": "Old", "b": "New", "c": "Bold", "d": "Loud"}.__getitem__,
    segment={"w": "Women", "m": "Men", "k": "Kids"}.__getitem__,
    metric={"returns": "Returns", "stops": "Stops"}.__getitem__,
    units="customers",
    primary="Visits",
)


def verdict(outcome: str, variant: str | None = None, *leaders: str) -> Verdict:
    return Verdict(outcome=outcome, variant=variant, leaders=leaders, sentence="")  # type: ignore[arg-type]


def won(variant: str) -> Verdict:
    return verdict("winner", variant, variant)


OPEN, LOST, EARLY = (
    verdict("undecided"),
    verdict("control_wins", "a"),
    replace(verdict("too_early"), sentence="Too early to say: wait."),
)


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


def outlook(*, days: float | None = None, units: int | None = None, lift: float | None = None) -> Outlook:
    return Outlook(
        power_left=NONE,
        detectable_lift=NONE if lift is None else lift,
        units_left=NONE if units is None else units,
        days_left=NONE if days is None else days,
    )


@pytest.mark.parametrize(
    ("overall", "segments", "differ", "advice", "sentence"),
    [
        pytest.param(
            won("b"),
            [OPEN, OPEN, OPEN],
            False,
            "one_for_all",
            "Show New to everybody: it wins over all, and there is no sure sign that segments differ.",
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


def harm(segment: str | None, variant: str = "b", metric: str = "returns", *, beyond: bool = True) -> Harm:
    return Harm(segment=segment, variant=variant, metric=metric, beyond=beyond)


SOME = "perhaps no more than is tolerated: look at that first."
FOR_ALL = "Show New to everybody: it wins over all, and there is no sure sign that segments differ."
TIED = verdict("tied", None, "b", "c")


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


@pytest.mark.parametrize("segments", [[OPEN, OPEN], [won("b"), won("c")]], ids=["for all", "for each"])
def test_sizes_that_are_doubted_are_told_with_what_to_do(segments: list[Verdict]) -> None:
    overall = won("b") if segments[0] is OPEN else OPEN
    found = recommend(overall, dict(zip("wm", segments, strict=True)), control="a", names=NAMES, doubted=True)
    assert found.sentence.endswith(". The arms' sizes hardly fit the split: look at that first.")


def test_a_metric_without_a_name_wins_all_the_same() -> None:
    found = recommend(won("b"), {"w": won("b")}, control="a", harms=[harm(None)])
    assert found.sentence == "b wins, but harms returns: do not show it to everybody before that is understood."


TIED_VALUES = Undefined(reason="zero_variance", message="One value holds the whole interval: no spread shows.")


@pytest.mark.parametrize(
    ("overall", "prospects", "sentence"),
    [
        pytest.param(
            OPEN,
            Prospects(untestable=TIED_VALUES, closed="over"),
            "There is no winner. It cannot be tested: one value holds the whole interval: no spread shows. "
            "More customers like these will not change that.",
            id="no test, whoever comes",
        ),
        pytest.param(
            EARLY,
            Prospects(maturing=3_000, enough=True),
            "Too early to say: wait. Give it time.",
            id="time is missing",
        ),
        pytest.param(
            EARLY,
            Prospects(maturing=30),
            "Too early to say: wait. Give it time; more customers are needed, too.",
            id="both are missing",
        ),
        pytest.param(
            EARLY,
            Prospects(maturing=30, closed="silent"),
            "Too early to say: wait. Give it time; nobody new has come for a week, so it may not be enough.",
            id="both are missing, and nobody comes",
        ),
        pytest.param(
            OPEN,
            Prospects(closed="over"),
            "There is no winner yet. Nobody new comes in: with these customers it stays open. To know more, run it "
            "again, with more customers.",
            id="nobody comes any more",
        ),
        pytest.param(
            OPEN,
            Prospects(closed="silent"),
            "There is no winner yet. Nobody new has come for a week: with these customers it stays open. To know more, "
            "bring in more customers.",
            id="nobody came lately",
        ),
        pytest.param(
            OPEN,
            Prospects(closed="over", maturing=10_000),
            "There is no winner yet. Nobody new comes in, but 10,000 customers are in whose time is not over yet: wait "
            "for that.",
            id="nobody comes, and many are still to count",
        ),
    ],
)
def test_nobody_is_told_to_wait_for_customers_who_cannot_help(
    overall: Verdict, prospects: Prospects, sentence: str
) -> None:
    found = recommend(overall, {"w": overall}, (), [outlook(days=2.0)], control="a", names=NAMES, prospects=prospects)
    assert found.sentence == sentence


@pytest.mark.parametrize(("days", "long"), [(364.0, False), (366.0, True), (5_649.0, True)])
def test_what_takes_longer_than_a_year_is_no_promise(days: float, long: bool) -> None:
    """16,947 units at three a day are 5,649 days."""
    found = recommend(OPEN, {"w": OPEN}, (), [outlook(days=days)], control="a", names=NAMES)
    assert found.waits_for == ("nothing" if long else "units")
    assert found.sentence.endswith(
        "At this traffic nothing can be said within a year: bring in more customers, test something bolder, or decide "
        "without a winner."
        if long
        else "something can be said in about 12 months."
    )


def test_the_smallest_difference_that_is_seen_has_no_exponent() -> None:
    """36.23 as a fraction of the control's value."""
    found = recommend(OPEN, {"w": OPEN}, (), [outlook(lift=36.23)], control="a", names=NAMES)
    assert "a difference of 3,623% or more would probably be seen" in found.sentence
