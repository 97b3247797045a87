"""The table of an experiment's page and its plot: values, intervals, conclusions, and the metric that is chosen."""

from __future__ import annotations

import re
from copy import deepcopy

from experiments.domain.definition import Variant
from experiments.domain.policy import AnalysisPlan, StoppingRule
from tests.http.pages_site import (
    CONTROL,
    EARLY,
    MENS,
    NO_INTERVAL,
    Site,
    comparison,
    finding,
    mail,
    mail_report,
    metric_report,
    plain,
    report,
    scope,
    segment_plan,
    small,
    stand,
    tag,
    text_of,
)

PAGE = "/experiments/mail"


def test_the_table_has_every_arm_with_value_lift_interval_and_conclusion(judged: Site) -> None:
    page = judged.read(PAGE).replace("\N{NO-BREAK SPACE}", " ")
    found = stand(
        page,
        "Variant Customers Rate Lift Interval What may be concluded Bought men’s goods 28,818 customers",
        "No e-mail (control) 9,638 9.98% –",
        "Men’s e-mail 9,558 16.9% +69.3% between +50.8% and +90.1% Better (adjusted p < 0.0001)",
        "Women’s e-mail 9,622 11.1% +11.1% between −2.3% and +26.3% Not shown yet (adjusted p = 0.21)",
        "Variants against each other",
        "Men’s e-mail against Women’s e-mail +52.4% between +41.0% and +66.0% Better",
    )
    assert found == sorted(found)


def test_numbers_that_do_not_exist_are_reasons_and_never_zero(judged: Site) -> None:
    assert "Men’s e-mail 2 50.0% 0.0% Fewer than two customers. Too early to judge" in judged.read(PAGE)


def test_a_metric_is_chosen_by_a_link_and_needs_no_script(judged: Site) -> None:
    html = judged.get(PAGE)
    assert [*tag(html, r'href="([^"]+metric=[^"]+)"')] == [
        f"{PAGE}?metric={key}#figures" for key in ("visit", "spend", "returns")
    ]
    page = judged.read(f"{PAGE}?metric=spend")
    assert "Spend: lift against No e-mail For orientation: it should go up" in page
    assert "Women’s e-mail 9,622 1,234 +40.0%" in page
    assert "For orientation" in page
    assert "Better (adjusted" not in page.split("Spend: lift against")[1]


def test_an_unknown_metric_falls_back_to_the_one_that_decides(judged: Site) -> None:
    assert "Visits: lift against No e-mail" in judged.read(f"{PAGE}?metric=nonsense")


def test_a_metric_to_be_lowered_has_its_better_side_on_the_left(judged: Site) -> None:
    assert "← better" in judged.get(f"{PAGE}?metric=returns")
    assert "better →" in judged.get(PAGE)


def test_the_plot_is_described_and_stands_where_arithmetic_puts_it(site: Site) -> None:
    site.add(plain())
    visits = metric_report("visit", {CONTROL: (900, 0.1), MENS: (900, 0.11)}, [comparison(MENS, 0.1, (0.05, 0.15))])
    one = scope("everyone", "winner", "So it is.", [visits], variant=MENS, leaders=[MENS], units=1800)
    site.store(report([one], {**one, "segment": None}))
    svg = re.search(r'<svg class="plot forest forest-wide".*?</svg>', site.get(PAGE), re.S)
    assert svg is not None
    # Axis 0 to 15% on 230 to 700 pixels.
    assert '<line class="whisker" x1="386.7" y1="78.0" x2="700.0" y2="78.0"/>' in svg[0]
    assert '<circle class="point" cx="543.3" cy="78.0" r="5"/>' in svg[0]
    assert '<line class="zero" x1="230.0"' in svg[0]
    assert 'role="img" aria-labelledby="forest-wide-title forest-wide-desc"' in svg[0]
    assert "Everyone. Men’s e-mail: +10.0%, +5.0% to +15.0%." in text_of(svg[0])


def test_under_fixed_horizon_the_planned_interval_is_shown_and_early_looks_are_warned_of(site: Site) -> None:
    site.add(mail(analysis=AnalysisPlan(stopping_rule=StoppingRule.FIXED_HORIZON)))
    early = finding("single_look", "warning", "Only 64,000 of the 64,001 planned customers are in.")
    site.store(mail_report(stopping_rule="fixed_horizon", tuned_for_units=64_001, findings=[early]))
    page = site.read(PAGE)
    assert "Warning: This experiment was planned for one look, at its end 64,000 of the 64,001 customers" in page
    assert "Lines are 95% intervals that hold for all comparisons together, at the one look that was planned." in page
    assert "One look only" in page
    spend = site.read(f"{PAGE}?metric=spend")
    assert "between +1.6% and +373.6%" in spend
    assert "between +0.60% and +374.6%" not in spend
    assert "Lines are 95% intervals for the one look that was planned." in spend


def test_the_deciding_metric_shows_the_intervals_that_its_verdict_rests_on(site: Site) -> None:
    """Of the family, not the narrower one of the comparison alone; rates that mix splits carry a caution."""
    document = deepcopy(small(findings=[finding("pooled_over_epochs", "info", "compare by the lift")]))
    row = document["segments"][0]["metrics"][0]["comparisons"][0]
    row["lift_in_family"] = {"low": 0.123, "high": {"undefined": "not_finite", "message": "Too large."}, "level": 0.99}
    row = document["segments"][0]["metrics"][0]["comparisons"][1]
    row["lift_in_family"] = {"low": 0.456, "high": 0.987, "level": 0.99, "method": "any"}
    site.add(plain())
    site.store(document)
    page = site.read(PAGE)
    assert "Lines are 95% intervals that hold for all comparisons together, at every look." in page
    assert "between +45.6% and +98.7%" in page
    assert "between +57.5% and +99.4%" not in page
    assert "Compare by the lift." in page


def test_many_segments_and_treatments_all_have_their_row(site: Site) -> None:
    treatments = [f"t{number}" for number in range(5)]
    arms = [CONTROL, *treatments]
    segments = [f"s{number:02}" for number in range(12)]
    variants = [Variant(key=arm, name=f"Teaser {arm}", is_control=arm == CONTROL) for arm in arms]
    plans = [segment_plan(key, f"Market {key}", arms) for key in segments]
    site.add(plain(variants=tuple(variants), segments=(*plans, segment_plan("everyone", "", arms))))
    visits = metric_report(
        "visit", dict.fromkeys(arms, (900, 0.1)), [comparison(t, 0.1, (-0.1, 0.3)) for t in treatments]
    )
    scopes = [scope(key, "undecided", "Not yet.", [visits]) for key in (*segments, "everyone")]
    site.store(report(scopes, {**scopes[0], "segment": None}))
    html = site.get(PAGE)
    wide = re.search(r'<svg class="plot forest forest-wide".*?</svg>', html, re.S)
    assert wide is not None
    assert wide[0].count('<circle class="point"') == 14 * 5
    assert html.count('<article class="panel verdict') == 13


def test_a_plot_without_any_interval_says_why(site: Site) -> None:
    site.add(plain())
    visits = metric_report("visit", {CONTROL: (1, 0.0), MENS: (1, 0.0)}, [comparison(MENS, 0.0, None, p=NO_INTERVAL)])
    one = scope("everyone", "too_early", EARLY, [visits], units=2)
    site.store(report([one], {**one, "segment": None}))
    svg = re.search(r'<svg class="plot forest forest-wide".*?</svg>', site.get(PAGE), re.S)
    assert svg is not None
    assert "Fewer than two customers." in text_of(svg[0])
    assert 'class="zero"' not in svg[0]
