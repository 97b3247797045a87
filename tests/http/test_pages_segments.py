"""The list of segments, the map of all customers, and the card of one segment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from experiments.domain.allocation import Allocation
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.definition import SegmentPlan
from experiments.domain.segment import Segment
from experiments.domain.segment_kind import SegmentKind
from tests.http import segment_documents as made
from tests.http.pages_site import ARMS, Site, mail, segment_plan, text_of

AT = datetime(2026, 1, 5, 6, tzinfo=UTC)
SMALL = {"code": "too_small", "severity": "warning", "sentence": "Too small to test in. It has 40 customers."}
INSIDE = {
    "code": "inside",
    "severity": "info",
    "sentence": "It lies in web: 97% of its customers are there too.",
    "other": "web",
}


@pytest.fixture
def two(site: Site) -> Site:
    made.add_segment(site.winnow, "recent", "Bought lately", {"recency": {"$lte": 3}}, kind=SegmentKind.BEHAVIOURAL)
    made.add_segment(site.winnow, "web", "Buys on the web", {"channel": "Web"})
    return site


def test_an_empty_list_says_how_to_begin(site: Site) -> None:
    said = site.read("/segments")
    assert "No segments yet" in said
    assert "Nothing has been counted yet" in said


def test_the_navigation_leads_there(site: Site) -> None:
    assert '<a href="/segments">Segments</a>' in site.get("/")
    assert '<a href="/segments" aria-current="page">Segments</a>' in site.get("/segments")


def test_a_row_tells_size_value_and_the_worst_doubt(two: Site) -> None:
    doubts = [INSIDE, SMALL, {"code": "unstable", "severity": "warning", "sentence": "Unstable: 20% leave."}]
    made.store(two.winnow, "recent", made.report("recent", AT, doubts=doubts))
    said = two.read("/segments")
    row = said[said.index("Bought lately") :]
    assert "recent · behavioural 22,393 35.0% 1.41 1.18 to 1.64 47.0%" in row
    assert "Too small to test in, and 1 more" in row
    assert "Buys on the web web Not counted yet" in row


def test_an_interval_below_nothing_says_that_hardly_anything_is_known(two: Site) -> None:
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(value=made.worth(2.21, -0.68, 5.1))))
    said = two.read("/segments")
    assert "2.21 up to 5.10: hardly known" in said
    assert "0.68" not in said


def test_of_a_handful_no_money_is_told(two: Site) -> None:
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(units=29, share=29 / 64_000)))
    for page in ("/segments", "/segments/recent"):
        said = two.read(page)
        assert "29" in said
        for figure in ("1.41", "47.0%", "113.70"):
            assert figure not in said, page


def test_an_edited_segment_says_that_its_figures_are_of_before(two: Site) -> None:
    made.store(two.winnow, "recent", made.report("recent", AT), revision=0)
    listed = two.read("/segments")
    assert "Changed since it was counted" in listed
    assert "nothing found" not in listed
    assert "The segment was changed after it was counted" in two.read("/segments/recent")


def test_long_lists_go_on(site: Site) -> None:
    for place in range(51):
        made.add_segment(site.winnow, f"s{place:02}", f"Segment {place}")
    first = site.get("/segments")
    assert "/segments?after=s49" in first
    second = site.read("/segments?after=s49")
    assert "Segment 50" in second
    assert "Segment 49 " not in second
    assert "Nothing has been counted yet" not in second


def test_the_map_and_the_square_have_words_for_those_who_cannot_see_them(two: Site) -> None:
    overlap = made.overlap({"recent": "Bought lately", "web": "Buys on the web"}, [100, 200], [[100, 50], [50, 200]])
    made.store_customers(two.winnow, made.customers(AT, overlap=overlap))
    page = two.get("/segments")
    assert "Of Bought lately, 50% are in Buys on the web too: 50 customers" in page
    assert re.search(r'<desc id="rfm-wide-desc">.*400 customers \(30.5% of all\), each spent 30.00', page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for svg in re.findall(r"<svg[^>]*>", page):
        assert 'aria-hidden="true"' in svg or ('role="img"' in svg and "aria-labelledby" in svg)
    assert "Counted 5 Jan 2026, 06:00 UTC (3 hours ago)" in two.read("/segments")


@pytest.mark.parametrize(("columns", "hinted"), [(3, False), (4, True)])
def test_a_square_that_is_wider_than_a_telephone_says_so(two: Site, columns: int, hinted: bool) -> None:
    names = {f"s{place}": f"Segment {place}" for place in range(columns)}
    both = [[100 if row == column else 40 for column in range(columns)] for row in range(columns)]
    made.store_customers(two.winnow, made.customers(AT, overlap=made.overlap(names, [100] * columns, both)))
    assert (f"Move the table sideways to see all {columns} columns." in two.read("/segments")) is hinted


def test_parts_of_named_groups_are_of_those_who_bought(two: Site) -> None:
    made.store_customers(two.winnow, made.customers(AT))
    made.store(two.winnow, "recent", made.report("recent", AT))
    html = two.get("/segments")
    segments, _, groups = html.partition("Named groups")
    assert "Part of all customers" in segments
    assert groups.count("Part of all who bought") > 1
    assert "Part of all customers" not in groups


def test_what_is_not_known_of_everybody_is_said(two: Site) -> None:
    missing = made.undefined("not_followed", "No purchases are followed.")
    made.store_customers(two.winnow, made.customers(AT, rfm=missing))
    said = two.read("/segments")
    assert "There is no map of customers. No purchases are followed." in said
    assert "There are no segments." in said


def test_of_a_handful_in_another_segment_no_share_is_told(two: Site) -> None:
    shared = [{"other": "web", "both": 7, "jaccard": 0.0003, "share_of_this": 0.0003, "share_of_other": 0.5}]
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(overlaps=shared)))  # half of 14
    said = two.read("/segments/recent")
    assert "Buys on the web under 30 customers under 1% too few to say" in said
    assert "50%" not in said


def test_with_a_segment_that_cannot_be_counted_nothing_is_known_to_be_shared(two: Site) -> None:
    nobody = made.undefined("no_units", "Nobody is in this segment.")
    empty = {"both": 0, "jaccard": 0.0, "share_of_this": 0.0, "share_of_other": nobody}
    overlaps = [*made.card()["overlaps"], {**empty, "other": "odd"}]
    uncountable = made.undefined("unregistered", "Its condition looks at what no profile can have.")
    made.add_segment(two.winnow, "odd", "Odd")
    made.store(two.winnow, "odd", made.report("odd", AT, card=uncountable, persona=uncountable))
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(overlaps=overlaps)))
    assert "With 1 it shares nobody. With 1 it is not known." in two.read("/segments/recent")
    made.store(two.winnow, "web", made.report("web", AT, card=made.card(overlaps=overlaps[2:])))
    said = two.read("/segments/web")
    assert "With 1 it is not known." in said
    assert "There is no other segment" not in said
    assert "With none" not in said


def test_a_card_in_words(two: Site) -> None:
    two.winnow.author.attributes.create(
        Attribute(key="recency", name="Months since the last purchase", type=AttributeType.NUMBER), actor="test"
    )
    made.store(two.winnow, "recent", made.report("recent", AT, doubts=[INSIDE, SMALL]))
    said = two.read("/segments/recent")
    assert "22,393 customers, 35.0% of all 64,000" in said
    assert "Months since the last purchase is at most 3 (or is not known)" in said
    assert "Spent per customer 1.41 1.18 to 1.64" in said
    assert "Part of all revenue 47.0% each spends 1.3 times what all customers do" in said
    assert "Lies in “Buys on the web” 97% of its customers are there too. Look at it" in said
    assert "Can it be tested in? Only for large effects. In 4 weeks, with 11,196 customers" in said
    assert "1 week 2,799 none, however large" in said
    assert "4 weeks 11,196 +16.2% or more" in said
    assert "history, on average 320.9 199.7 small, more here" in said
    assert "So by definition the condition asks for it, so it is no discovery" in said
    assert "Not known. The first week is not over." in said
    assert "Buys on the web 9,344 customers 42% 33%" in said
    assert "With 1 it shares nobody." in said
    assert "13% of them were seen in no channel." in said
    assert "e-mail 15,658 70% as among all customers" in said
    assert "None yet." in said


def test_weeks_are_drawn_in_two_widths(two: Site) -> None:
    stability = {
        "weeks": made.weeks(AT - timedelta(weeks=2), (1_000, 200, 100), (1_100, 50, 150)),
        "entering": 0.12,
        "leaving": 0.119,
    }
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(stability=stability)))
    page, said = two.get("/segments/recent"), two.read("/segments/recent")
    assert page.count('class="came"') == 4
    assert "Over 2 weeks, 12% of its customers left in a week, and newcomers were 12% of its size." in said
    assert "Week from 22 Dec 2025: 1,000 at its beginning, 200 came, 100 left, 1,100 at its end." in said


def test_a_segment_that_can_be_tested_in(two: Site) -> None:
    made.store(two.winnow, "recent", made.report("recent", AT))
    assert "Can it be tested in? Yes." in two.read("/segments/recent")


@pytest.mark.parametrize("part", ["units_needed", "shown"])
@pytest.mark.parametrize("doubts", [[], [SMALL]], ids=["said-now", "stored-before"])
def test_what_nobody_knows_is_neither_yes_nor_no(two: Site, part: str, doubts: list[made.Doc]) -> None:
    reason = made.undefined("out_of_range", "The metric cannot have that value.")
    nobody = [{**one, "units": 0, "lift": reason} for one in made.OUTLOOK["shown"]]
    outlook = {**made.OUTLOOK, part: nobody if part == "shown" else reason}
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(testability=outlook), doubts=doubts))
    said = two.read("/segments/recent")
    if part == "shown":
        assert "none, however large" not in said
        assert "1 week 0 not known" in said
    if part == "units_needed" or not doubts:
        assert "Can it be tested in? Not known." in said


@pytest.mark.parametrize(
    ("part", "reason", "said"),
    [
        ("value", made.NO_PURCHASES, "What they are worth Not known. No purchase is known of these weeks."),
        ("reached", made.NO_CHANNELS, "Not known. By which channels they are reached is not kept."),
        ("testability", made.NO_TRAFFIC, "Can it be tested in? Not known. Nobody was exposed in these weeks."),
    ],
)
def test_what_is_not_known_is_said(two: Site, part: str, reason: made.Doc, said: str) -> None:
    made.store(two.winnow, "recent", made.report("recent", AT, card=made.card(**{part: reason})))
    assert said in two.read("/segments/recent")


def test_a_card_that_could_not_be_made_says_why(two: Site) -> None:
    reason = made.undefined("no_profiles", "There are no profiles.")
    made.store(two.winnow, "recent", made.report("recent", AT, card=reason, persona=reason))
    assert "There are no profiles." in two.read("/segments/recent")
    assert "There are no profiles." in two.read("/segments")


def test_commands_in_sentences_are_code(two: Site) -> None:
    reason = made.undefined("no_profiles", "No <b>profiles</b>: `winnow import customers FILE` takes them over.")
    made.store(two.winnow, "recent", made.report("recent", AT, card=reason, persona=reason))
    for page in ("/segments", "/segments/recent", "/segments/recent/persona"):
        html = two.get(page)
        assert "No &lt;b&gt;profiles&lt;/b&gt;: <code>winnow import customers FILE</code> takes them over." in html
        assert "`" not in text_of(html)


def test_without_figures_and_doubts_there_is_no_label_without_words(two: Site) -> None:
    html = two.get("/segments")
    assert "Not counted yet" in html
    assert 'data-label=""' not in html
    assert 'data-label="What is doubtful"></td>' not in html


def test_before_the_first_count_there_is_the_condition(two: Site) -> None:
    said = two.read("/segments/web")
    assert "has not been counted yet" in said
    assert "channel is “Web”" in said


def test_experiments_that_use_it_say_whether_it_is_the_same(two: Site) -> None:
    def plan(segment: Segment) -> SegmentPlan:
        weights = dict.fromkeys(ARMS, 1)
        return SegmentPlan(segment=segment, weights=weights, allocation=Allocation.from_weights(weights))

    live = two.winnow.author.segments.get("recent").value
    old = Segment(key="web", name="Buys on the web", condition={"channel": "web"})
    two.add(mail(segments=(plan(live), plan(old), segment_plan("everyone", ""))))
    assert "Which newsletter for whom? Running since 5 Jan 2026" in two.read("/segments/recent")
    assert "Running since 5 Jan 2026, with an earlier form of the segment" in two.read("/segments/web")


def test_hostile_names_stay_words(site: Site) -> None:
    evil = "<script>alert(1)</script>"
    made.add_segment(site.winnow, "evil", evil, {"a": evil}, description=evil)
    card = made.card(traits=[made.trait(evil, 0.5, 0.4, 0.3, value=evil)], overlaps=[])
    doubt = {"code": evil, "severity": evil, "sentence": evil}
    made.store(site.winnow, "evil", made.report("evil", AT, card=card, doubts=[doubt], notes=[evil]))
    overlap = made.overlap({"evil": evil, "more": evil}, [100, 200], [[100, 50], [50, 200]])
    groups = [made.group(evil, 100, 100, 0.1, 0.1)]
    made.store_customers(site.winnow, made.customers(AT, overlap=overlap, rfm=made.rfm(groups=groups)))
    for path in ("/segments", "/segments/evil"):
        assert "<script>alert" not in site.get(path)


def test_a_segment_that_is_not_there(site: Site) -> None:
    assert "There is nothing here" in site.read("/segments/nothing", 404)


def test_nothing_is_styled_or_run_in_line(two: Site) -> None:
    made.store(two.winnow, "recent", made.report("recent", AT))
    for path in ("/segments", "/segments/recent", "/segments/recent/persona"):
        page = two.get(path)
        assert " style=" not in page, path
        assert not re.search(r"<script(?![^>]* src=)", page), path


def test_no_name_turns_our_sentences_around(site: Site) -> None:
    """After U+202E browsers write from right to left: "at least -200" was read as "002- tsael ta"."""
    attribute = Attribute(key="spent", name="\u202eספר\u2066", type=AttributeType.NUMBER)
    site.winnow.author.attributes.create(attribute, actor="t")
    made.add_segment(site.winnow, "big", "\u202dGroß\u202e", {"spent": {"$gte": -200}})
    made.store(site.winnow, "big", made.report("big", AT))
    for path in ("/segments", "/segments/big", "/segments/big/persona"):
        page = site.get(path)
        assert "Groß" in page
        assert not {"\u202d", "\u202e", "\u2066"} & set(page)
    assert "ספר" in site.get("/segments/big")
