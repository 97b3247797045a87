"""`winnow segments`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.bootstrap import build
from experiments.domain.segment import Segment
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import TEMPLATES
from experiments.settings import Settings
from tests.unit.commands.test_cli import Winnow


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


def test_templates_are_listed_with_their_blanks(winnow: Winnow) -> None:
    told = winnow("segments", "templates").stdout
    assert [key for key in TEMPLATES if key not in told] == []
    few = winnow("segments", "templates", "--kind", "list").stdout
    assert "on_list" in few
    assert "values=…" in few
    assert "[attribute=lists]" in few
    assert "age_between" not in few


def test_one_template_is_described(winnow: Winnow) -> None:
    told = winnow("segments", "templates", "recommends").stdout
    assert "promoters | passives | detractors" in told
    assert '{"nps": {"$exists": true, "$gte": 0, "$lte": 6}}' in told


def test_a_condition_is_made(winnow: Winnow) -> None:
    made = winnow("segments", "make", "bought_from", "attribute=womens", "without=mens")
    assert json.loads(made.stdout) == {"womens": {"$in": [True, 1]}, "mens": {"$in": [False, 0]}}


def test_what_is_wrong_is_told(winnow: Winnow) -> None:
    refused = winnow("segments", "make", "agrees", "least=400")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("winnow: parameter_out_of_range: least is between -100 and 100.")
    assert winnow("segments", "make", "agrees", "least").exit_code == 2


def test_a_segment_is_stored_with_its_kind(winnow: Winnow, sqlite_url: str) -> None:
    saved = winnow("segments", "make", "bought_within", "most=3", "--save", "recent", "--name", "Recent")
    told = "Segment recent is stored.\n`winnow segments card recent` tells whether it can be tested in.\n"
    doubt = "info: It looks at recency, which no profile has: only requests can bring it, and nobody can be counted.\n"
    assert (saved.exit_code, saved.stderr) == (0, told + doubt)
    twin = winnow("segments", "make", "bought_within", "most=3", "--save", "twin").stderr
    assert twin.splitlines()[2] == "warning: The same as recent: both have the same condition."
    stored = build(Settings(database_url=sqlite_url)).author.segments.get("recent").value
    assert stored == Segment(
        key="recent",
        name="Recent",
        condition={"recency": {"$exists": True, "$lte": 3}},
        description="Customers whose last purchase is at most so long ago: recency is known and is at most 3.",
        kind=SegmentKind.BEHAVIOURAL,
    )
    winnow("segments", "make", "these_customers", "values=c1,c2", "--save", "vips")
    listed = build(Settings(database_url=sqlite_url)).author.segments.get("vips").value
    assert listed.description == TEMPLATES["these_customers"].sentence
    again = winnow("segments", "make", "bought_within", "most=3", "--save", "recent")
    assert again.stderr.startswith("winnow: segment_exists")
