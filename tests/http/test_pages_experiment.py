"""The page of one experiment: what it says, in which order, and what it never says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from experiments.domain.definition import Variant
from experiments.domain.policy import AnalysisPlan, StoppingRule
from tests.http.pages_site import (
    CONTROL,
    EARLY,
    MENS,
    TIED,
    WOMENS,
    WON,
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
    text_of,
)

PAGE = "/experiments/mail"

SRM = finding("srm", "critical", "SRM in segment Bought men’s goods: 47.6% in No e-mail, expected 50%")

MIXED = finding("mixed_exposures", "warning", "37 customers (2%) saw more than one variant; they are left out")

HOSTILE = "</title></svg><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def test_the_top_says_what_it_is_how_it_stands_and_how_fresh(judged: Site) -> None:
    page = judged.read(PAGE)
    for words in (
        "Which newsletter for whom? Running",
        "Data up to 5 Jan 2026, 08:48 UTC; 64,000 customers",
        "(12 minutes ago)",
        "Running since 5 Jan 2026, owned by Ada",
        "Likes are liked.",
    ):
        assert words in page


def test_warnings_come_before_verdicts_worst_first(site: Site) -> None:
    site.add(mail())
    site.store(mail_report(findings=[MIXED], men={"findings": [SRM]}))
    page = site.read(PAGE)
    found = stand(
        page,
        "Before you read on",
        "Do not trust: The groups do not have the sizes they should have",
        "Warning: Some saw more than one variant",
        "Note: Not enough data for a verdict yet",
        "What won, and for whom",
        WON,
        "The figures",
        "What went live",
    )
    assert found == sorted(found)


def test_a_warning_says_what_was_seen_what_it_means_and_where(site: Site) -> None:
    site.add(mail())
    site.store(mail_report(men={"findings": [SRM]}))
    page = site.read(PAGE)
    assert "The groups do not have the sizes they should have Bought men’s goods" in page
    assert "SRM in segment Bought men’s goods: 47.6% in No e-mail, expected 50%." in page
    assert "Do not act on these numbers" in page
    assert "Some of these numbers cannot be trusted; see the warnings at the top." in page


def test_a_finding_without_words_of_ours_speaks_for_itself(site: Site) -> None:
    site.add(plain())
    site.store(small(findings=[finding("brand_new", "warning", "something is odd")]))
    assert "Warning: Something is odd" in site.read(PAGE)


def test_what_a_segment_and_the_total_share_is_said_once(site: Site) -> None:
    site.add(mail())
    doc = mail_report(men={"findings": [SRM]})
    doc["overall"]["findings"] = [finding("srm", "critical", "SRM in all segments together")]
    site.store(doc)
    assert site.read(PAGE).count("The groups do not have the sizes they should have") == 1


def test_verdicts_are_sentences_with_a_status_in_words(judged: Site) -> None:
    page = judged.read(PAGE)
    found = stand(
        page,
        "Bought men’s goods 28,818 customers Winner: Men’s e-mail " + WON,
        "Bought women’s goods 28,734 customers Tie " + TIED,
        "Everyone else Whoever is in no other segment · 5 customers Too early " + EARLY,
        "All segments together Tie Both beat No e-mail.",
        "What does this mean?",
    )
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("outcome", "leaders", "word"),
    [
        ("winner", [], "Winner"),
        ("tied", [MENS, WOMENS], "Tie"),
        ("undecided", [MENS], "Ahead, not decided"),
        ("too_early", [], "Too early"),
        ("control_wins", [], "Control wins"),
        ("untrustworthy", [], "Do not trust"),
    ],
)
def test_every_outcome_has_a_word_an_icon_and_a_colour(site: Site, outcome: str, leaders: list[str], word: str) -> None:
    site.add(plain())
    site.store(small(outcome, "So it is.", leaders=leaders))
    badge = re.search(
        r'<span class="badge-outcome tone-(\w+)">(<svg.*?</svg>)<span>([^<]+)</span>', site.get(PAGE), re.S
    )
    assert badge is not None
    assert badge[1] == ("ahead" if leaders == [MENS] else outcome)
    assert badge[3] == word


def test_undecided_without_any_conclusion_says_no_difference_shown_yet(site: Site) -> None:
    site.add(plain())
    visits = metric_report(
        "visit", {CONTROL: (900, 0.1), MENS: (900, 0.11)}, [comparison(MENS, 0.1, (-0.2, 0.5), p=0.4)]
    )
    one = scope("everyone", "undecided", "No winner yet.", [visits])
    site.store(report([one], {**one, "segment": None}))
    page = site.read(PAGE)
    assert "No difference shown yet No winner yet." in page
    assert "Not shown yet (adjusted p = 0.40)" in page


def test_undecided_with_a_loser_does_not_say_that_there_is_no_difference(site: Site) -> None:
    site.add(plain())
    visits = metric_report(
        "visit",
        {CONTROL: (900, 0.1), MENS: (900, 0.05), WOMENS: (900, 0.1)},
        [comparison(MENS, -0.5, (-0.6, -0.3)), comparison(WOMENS, 0.0, (-0.2, 0.2), p=0.9)],
    )
    one = scope("everyone", "undecided", "Men’s e-mail does worse.", [visits])
    site.store(report([one], {**one, "segment": None}))
    page = site.read(PAGE)
    assert "No winner yet Men’s e-mail does worse." in page
    assert "No difference shown yet Men’s e-mail" not in page
    assert "Worse (adjusted p < 0.0001)" in page.replace("\N{NO-BREAK SPACE}", " ")


def test_guardrails_stand_in_the_verdict_and_in_their_section(judged: Site) -> None:
    page = judged.read(PAGE)
    assert "Guardrail Returns with Men’s e-mail: safe" in page
    assert "Guardrail Returns with Women’s e-mail: harmed beyond the margin" in page
    assert "guardrail: harmed" in page
    section = judged.read(f"{PAGE}?metric=returns")
    assert "A guardrail: whoever wins, it must not rise by more than 5%." in section
    assert "Safe: harm beyond the margin is ruled out" in section
    assert "Harmed beyond the margin" in section


@pytest.mark.parametrize(
    ("planned", "severity", "told"),
    [
        pytest.param(64_001, "warning", "64,000 of the 64,001 customers that were planned are in.", id="early"),
        pytest.param(64_001, "info", "It ended with 64,000 of the 64,001 customers", id="ended before its time"),
        pytest.param(64_000, "info", "All 64,000 customers that were planned are in.", id="at its end"),
    ],
)
def test_before_the_one_look_that_was_planned_nobody_is_called_a_winner(
    site: Site, planned: int, severity: str, told: str
) -> None:
    site.add(mail(analysis=AnalysisPlan(stopping_rule=StoppingRule.FIXED_HORIZON)))
    look, is_early = finding("single_look", severity, "One look."), severity == "warning"
    site.store(mail_report(stopping_rule="fixed_horizon", tuned_for_units=planned, findings=[look]))
    page, listed = site.read(PAGE), site.read("/")
    assert told in page
    assert ("Better (adjusted" in page) == (not is_early)
    assert ("Ahead so far" in page, "So far, and not to be acted on:" in page) == (is_early, is_early)
    assert ("Winner: " in page, "Not before its end" in listed) == (not is_early, is_early)
    assert ("Note: This experiment was planned for one look" in page) == (planned == 64_000)


def test_nothing_is_concluded_where_nothing_can_be_trusted(site: Site) -> None:
    site.add(mail())
    site.store(
        mail_report(men={"verdict": {"outcome": "untrustworthy", "variant": None, "leaders": [], "sentence": "No."}})
    )
    men = site.read(PAGE).split("What may be concluded")[1].split("Bought women’s goods")[0]
    assert "Cannot be trusted" in men
    assert "Better" not in men


def test_before_the_first_analysis_the_split_is_shown_and_no_number(site: Site) -> None:
    site.add(mail())
    page = site.read(PAGE)
    assert "There are no results yet." in page
    assert "No data yet Its first numbers come with the next analysis." in page
    assert "33.3% Men’s e-mail" in page
    assert "The figures" not in page


def test_a_draft_shows_nothing_to_anybody(site: Site) -> None:
    site.add(mail(), running=False)
    page = site.read(PAGE)
    assert "Draft, created 5 Jan 2026" in page
    assert "Not started: nothing is shown yet." in page


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("pause", "Paused: everybody sees No e-mail for the time being."),
        ("stop", "Stopped: everybody sees No e-mail."),
    ],
)
def test_what_is_live_follows_the_state(judged: Site, step: Any, words: str) -> None:
    judged.winnow.author.step("mail", step, actor="test")
    assert words in judged.read(PAGE)


def test_an_archived_experiment_is_still_readable(judged: Site) -> None:
    for step in ("stop", "archive"):
        judged.winnow.author.step("mail", step, actor="test")
    page = judged.read(PAGE)
    assert "Ran from 5 Jan 2026 to 5 Jan 2026" in page
    assert "Archived: nothing is shown any more." in page


def test_the_only_segment_is_everyone_and_not_everyone_else(site: Site) -> None:
    site.add(plain())
    site.store(small())
    page = site.read(PAGE)
    assert "Everyone 28,734 customers" in page
    assert "All segments together" not in page


def test_hostile_names_are_only_words_in_markup_and_in_the_plot(site: Site) -> None:
    variants = (
        Variant(key=CONTROL, name=HOSTILE, is_control=True),
        Variant(key=MENS, name=HOSTILE),
        Variant(key=WOMENS, name=HOSTILE),
    )
    plans = (segment_plan("men", HOSTILE, description=HOSTILE), segment_plan("everyone", ""))
    site.add(mail(name=HOSTILE, hypothesis=HOSTILE, owner=HOSTILE, variants=variants, segments=plans))
    doc = mail_report(men={"findings": [finding("odd", "critical", HOSTILE)]})
    doc["segments"][0]["verdict"]["sentence"] = HOSTILE
    site.store({**doc, "segments": [doc["segments"][0], doc["segments"][2]]})
    page = site.get(PAGE)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("</svg>") == page.count("<svg")
    assert HOSTILE in text_of(page)


def test_no_page_needs_scripts_styles_of_its_own_or_the_internet(judged: Site) -> None:
    for path in ("/", PAGE, f"{PAGE}/snapshots", "/sign-in", "/nowhere"):
        html = judged.client.get(path).text
        assert "<script" not in html
        assert not re.search(r"<[^>]+\s(style|on\w+)=", html)
        assert not re.search(r"(href|src)=\"(https?:)?//", html)


@pytest.mark.parametrize(
    "path",
    ["/experiments/nobody", "/experiments/nobody/snapshots", "/experiments/nobody/results.csv", "/nowhere/at/all"],
)
def test_what_does_not_exist_is_a_page_that_says_so(site: Site, path: str) -> None:
    page = site.get(path, 404)
    assert "There is nothing here" in page
    assert 'class="wordmark"' in page


def test_machines_get_their_problem_document_and_not_a_page(site: Site) -> None:
    response = site.client.get("/v1/nowhere")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")
