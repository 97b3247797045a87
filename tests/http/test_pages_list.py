"""The list of experiments."""

from __future__ import annotations

from datetime import timedelta

from experiments.domain.definition import Variant
from tests.http.pages_site import FEW, Site, finding, mail, mail_report, plain, small, text_of

SRM = finding("srm", "critical", "SRM in segment Bought men’s goods: 47.6% in No e-mail, expected 50%")
MIXED = finding("mixed_exposures", "warning", "37 customers (2%) saw more than one variant")


def test_an_empty_list_says_how_to_begin(site: Site) -> None:
    assert "No experiments yet" in site.read("/")


def test_where_the_control_wins_it_is_not_too_early(site: Site) -> None:
    site.add(mail())
    doc = mail_report()
    for one in doc["segments"][:2]:
        one["verdict"] = {**one["verdict"], "outcome": "control_wins", "variant": None, "leaders": []}
    site.store(doc)
    page = site.read("/")
    assert "No e-mail stays best in 2 of 3 segments" in page
    assert "No winner yet" not in page


def test_segments_with_nobody_in_them_are_not_counted(site: Site) -> None:
    site.add(mail())
    doc = mail_report()
    doc["segments"][2]["units"] = 0
    site.store(doc)
    assert "Winner in 1 of 2 segments" in site.read("/")
    doc["segments"][1]["units"] = 0
    site.store(doc)
    assert "Winner in 1 of" not in site.read("/")
    assert "Winner 64,000 customers" in site.read("/")


def test_the_list_is_in_the_header(site: Site) -> None:
    site.add(mail())
    assert '<a href="/" aria-current="page">Experiments</a>' in site.get("/")
    assert '<a href="/">Experiments</a> <a href="/segments">Segments</a> <a href="/inbox"' in site.get(
        "/experiments/mail"
    )


def test_a_row_tells_state_size_winners_and_freshness(site: Site) -> None:
    site.add(mail())
    site.store(mail_report(), at=site.winnow.clock() - timedelta(minutes=12))
    page = site.read("/")
    for words in (
        "Which newsletter for whom?",
        "mail",
        "Running",
        "since 5 Jan 2026",
        "Winner in 1 of 3 segments",
        "64,000 customers",
        "Data up to 5 Jan 2026, 08:48 UTC",
        "12 minutes ago",
    ):
        assert words in page


def test_what_has_not_started_or_has_no_results_says_so(site: Site) -> None:
    site.add(plain(key="draft", name="Idea"), running=False)
    page = site.read("/")
    assert "Draft created 5 Jan 2026" in page
    assert "No results yet" in page


def test_a_lone_segment_is_told_by_its_outcome(site: Site) -> None:
    site.add(plain())
    site.store(small("control_wins"))
    assert "Control wins" in site.read("/")


def test_the_worst_warning_stands_in_the_row_and_notes_do_not(site: Site) -> None:
    site.add(mail())
    site.store(mail_report(findings=[MIXED], men={"findings": [SRM]}))
    page = site.read("/")
    assert "Do not trust: The groups do not have the sizes they should have (Bought men’s goods) and 1 more" in page
    assert "Not enough data" not in page
    assert FEW[0]["message"] not in page


def test_old_data_of_a_running_experiment_are_a_warning(site: Site) -> None:
    site.add(mail())
    site.store(mail_report(), at=site.winnow.clock() - timedelta(days=3))
    assert "Warning: These results are old" in site.read("/")


def test_a_stopped_experiment_cannot_get_old(site: Site) -> None:
    site.add(mail())
    site.winnow.author.step("mail", "stop", actor="test")
    site.store(mail_report(), at=site.winnow.clock() - timedelta(days=3))
    assert "These results are old" not in site.read("/")


def test_long_lists_are_walked_page_by_page(site: Site) -> None:
    for number in range(25):
        site.add(plain(key=f"e{number:02}", name=f"Number {number:02}"))
    first = site.get("/")
    assert first.count('class="panel experiment-row"') == 20
    assert 'href="/?after=e19"' in first
    second = site.get("/?after=e19")
    assert "Number 20" in second
    assert "Number 19" not in second
    assert "Next page" not in second
    assert "That was the last one" in site.read("/?after=e24")


def test_hostile_names_are_only_words(site: Site) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    variants = (Variant(key="none", name=hostile, is_control=True), Variant(key="mens", name=hostile))
    site.add(plain(name=hostile, variants=(*variants, Variant(key="womens", name=hostile))))
    page = site.get("/")
    assert "<script" not in page
    assert "<img" not in page
    assert hostile in text_of(page)
