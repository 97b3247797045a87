"""The page of a report with all parts: advice, chances, outlooks, segments side by side, days, sizes of the groups."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation
from experiments.domain.policy import AnalysisPlan, StoppingRule
from experiments.domain.promotion_policy import PromotionPolicy, PromotionScope
from tests.http.full_report import ADVICE, NEVER, full_report, sizes
from tests.http.pages_site import (
    CONTROL,
    MENS,
    NO_INTERVAL,
    WOMENS,
    Site,
    comparison,
    finding,
    mail,
    mail_report,
    metric_report,
    plain,
    small,
    tag,
    text_of,
)

PAGE = "/experiments/mail"
SECTIONS = ("advice", "outlook", "segments", "by-day")


@pytest.fixture
def site(winnow: Winnow) -> Site:
    made = Site(winnow)
    made.sign_in("read")
    return made


@pytest.fixture
def full(site: Site) -> Site:
    site.add(mail(analysis=AnalysisPlan(minimum_lift=0.05)))
    site.store(full_report())
    return site


def section(html: str, name: str) -> str:
    """The words of one section of the page."""
    found = re.search(rf'<section class="[^"]*" aria-labelledby="{name}-title".*?</section>', html, re.S)
    assert found is not None, name
    return text_of(found[0]).replace("\N{NO-BREAK SPACE}", " ")


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
    assert "Next: Its rules do not let it go live yet. The plan wants data until 19 Jan 2026" in section(
        full.get(PAGE), "advice"
    )


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
    assert "Next: No segment has decided by itself yet: wait for that, or set the split by hand." in said


def test_chances_and_losses_stand_beside_the_intervals_and_are_no_verdict(full: Site) -> None:
    said = section(full.get(PAGE), "figures")
    for words in (
        "What may be concluded How likely the best",
        "No e-mail (control) 9,638 9.98% – under 0.1% may cost 6.91 points",
        "between +50.8% and +90.1% noise removed: 38% Better (adjusted p < 0.0001) over 99.9%",
        "between −14.0% and +19.0% noise removed: 38% Not shown yet (adjusted p = 1.00) 15% may cost 1.20 points",
        "a verdict rests on the intervals alone",
    ):
        assert words in said


def test_without_trust_nothing_is_said_to_be_likely(site: Site) -> None:
    site.add(mail())
    doc = full_report()
    doc["segments"][0]["verdict"]["outcome"] = "untrustworthy"
    site.store(doc)
    said = section(site.get(PAGE), "figures")
    assert "over 99.9%" not in said
    assert said.count("not told: do not trust") == 3


def test_a_variant_that_is_not_on_offer_has_no_chance_and_says_why(site: Site) -> None:
    site.add(mail())
    doc = full_report()
    metric = doc["segments"][0]["metrics"][0]
    metric["beliefs"] = [one for one in metric["beliefs"] if one["variant"] != WOMENS]
    site.store(doc)
    said = section(site.get(PAGE), "figures")
    assert said.count("not on offer") == 1
    assert "under 0.1% may cost 6.91 points" in said


def test_a_metric_without_chances_has_no_column_for_them(full: Site) -> None:
    assert "How likely" not in section(full.get(f"{PAGE}?metric=spend"), "figures")


def test_what_is_open_says_how_much_it_still_needs(full: Site) -> None:
    said = section(full.get(PAGE), "outlook")
    assert "Variant More customers More days Smallest lift it finds Chance left to find 5%" in said
    assert "Everyone else Men’s e-mail 13,000 6 8.1% 63%" in said
    assert "Women’s e-mail As small as the effect is now, it would take too long. 8.1% 4.2%" in said


def test_segments_without_anybody_are_not_waited_for(site: Site) -> None:
    site.add(mail())
    doc = full_report()
    doc["segments"][2]["units"] = 0
    site.store(doc)
    assert 'id="outlook"' not in site.get(PAGE)


def test_the_verdict_that_is_open_says_when_it_may_be_told(full: Site) -> None:
    assert (
        "If the lift of Men’s e-mail stays as it is, it takes about 13,000 more customers, about 6 days, to tell it "
        "from No e-mail." in full.read(PAGE)
    )


def test_without_a_lift_worth_acting_on_there_is_no_column_for_it(site: Site) -> None:
    site.add(mail())
    site.store(full_report())
    assert "Chance left" not in section(site.get(PAGE), "outlook")


def test_segments_stand_side_by_side_as_seen_and_as_they_most_likely_are(full: Site) -> None:
    said = section(full.get(PAGE), "segments")
    for words in (
        "Women’s e-mail against No e-mail Yes: Women’s e-mail is shown to work better for some segments",
        "Segment Seen Most likely Less all others Chance alone",
        "Bought women’s goods +7.40 points +7.08 points +5.88 to +8.28 points +6.10 points +4.10 to +8.10 points p <",
        "Everyone else +0.20 points +1.04 points −0.16 to +2.24 points",
        "It looks best for Bought women’s goods: +7.40 points were seen there.",
        "Allowing for its having been picked as the best, it is +7.12 points (+5.20 to +8.90 points).",
        "Men’s e-mail against No e-mail Not shown: what differs in the effect of Men’s e-mail may be chance.",
    ):
        assert words in said


def test_experts_find_the_p_value_for_every_look_first(full: Site) -> None:
    said = section(full.get(PAGE), "segments")
    assert said.index("valid at every look p < 0.0001") < said.index("Cochran’s Q, 2 degrees of freedom p < 0.0001")
    assert "Share of the differences that is not chance (I²) 96%" in said
    assert "Spread of the true effects between segments (τ) 3.10 points" in said


def test_a_comparison_of_segments_that_cannot_be_made_says_why(site: Site) -> None:
    site.add(mail())
    doc = full_report()
    few = {"undefined": "too_few_segments", "message": "Fewer than two segments have an effect."}
    for found in doc["segment_comparisons"]:
        found.update(p_value=few, p_value_always_valid=few, q=few, i_squared=few, tau=few, selected=few, differ=False)
        found["segments"] = [
            {**one, **dict.fromkeys([key for key in one if key != "segment"], few)} for one in found["segments"]
        ]
    site.store(doc)
    said = section(site.get(PAGE), "segments")
    assert "Women’s e-mail against No e-mail Fewer than two segments have an effect." in said
    assert "Everyone else Fewer than two segments have an effect. For experts" in said
    assert "It looks best" not in said


def test_one_segment_is_not_compared_with_itself(site: Site) -> None:
    site.add(plain())
    site.store({**small(), "segment_comparisons": full_report()["segment_comparisons"]})
    assert 'id="segments"' not in site.get(PAGE)


def test_the_effect_by_day_is_a_plot_a_table_and_a_sentence(full: Site) -> None:
    html = full.get(PAGE)
    said = section(html, "by-day")
    assert "Men’s e-mail against No e-mail No change from the first day to the later ones is shown (p = 0.40)." in said
    assert "Later days are shown to differ from the first (p = 0.0004): what counts is what lasts." in said
    assert "Day 0 40,000 +8.10 points +7.10 to +9.10 points" in said
    assert "Day 10 12 No difference with a standard error on that day." in said
    plots = re.findall(r'<svg class="plot days.*?</svg>', html, re.S)
    assert len(plots) == 4
    assert all(plot.count('<circle class="day"') == 10 for plot in plots)
    labels = [name for names in tag(html, r'class="plot days[^>]*aria-labelledby="([^"]+)"') for name in names.split()]
    assert len(set(labels)) == 8
    assert all(f'id="{name}"' in html for name in labels)


def test_sizes_of_the_groups_stand_with_the_p_value_that_holds_at_every_look(full: Site) -> None:
    said = section(full.get(PAGE), "quality")
    assert "All groups have the sizes that the split intends." in said
    assert "Everyone else at every look: p = 0.94; at one look: p = 0.82" in said
    assert "Men’s e-mail 2,130 2,107" in said


def test_groups_that_are_too_small_to_check_are_not_called_right(site: Site) -> None:
    site.add(mail())
    doc, few = full_report(), {"undefined": "too_few_units", "message": "Too few units yet."}
    doc["segments"][2]["srm"]["p_value"] = few
    site.store(doc)
    said = section(site.get(PAGE), "quality")
    assert "The groups that can be checked have the sizes" in said
    assert "for Everyone else there are too few customers yet." in said
    for one in (doc["overall"], *doc["segments"]):
        one["srm"]["p_value"] = few
    site.store(doc)
    said = section(site.get(PAGE), "quality")
    assert "There are too few customers yet to check whether the groups have the sizes" in said
    assert "All groups have the sizes" not in said


def test_a_split_into_one_group_is_not_called_too_small(site: Site) -> None:
    site.add(mail())
    doc = full_report()
    alone = {"undefined": "one_arm", "message": "There are no two arms with units to compare the sizes of."}
    doc["segments"][2]["srm"] = {**sizes((CONTROL, 5)), "p_value": alone}
    site.store(doc)
    assert "All groups have the sizes that the split intends." in section(site.get(PAGE), "quality")


def test_of_an_arm_without_anybody_the_reason_stands_beside_its_name(site: Site) -> None:
    site.add(mail())
    doc = full_report()
    doc["segments"][2]["metrics"][0]["arms"][1]["value"] = {
        "undefined": "no_units",
        "message": "Nobody has been there.",
    }
    site.store(doc)
    html = site.get(PAGE)
    assert 'Men’s e-mail<span class="under">Nobody has been there.</span></th>' in html
    assert '<td class="num" data-label="Rate">–</td>' in html


def test_groups_that_are_wrong_are_not_called_right(site: Site) -> None:
    site.add(mail())
    site.store(full_report(findings=[finding("srm", "critical", "SRM.")]))
    assert "Something is wrong with the groups" in section(site.get(PAGE), "quality")


def test_groups_that_are_in_doubt_are_not_called_right(site: Site) -> None:
    site.add(mail())
    site.store(full_report(findings=[finding("srm_suspected", "warning", "The split looks wrong")]))
    assert "Something may be wrong with the groups" in section(site.get(PAGE), "quality")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("skewed_metric", "Warning: A few make up most of this metric"),
        ("outlier_influence", "Warning: One value weighs too much"),
        ("too_good_to_be_true", "Warning: This is too good to be true"),
        ("novelty", "Warning: The effect wears off"),
        ("primacy", "Warning: The effect has yet to come"),
        ("guardrail_harmed", "Warning: A variant harms what it may not harm"),
        ("guardrail_worse", "Warning: A variant does some harm"),
        ("srm_suspected", "Warning: The groups may not have the sizes they should have"),
    ],
)
def test_new_findings_have_words_of_ours(site: Site, code: str, words: str) -> None:
    site.add(plain())
    site.store(small(findings=[finding(code, "warning", "the numbers")]))
    assert f"{words} The numbers." in site.read(PAGE)


def test_a_report_of_the_first_release_has_none_of_it_and_is_read_as_before(site: Site) -> None:
    site.add(mail())
    site.store(mail_report())
    html = site.get(PAGE)
    assert not [name for name in SECTIONS if f'id="{name}"' in html]
    assert "How likely the best" not in html
    assert "Winner: Men’s e-mail" in text_of(html)


def test_group_sequential_says_what_its_looks_are(site: Site) -> None:
    rule = AnalysisPlan(stopping_rule=StoppingRule.GROUP_SEQUENTIAL, planned_units=40_000)
    site.add(mail(analysis=rule))
    site.store(full_report(stopping_rule="group_sequential"))
    page = site.read(PAGE)
    assert "Its looks are planned until a segment has 40,000 customers." in page
    assert "A planned number of looks" in page
    assert "hold for all comparisons together, at every look that was counted." in page


@pytest.mark.parametrize("family", ["holm", "hochberg", "bonferroni", "dunnett"])
def test_families_that_hold_together_say_so(site: Site, family: str) -> None:
    site.add(mail())
    site.store(full_report(family=family))
    assert "intervals that hold for all comparisons together" in section(site.get(PAGE), "figures")


def test_the_table_to_download_has_the_new_columns(full: Site) -> None:
    found = list(csv.DictReader(io.StringIO(full.get(f"{PAGE}/results.csv"), newline="")))
    open_, hopeless = [row for row in found if row["segment"] == "everyone"]
    assert {name: open_[name] for name in list(open_)[38:]} == {
        "chance_to_beat": "0.95",
        "loss_if_treatment": "0.0001",
        "loss_if_baseline": "0.02",
        "treatment_chance_to_be_best": "0.742",
        "treatment_expected_loss": "0.0012",
        "variance_kept": "0.62",
        "power_left": "0.63",
        "detectable_lift": "0.081",
        "units_left": "12345.0",
        "days_left": "5.2",
        "shrunk_difference": "0.041",
        "shrunk_difference_low": repr(0.041 - 0.012),
        "shrunk_difference_high": repr(0.041 + 0.012),
        "against_others": "-0.05",
        "against_others_low": repr(-0.05 - 0.02),
        "against_others_high": repr(-0.05 + 0.02),
        "against_others_p_value": "0.21",
        "srm_p_value": "0.82",
        "srm_p_value_any_look": "0.94",
    }
    assert (hopeless["treatment"], hopeless["units_left"], NEVER["undefined"]) == (WOMENS, "", "no_effect_in_sight")
    spend = next(row for row in found if row["metric"] == "spend" and row["treatment"] == MENS)
    assert (spend["shrunk_difference"], spend["chance_to_beat"]) == ("", "")


def test_an_earlier_snapshot_gives_no_leave_to_put_anything_live(full: Site) -> None:
    full.store(full_report())
    assert "Put it live" not in section(full.get(f"{PAGE}?snapshot=1"), "advice")


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
        "run."
    ) in said
    everybody = advised(site, advice="one_for_all", variant=MENS)
    assert "It is live for Bought men’s goods. The others have not decided by themselves yet" in everybody
