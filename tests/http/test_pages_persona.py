"""The portrait of a segment: as a page, as a picture that stands on its own, and as a table."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from api.dashboard.persona_drawing import COLUMN, MARGIN, WIDTH, persona_drawing
from api.dashboard.persona_page import PersonaNames, PersonaPage, persona_page
from api.dashboard.stored.customers import read_segment_report
from api.dashboard.text_width import fitted, printable, width_of, wrapped
from experiments.bootstrap import Winnow
from experiments.domain.attribute import Attribute, AttributeType
from segmentation.card.persona import COLUMNS as TABLE_COLUMNS
from tests.http import segment_documents as made
from tests.http.pages_site import MENS, Site, mail

AT = datetime(2026, 11, 22, 6, tzinfo=UTC)
NO_NAMES = PersonaNames(attributes={}, experiments={}, variants={})


@pytest.fixture
def site(winnow: Winnow) -> Site:
    found = Site(winnow)
    found.sign_in("read")
    made.add_segment(winnow, "recent", "Bought lately")
    return found


def page_of(name: str = "Bought lately", **changes: object) -> PersonaPage:
    report = read_segment_report(made.report("recent", AT, persona=made.persona(**changes)))
    assert report.portrait is not None
    return persona_page(name, report, report.portrait, NO_NAMES)


def test_the_page_tells_who_they_are_and_beside_whom(site: Site) -> None:
    site.winnow.author.attributes.create(
        Attribute(key="history", name="Spent in the year before", type=AttributeType.NUMBER), actor="test"
    )
    made.store(site.winnow, "recent", made.report("recent", AT))
    said = site.read("/segments/recent/persona")
    assert "22,393 customers, 35.0% of all 64,000" in said
    assert "zip_code Urban 40.5% of those of whom it is known" in said
    assert "recency 2 half of them between 1 and 3" in said
    assert "Spent in the year before, on average 320.9 here 199.7 everybody else" in said
    assert "channel: Web 62.0% here 40.0% everybody else" in said
    assert "So by definition The segment’s condition asks for it" in said
    assert "Spent per customer (here 1.18 to 1.64) 1.41 here 1.05 all customers" in said
    assert "Nothing has won with them yet." in said


def test_without_a_script_nothing_is_offered_that_needs_one(site: Site) -> None:
    made.store(site.winnow, "recent", made.report("recent", AT))
    page = site.get("/segments/recent/persona")
    assert '<button class="btn btn-act" type="button" hidden data-picture="/segments/recent/persona.svg"' in page
    assert 'download="recent-persona.svg"' in page
    [script] = re.findall(r'<script src="([^"]+)"', page)
    answer = site.client.get(script)
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    policy = site.client.get("/segments/recent/persona").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "blob:" not in policy  # the picture comes from here, and what is saved is no part of a page


def test_content_that_won_has_the_names_that_people_gave_it(site: Site) -> None:
    site.add(mail())
    won = [{"experiment": "mail", "variant": MENS, "lift": 0.693}, {"experiment": "gone", "variant": "b", "lift": 0.1}]
    made.store(site.winnow, "recent", made.report("recent", AT, persona=made.persona(won=won)))
    said = site.read("/segments/recent/persona")
    assert "Men’s e-mail +69.3% Which newsletter for whom?" in said
    assert "b +10.0% gone" in said


def test_of_a_handful_nothing_is_drawn_but_their_number(site: Site) -> None:
    made.store(site.winnow, "recent", made.report("recent", AT, persona=made.persona(units=29, share=0.0005)))
    said = site.read("/segments/recent/persona")
    assert "29 customers, under 0.1% of all 64,000" in said
    assert "Nothing is told of fewer than 30 customers" in said
    for single in ("Urban", "320.9", "1.41", "e-mail"):
        assert single not in said
    picture = site.get("/segments/recent/persona.svg")
    assert "Urban" not in picture


def test_before_there_is_a_portrait_the_page_says_why(site: Site) -> None:
    assert "has not been counted yet" in site.read("/segments/recent/persona")
    assert site.client.get("/segments/recent/persona.svg").status_code == 404
    assert site.client.get("/segments/recent/persona.csv").status_code == 404
    reason = made.undefined("no_profiles", "There are no profiles.")
    made.store(site.winnow, "recent", made.report("recent", AT, card=reason, persona=reason))
    assert "There is no portrait. There are no profiles." in site.read("/segments/recent/persona")


def test_the_picture_is_a_document_of_its_own(site: Site) -> None:
    made.store(site.winnow, "recent", made.report("recent", AT))
    answer = site.client.get("/segments/recent/persona.svg")
    assert answer.mimetype == "image/svg+xml"
    root = ET.fromstring(answer.text)
    assert (root.get("width"), root.get("viewBox")) == ("1000", f"0 0 1000 {root.get('height')}")
    drawn = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert drawn == {"svg", "title", "rect", "text"}  # nothing that is fetched, styled or run
    assert not [name for element in root.iter() for name in element.attrib if name in ("style", "href", "onload")]


def test_hostile_names_stay_words(site: Site) -> None:
    evil = "<script>alert(1)</script>&\"'\x0b"
    hostile = {"attribute": "a", "value": evil, "share": 0.5}
    made.add_segment(site.winnow, "evil", "</title><script>alert(2)</script>")
    made.store(site.winnow, "evil", made.report("evil", AT, persona=made.persona(typical=[hostile])))
    page = site.get("/segments/evil/persona")
    assert "<script>alert" not in page
    root = ET.fromstring(site.get("/segments/evil/persona.svg"))
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert "</title><script>alert(2)</script>" in texts
    assert "<script>alert(1)</script>&\"'" in texts


def test_the_table_has_every_figure_in_full(site: Site) -> None:
    formula = {"attribute": "=1+1", "value": "@home", "share": 0.5}
    made.store(site.winnow, "recent", made.report("recent", AT, persona=made.persona(typical=[formula, made.MONTHS])))
    answer = site.client.get("/segments/recent/persona.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="recent-persona.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert tuple(rows[0]) == TABLE_COLUMNS
    told = {(row["section"], row["name"]): row for row in rows}
    assert told["size", "units"]["inside"] == "22393"
    assert told["typical", "'=1+1"]["value"] == "'@home"
    assert (told["typical", "recency"]["low"], told["typical", "recency"]["high"]) == ("1.0", "3.0")
    assert told["distinguishing", "history"]["elsewhere"] == "199.7"
    assert float(told["distinguishing", "history"]["lift"]) == pytest.approx(320.9 / 199.7 - 1)


def test_nobody_sees_it_who_is_not_signed_in(winnow: Winnow) -> None:
    stranger = Site(winnow)
    for path in ("/segments", "/segments/recent", *(f"/segments/recent/persona{end}" for end in ("", ".svg", ".csv"))):
        answer = stranger.client.get(path)
        assert (answer.status_code, answer.location.startswith("/sign-in")) == (303, True), path


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    drawing = persona_drawing(page_of(distinguishing=[made.WEB], by_definition=[], habits=[], channels=[], typical=[]))
    ground, here, _, there = (box for box in drawing.boxes if box.height == 10)
    assert here.width == pytest.approx(0.62 * ground.width, abs=0.06)
    assert there.width == pytest.approx(0.4 * ground.width, abs=0.06)
    assert (here.x, here.y < there.y) == (ground.x, True)


def test_everything_stays_on_the_sheet_whatever_it_is_called() -> None:
    long = "An unbelievably long name " * 12 + "x" * 300
    one = {"attribute": long, "value": long, "share": 0.5}
    drawing = persona_drawing(
        page_of(long, typical=[one] * 30, distinguishing=[made.trait(long, 0.5, 0.4, 0.3, value=long)])
    )
    for text in drawing.texts:
        width = width_of(text.text, text.size, bold=text.bold)
        left = text.x if text.anchor == "start" else text.x - width
        assert left >= MARGIN - 1, text
        assert left + width <= WIDTH - MARGIN + 1, text
        assert 0 < text.y < drawing.height, text
    columns = [text for text in drawing.texts if text.size < 30 and text.x == MARGIN]
    assert max(width_of(text.text, text.size, bold=text.bold) for text in columns[1:-1]) <= COLUMN
    assert any("22 more" in text.text for text in drawing.texts)


def test_lines_break_between_words_and_end_with_an_ellipsis() -> None:
    width = width_of("one two", 10)
    assert wrapped("one two three", 10, width, most=3) == ("one two", "three")
    assert wrapped("one two three four", 10, width, most=1)[0].endswith("…")
    assert width_of(fitted("word" * 40, 10, 50), 10) <= 50
    assert width_of("日本", 10) == pytest.approx(21)
    assert printable("a\x00b\tc\ufffe\n d") == "ab c d"
