"""The page of a report with all parts: chances, outlooks, segments side by side, days, sizes of the groups."""

from __future__ import annotations

import csv
import io
import re

import pytest

from experiments.domain.policy import AnalysisPlan, StoppingRule
from tests.http.full_report import NEVER, full_report, sizes
from tests.http.pages_site import (
    CONTROL,
    MENS,
    WOMENS,
    Site,
    finding,
    mail,
    mail_report,
    plain,
    section,
    small,
    tag,
    text_of,
)

PAGE = "/experiments/mail"
SECTIONS = ("advice", "outlook", "segments", "by-day")


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
    reason = (
        '<td class="reason" colspan="2" data-label="Difference">No difference with a standard error on that day.</td>'
    )
    assert html.count(reason) == 2
    assert html.count(" Day 10: No difference with a standard error on that day.</desc>") == 4
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


ONE_ARM = {"undefined": "one_arm", "message": "There are no two arms with units to compare the sizes of."}


def one_arm(units: int) -> dict[str, object]:
    return {
        "p_value": ONE_ARM,
        "sequential": {"p_value": ONE_ARM},
        "observed": [[CONTROL, units], [MENS, 0], [WOMENS, 0]],
        "expected": [[CONTROL, units / 3], [MENS, units / 3], [WOMENS, units / 3]],
    }


@pytest.mark.parametrize(
    ("units", "note"),
    [(0, "nobody yet"), (7, "There are no two arms with units to compare the sizes of")],
    ids=["nobody", "in one arm alone"],
)
def test_where_there_is_nothing_to_compare_that_is_said_once(site: Site, units: int, note: str) -> None:
    site.add(plain())
    doc = small()
    for scope in (doc["overall"], *doc["segments"]):
        scope["srm"] = one_arm(units)
    site.store(doc)
    said = section(site.get(PAGE), "quality")
    assert f"{note} No e-mail {units}" in said
    assert ".;" not in said
    assert "at one look" not in said
    assert "All groups have the sizes" not in said
    assert ("Nobody has been counted yet." in said) is (units == 0)


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
    found = list(csv.DictReader(io.StringIO(full.get(f"{PAGE}/results.csv").removeprefix("\ufeff"), newline="")))
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
