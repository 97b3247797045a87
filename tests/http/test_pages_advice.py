"""The first thing on an experiment's page: what to do, and what to do next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation
from experiments.domain.policy import AnalysisPlan, StoppingRule
from experiments.domain.promotion_policy import PromotionPolicy, PromotionScope
from tests.conftest import FakeClock
from tests.http.full_report import ADVICE, full_report
from tests.http.pages_site import (
    CONTROL,
    MENS,
    NO_INTERVAL,
    WOMENS,
    Site,
    comparison,
    finding,
    mail,
    metric_report,
    plain,
    section,
    small,
    text_of,
)

PAGE = "/experiments/mail"


def advised(site: Site, **advice: Any) -> str:
    site.store(full_report(recommendation={**ADVICE, **advice}))
    return section(site.get(PAGE), "advice")


@pytest.mark.parametrize(
    ("waits_for", "next_step"),
    [
        ("nothing", "Letting it run on does not help: do what is said above, or decide without a winner."),
        ("time", "Change nothing until then."),
        ("units", "Let it run and change nothing. Look as often as you like, it does no harm."),
        (None, "Let it run and change nothing. Look as often as you like, it does no harm."),
    ],
)
def test_nobody_is_told_to_let_run_what_waits_for_nothing(full: Site, waits_for: str | None, next_step: str) -> None:
    said = advised(full, advice="wait", winners=[], sentence="It stays open.", waits_for=waits_for)
    assert f"It stays open. Next: {next_step}" in said


def test_the_advice_is_the_first_thing_after_the_title(full: Site) -> None:
    html = full.get(PAGE)
    assert html.index('id="advice"') < html.index('id="verdicts"') < html.index('id="segments"')
    assert "What to do: Each segment its own Segments differ: show Men’s e-mail" in section(html, "advice")


def test_who_may_put_it_live_by_the_rules_is_told_so(winnow: Winnow) -> None:
    site = Site(winnow)
    site.sign_in("read", "write")
    site.add(mail(analysis=AnalysisPlan(minimum_duration_seconds=0)))
    site.store(full_report())
    said = section(site.get(PAGE), "advice")
    assert "Next: Put it live: the rules of this experiment allow it now for Bought men’s goods." in said
    assert 'href="#verdicts"' in site.get(PAGE)
    assert "it needs write" not in said
    site.store(full_report(findings=[finding("srm_suspected", "warning", "The split looks wrong")]))
    doubted = section(site.get(PAGE), "advice")
    assert "Next: Look at the warning on the groups' sizes first; the rules would let it go live for Bought" in doubted
    assert "Put it live" not in doubted
    site.submit("/", "/sign-out")
    site.sign_in("read")
    assert "Your key may only read; to decide, it needs write." in section(site.get(PAGE), "advice")


def test_what_keeps_a_winner_from_going_live_stands_in_the_advice(full: Site) -> None:
    assert (
        "Next: Its rules do not let it go live yet. For Bought men’s goods: The plan wants data until 19 Jan 2026"
        in section(full.get(PAGE), "advice")
    )


@pytest.mark.parametrize(
    ("rule", "reason", "way_on"),
    [
        (StoppingRule.GROUP_SEQUENTIAL, "Its rules want numbers that hold", "Ask whoever maintains the experiment"),
        (StoppingRule.FIXED_HORIZON, "Its rules want numbers that hold", "No rules go with a plan of one look."),
    ],
)
def test_what_never_goes_live_is_not_said_to_wait(
    winnow: Winnow, clock: FakeClock, rule: StoppingRule, reason: str, way_on: str
) -> None:
    site = Site(winnow)
    site.sign_in("read")
    planned = 9_000 if rule is StoppingRule.GROUP_SEQUENTIAL else None
    site.add(mail(analysis=AnalysisPlan(stopping_rule=rule, planned_units=planned)))
    clock.advance(days=21)
    site.store(full_report(stopping_rule=rule.value))
    html = site.get(PAGE)
    said = section(html, "advice")
    assert f"Next: Its rules do not let it go live. For Bought men’s goods: {reason}" in said
    assert way_on in said
    assert "Why it does not go live: Its rules want" in text_of(html)
    assert "live yet" not in text_of(html)


def test_each_segment_has_its_own_reason(full: Site) -> None:
    doc = full_report()
    doc["segments"][1]["verdict"].update(outcome="winner", variant=WOMENS, leaders=[WOMENS])
    doc["segments"][1]["findings"] = [finding("srm", "critical", "The groups are odd.")]
    full.store(doc)
    said = section(full.get(PAGE), "advice")
    assert "go live yet. For Bought men’s goods: The plan wants data until" in said
    assert "For Bought women’s goods: The groups are odd." in said


def test_the_same_reason_is_said_once(full: Site) -> None:
    doc = full_report()
    doc["segments"][1]["verdict"].update(outcome="winner", variant=MENS, leaders=[MENS])
    full.store(doc)
    said = section(full.get(PAGE), "advice")
    assert said.count("The plan wants data until") == 1
    assert "For Bought men’s goods and Bought women’s goods: The plan wants data until" in said


def test_who_won_and_was_never_shown_has_a_way_on_after_the_stop(full: Site) -> None:
    full.winnow.author.step("mail", "stop", actor="test")
    page = full.get(PAGE)
    assert (
        "Next: The experiment was stopped before Men’s e-mail for Bought men’s goods was live for all of them, and "
        "nothing goes live here any more. To show it, ask whoever maintains your content to make it the standard one, "
        "or start a new"
    ) in section(page, "advice")
    assert "Why it does not go live: The experiment is stopped." in text_of(page)
    assert "live yet" not in text_of(page)


@pytest.mark.parametrize("fate", ["promoted", "declined"])
def test_who_is_on_show_after_the_stop_or_was_taken_back_needs_no_way_on(site: Site, fate: str) -> None:
    men, *others = mail().segments
    site.add(mail(segments=(replace(men, **{fate: MENS}), *others)))
    site.store(full_report())
    site.winnow.author.step("mail", "stop", actor="test")
    assert "was stopped before" not in site.read(PAGE)


def test_a_segment_in_which_nobody_is_yet_is_named(winnow: Winnow) -> None:
    one_for_all = PromotionPolicy(scope=PromotionScope.ONE_FOR_ALL)
    site = Site(winnow)
    site.sign_in("read", "write")
    site.add(mail(analysis=AnalysisPlan(minimum_duration_seconds=0), promotion=one_for_all))
    doc = full_report()
    men, women, third = doc["segments"]
    overall = {**doc["overall"], "metrics": men["metrics"], "verdict": men["verdict"]}
    advice = {**ADVICE, "advice": "one_for_all", "variant": MENS, "sentence": "Show Men’s e-mail to everybody."}
    nobody = metric_report("visit", {CONTROL: (0, 0.0), MENS: (0, 0.0)}, [comparison(MENS, 0.0, None, p=NO_INTERVAL)])
    empty = {**third, "units": 0, "metrics": [nobody]}
    site.store({**doc, "overall": overall, "segments": [men, women, empty], "recommendation": advice})
    said = section(site.get(PAGE), "advice")
    assert "Show Men’s e-mail to everybody. (Everyone else: nobody yet)" in said
    assert "does not go live" not in said


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (StoppingRule.ALWAYS_VALID, "Look as often as you like, it does no harm."),
        (StoppingRule.FIXED_HORIZON, "Let it run until its planned end; looking earlier tells nothing."),
        (StoppingRule.GROUP_SEQUENTIAL, "Every analysis is one of its planned looks and is paid for"),
    ],
)
def test_waiting_is_told_by_the_rule_for_looking(site: Site, rule: StoppingRule, words: str) -> None:
    planned = 9_000 if rule is StoppingRule.GROUP_SEQUENTIAL else None
    site.add(mail(analysis=AnalysisPlan(stopping_rule=rule, planned_units=planned)))
    site.store(
        full_report(stopping_rule=rule.value, recommendation={**ADVICE, "advice": "wait", "sentence": "Not yet."})
    )
    page = site.get(PAGE)
    assert "What to do: Wait Not yet." in section(page, "advice")
    assert words in section(page, "advice")


def test_without_trust_there_is_no_advice_but_to_look_into_it(site: Site) -> None:
    site.add(mail())
    assert "No advice Mend it. Next: Have the warnings looked into first" in advised(
        site, advice="none", sentence="Mend it."
    )


def test_who_wins_but_harms_is_not_advised_and_nobody_is_told_to_distrust_the_numbers(site: Site) -> None:
    site.add(mail())
    doc = full_report(recommendation={**ADVICE, "advice": "none", "winners": [], "sentence": "It wins, but harms."})
    doc["overall"]["verdict"].update(outcome="winner", variant=MENS)
    site.store(doc)
    assert "What to do: Not yet It wins, but harms. Next: Find out where the harm comes from" in section(
        site.get(PAGE), "advice"
    )


def test_where_the_control_wins_it_is_kept(site: Site) -> None:
    site.add(plain())
    doc = small("control_wins", "So it is.", variant=CONTROL)
    site.store({**doc, "recommendation": {**ADVICE, "advice": "none"}})
    assert "What to do: Keep No e-mail" in section(site.get(PAGE), "advice")


@pytest.mark.parametrize(
    ("advice", "word"), [("one_for_all", "One for everybody"), ("per_segment", "Each segment its")]
)
def test_advice_to_act_has_its_word(site: Site, advice: str, word: str) -> None:
    site.add(mail())
    assert f"What to do: {word}" in advised(site, advice=advice)


def test_a_winner_for_all_that_no_segment_has_by_itself_is_no_dead_end(site: Site) -> None:
    site.add(mail())
    doc = full_report(recommendation={**ADVICE, "advice": "one_for_all", "variant": MENS})
    doc["segments"][0]["verdict"].update(outcome="undecided", variant=None)
    site.store(doc)
    said = section(site.get(PAGE), "advice")
    assert (
        "Next: No segment has decided by itself yet: wait for that, or set the split by hand. No page sets a split: ask"
        in said
    )


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            "control_wins",
            "For Everyone else, No e-mail stays best. 66.7% of them still see Men’s e-mail or",
        ),
        ("untrustworthy", "The numbers for Everyone else cannot be relied on: have the warnings looked into."),
        ("too_early", "Nothing is decided yet for Everyone else: let it run."),
    ],
)
def test_what_is_open_elsewhere_is_said_once_it_is_live(site: Site, outcome: str, words: str) -> None:
    definition = mail()
    men, women, rest = definition.segments
    site.add(mail(segments=(replace(men, promoted=MENS), replace(women, promoted=WOMENS), rest)))
    doc = full_report()
    doc["segments"][2]["verdict"]["outcome"] = outcome
    site.store(doc)
    said = section(site.get(PAGE), "advice")
    assert f"It is live for Bought men’s goods, Bought women’s goods. {words}" in said
    assert "Nothing else is to be done" not in said
    doc["segments"][2]["units"] = 0
    site.store(doc)
    assert "women’s goods. Nothing else is to be done." in section(site.get(PAGE), "advice")


def test_what_is_open_is_not_laid_to_our_split_where_another_system_splits(site: Site) -> None:
    men, *others = mail().segments
    site.add(mail(segments=(replace(men, promoted=MENS), *others), randomisation=Randomisation.EXTERNAL))
    site.store(full_report())
    html = site.get(PAGE)
    said = section(html, "advice")
    assert "Next: It is to be shown by the other system for Bought men’s goods. For Bought women’s goods" in said
    assert "still see" not in said
    assert "It is live" not in said
    assert "Another system decides who sees what, and has to show Men’s e-mail: Winnow only keeps" in text_of(html)


def test_who_only_trails_the_leaders_is_not_called_worse(site: Site) -> None:
    """The men's e-mail, live elsewhere, leads with another one for women's goods; the control alone is beaten."""
    men, *others = mail().segments
    site.add(mail(segments=(replace(men, promoted=MENS), *others)))
    doc = full_report()
    (women,) = [scope for scope in doc["segments"] if scope["verdict"]["outcome"] == "tied"]
    women["verdict"]["leaders"] = [WOMENS]
    for one in women["metrics"][0]["comparisons"]:
        one["p_value_adjusted"] = 0.5 if {one["treatment"], one["baseline"]} == {MENS, WOMENS} else 0.001
    site.store(doc)
    assert "33.3% of them still see No e-mail, which is shown to be worse" in section(site.get(PAGE), "advice")


def test_nothing_is_left_to_do_once_it_is_live(site: Site) -> None:
    definition = mail()
    men, *others = definition.segments
    live = replace(men, promoted=MENS)
    site.add(mail(segments=(live, *others)))
    site.store(full_report())
    said = section(site.get(PAGE), "advice")
    assert (
        "Next: It is live for Bought men’s goods. For Bought women’s goods, Women’s e-mail and Men’s e-mail cannot be "
        "told apart yet. 33.3% of them still see No e-mail, which is shown to be worse: change the split there by "
        "hand. Then wait for a winner, or choose one of them by hand. Nothing is decided yet for Everyone else: let it "
        "run. No page sets a split: ask whoever maintains the experiment to edit the “weights” of the segment."
    ) in said
    everybody = advised(site, advice="one_for_all", variant=MENS)
    assert "It is live for Bought men’s goods. The others have not decided by themselves yet" in everybody
