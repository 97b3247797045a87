"""Reports at a terminal: which interval stands in the table, and what is written where there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from experiments.cli.console import out
from experiments.cli.customer_summary import score_range, share_text
from experiments.cli.inbox import inbox_table
from experiments.cli.tables import guardrail_table, interval_of, metric_table, print_report, report_table
from experiments.domain.evidence import ArmBelief
from experiments.domain.promotion import PromotionState
from experiments.domain.wording import percent
from tests.stores.promotions import evidence, promotion, step
from tests.unit.reports import comparison, interval, metric, report, scope

NOT_FINITE = {"undefined": "not_finite", "message": "Too large or too small for a number."}


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        (interval(-0.0321, 1.5), "-3.2% … +150.0%"),
        ({"low": 0.1, "high": NOT_FINITE}, "+10.0% … –"),
        ({"low": NOT_FINITE, "high": 0.1}, "– … +10.0%"),
        ({"undefined": "too_early", "message": "Too early."}, "–"),
    ],
)
def test_intervals(ends: dict[str, Any], text: str) -> None:
    assert interval_of(ends) == text


@pytest.mark.parametrize(
    ("rule", "family", "column", "title"),
    [
        ("always_valid", "holm", "always valid", "with 95% intervals for all comparisons together"),
        ("fixed_horizon", "holm", "at one look", "with 95% intervals for all comparisons together"),
        ("group_sequential", "bonferroni", "at this look", "with 95% intervals for all comparisons together"),
        ("always_valid", "benjamini_hochberg", "always valid", "with 95% intervals (adjusted for their number)"),
    ],
)
def test_the_table_shows_the_intervals_that_hold_for_the_whole_family(
    rule: str, family: str, column: str, title: str
) -> None:
    document = {**report(scope("mens", low=0.11, high=0.52)), "stopping_rule": rule, "family": family}
    shown = document["segments"][0]["metrics"][0]["comparisons"][0]
    shown["lift"] = {**shown["lift"], "always_valid": interval(0.2, 0.4), "fixed": interval(0.2, 0.4)}
    console = Console(width=200, record=True)
    console.print(report_table(document, {"a": "A", "b": "B"}, {"mens": "Men"}))
    text = console.export_text()
    assert title in text
    assert column in text
    assert "+11.0% … +52.0%" in text
    assert "+20.0%" not in text


def test_names_stand_as_they_were_given(capsys: pytest.CaptureFixture[str]) -> None:
    names = {"a": "Link to [/sale]", "b": "Free [new] :smile:"}
    print_report(out(), report(scope("mens")), names, {"mens": "[bold]Men"})
    told = capsys.readouterr().out
    assert "lift over Link to [/sale]" in told
    assert "Free [new] :smile:" in " ".join(told.split())
    assert "[bold]Men" in told


def test_the_advice_comes_first_and_chances_stand_beside_the_intervals() -> None:
    document = report(scope("mens"))
    advice = {"advice": "one_for_all", "variant": "b", "winners": [], "sentence": "Show B to everybody."}
    beliefs = [
        {"variant": "a", "chance_to_be_best": 0.031, "expected_loss": 0.02},
        {"variant": "b", "chance_to_be_best": 0.969, "expected_loss": 0.0},
    ]
    document["segments"][0]["metrics"][0]["beliefs"] = beliefs
    console = Console(width=200, record=True)
    print_report(console, {**document, "recommendation": advice}, {"a": "A", "b": "B"}, {"mens": "Men"})
    text = console.export_text()
    assert text.startswith("→ Show B to everybody.")
    assert "chance to be best" in text
    assert "96.9%" in text


@pytest.mark.parametrize(
    ("value", "said"), [(0.99996, ">99.9%"), (0.99901, ">99.9%"), (0.0004, "<0.1%"), (0.969, "96.9%"), (None, "–")]
)
def test_the_inbox_never_says_certain_and_calls_what_it_expects_predicted(value: float | None, said: str) -> None:
    beliefs = () if value is None else (ArmBelief(variant="b", chance_to_be_best=value, expected_loss=0.0),)
    waiting = replace(promotion(), steps=(step(PromotionState.PROPOSED, evidence=evidence(beliefs=beliefs)),))
    console = Console(width=200, record=True)
    console.print(inbox_table([waiting]))
    text = console.export_text()
    assert f" {said} " in text
    assert "predicted" in text


@pytest.mark.parametrize(("value", "said"), [(1 / 11_142, "<0.1%"), (0.0, "0.0%"), (0.577, "57.7%"), (1.0, "100.0%")])
def test_one_of_many_is_not_nobody(value: float, said: str) -> None:
    assert share_text(value) == said


@pytest.mark.parametrize(
    ("place", "ends", "words"),
    [(0, (1, 1, 4), "1"), (1, (1, 1, 4), ""), (2, (1, 1, 4), "2 to 4"), (3, (1, 1, 4_999), "5,000 or more")],
    ids=["the least alone", "nobody can", "from to", "no end"],
)
def test_scores_are_said_in_what_they_stand_for(place: int, ends: tuple[int, ...], words: str) -> None:
    assert score_range(1, place, ends) == words


@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        ("winner", "harmed", "harmed beyond the margin"),
        ("winner", "worse", "harmed, perhaps within the margin"),
        ("winner", "safe", "safe"),
        ("winner", "unknown", "harm not ruled out yet"),
        ("untrustworthy", "safe", "not to be trusted"),
    ],
)
def test_the_price_of_a_lift_stands_below_it(outcome: str, state: str, words: str) -> None:
    mens, womens = scope("mens", outcome), scope("womens")
    mens["metrics"].append(metric("returns", "guardrail", [comparison("b", 0.31, 0.62, guardrail=state)]))
    womens["metrics"].append(metric("returns", "guardrail", [comparison("b", -0.12, 0.14, guardrail="unknown")]))
    document = report(mens, womens)
    document["overall"]["metrics"].append(
        metric("returns", "guardrail", [comparison("b", 0.1, 0.2, guardrail="worse")])
    )
    console = Console(width=200, record=True)
    print_report(console, document, {"a": "Old", "b": "New"}, {"mens": "Men", "womens": "Women"})
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "guardrails: lift over Old, with 95% intervals" in lines
    assert "all together returns New +15.00% +10.0% … +20.0% harmed, perhaps within the margin" in lines
    assert f"Men returns New +46.50% +31.0% … +62.0% {words}" in lines
    assert "Women returns New +1.00% -12.0% … +14.0% harm not ruled out yet" in lines


def test_all_together_stand_before_the_segments(capsys: pytest.CaptureFixture[str]) -> None:
    document = report(scope("mens"), scope("womens", "undecided", -0.1, 0.2))
    document["overall"] = {**scope(None, low=0.31, high=0.42), "units": 20_000}
    document["overall"]["verdict"]["sentence"] = "B beats A."
    console = Console(width=200, record=True)
    print_report(console, document, {"a": "A", "b": "B"}, {"mens": "Men", "womens": "Women"})
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    found = [line for line in lines if line.startswith(("all together", "Men", "Women", "•"))]
    assert found == [
        *("all together 20,000 A 10.00%", "Men 10,000 A 10.00%", "Women 10,000 A 10.00% undecided"),
        *("• B beats A.", "• winner in mens.", "• undecided in womens."),
    ]
    assert "B 10.00% +36.50% +31.0% … +42.0% winner" in lines


@pytest.mark.parametrize(
    ("rule", "title", "ends"),
    [
        ("always_valid", "always valid", "+31.0% … +62.0%"),
        ("fixed_horizon", "at one look", "+40.0% … +50.0%"),
    ],
)
def test_one_metric_by_itself(rule: str, title: str, ends: str) -> None:
    document = {**report(scope("mens")), "stopping_rule": rule}
    shown = comparison("b", 0.31, 0.62)
    shown["lift"] = {**shown["lift"], "fixed": interval(0.4, 0.5)}
    for one in (document["overall"], *document["segments"]):
        one["metrics"].append({**metric("spend", "secondary", [shown]), "kind": "mean"})
    console = Console(width=200, record=True)
    print_report(console, document, {"a": "Old", "b": "New"}, {"mens": "Men"})
    assert "Measured as well: spend (--metric shows the figures)." in console.export_text()
    console.print(metric_table(document, "spend", {"a": "Old", "b": "New"}, {"mens": "Men"}))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "spend: lift over Old, with 95% intervals" in lines
    assert "For orientation: it never decides about a winner." in lines
    assert f"segment units variant mean lift {title}" in lines
    assert ["Men 10,000 Old 0.1000", f"New 0.1000 +46.50% {ends}"] == [one for one in lines if "0.1000" in one]


@pytest.mark.parametrize(("severity", "word"), [("warning", "ahead so far"), ("info", "winner")])
def test_nobody_wins_before_the_one_look_that_was_planned(severity: str, word: str) -> None:
    look = {"code": "single_look", "severity": severity, "message": "One look."}
    document = {**report(scope("mens")), "stopping_rule": "fixed_horizon", "findings": [look]}
    console = Console(width=200, record=True)
    console.print(report_table(document, {"a": "A", "b": "B"}, {"mens": "Men"}))
    [row] = [line for line in console.export_text().splitlines() if "+30.00%" in line]
    assert row.rstrip().endswith(word)


def test_without_guardrails_nothing_is_said_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(out(), report(scope("mens")), {"a": "A", "b": "B"}, {"mens": "Men"})
    assert "guardrail" not in capsys.readouterr().out


@pytest.mark.parametrize(("alpha", "level"), [(0.05, "95%"), (0.025, "97.5%"), (0.004, "99.6%"), (0.001, "99.9%")])
def test_the_level_of_the_intervals_is_never_rounded_to_certainty(alpha: float, level: str) -> None:
    document = {**report(scope("mens")), "alpha": alpha}
    names = {"a": "A", "b": "B"}, {"mens": "Men"}
    for made in (report_table, guardrail_table):
        assert f"with {level} intervals" in str(made(document, *names).title)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.0006, 1, "+0.1%"),
        (0.0003, 1, "+0.03%"),
        (-0.0000012, 1, "-0.0001%"),
        (0.0, 1, "0.0%"),
        (-1e-17, 1, "0.0%"),
        (-0.99961, 1, "-99.96%"),
        (-1.0, 1, "-100.0%"),
        (0.5, 1, "+50.0%"),
        (36.2, 0, "+3,620%"),
    ],
)
def test_only_what_is_0_or_100_is_written_so(value: float, decimals: int, text: str) -> None:
    assert percent(value, decimals, sign=True) == text
