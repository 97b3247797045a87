"""What an adaptive split gained and cost, as the page says it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.allocation import Allocation
from tests.http.full_report import full_report
from tests.http.pages_site import CONTROL, MENS, WOMENS, Site, mail, text_of

MOVED = Allocation.from_weights({CONTROL: 1, MENS: 2, WOMENS: 1})
UNDEFINED = {"undefined": "too_few_units", "message": "No batch yet."}
GAINED = {
    "gained": {"value": 156.04, "always_valid": {"low": -12.5, "high": 324.0, "level": 0.95, "method": "m"}},
    "costs": [
        {"treatment": MENS, "baseline": "no_mail", "units_missing": 0.622},
        {"treatment": WOMENS, "baseline": "no_mail", "units_missing": -0.031},
    ],
}
NOTHING = {
    "gained": {"value": UNDEFINED, "always_valid": UNDEFINED},
    "costs": [{"treatment": MENS, "baseline": "no_mail", "units_missing": UNDEFINED}],
}


@pytest.fixture
def site(winnow: Winnow) -> Site:
    made = Site(winnow)
    made.sign_in("read")
    men, *others = mail().segments
    made.add(mail(segments=(replace(men, allocation=MOVED), *others)))
    return made


def page(site: Site, **parts: Any) -> str:
    made = full_report()
    made["overall"] = {**made["overall"], "adaptive": parts.get("overall")}
    made["segments"][0]["adaptive"] = parts.get("first")
    made["segments"][1]["adaptive"] = parts.get("second")
    site.store(made)
    html = site.get("/experiments/mail")
    found = re.search(r'<section class="[^"]*" aria-labelledby="adaptive-title".*?</section>', html, re.S)
    return text_of(found[0]).replace("\N{NO-BREAK SPACE}", " ") if found else ""


def test_gain_and_certainty_are_said_for_all_and_for_each_segment(site: Site) -> None:
    said = page(site, overall=GAINED, first=NOTHING)
    assert "All segments together +156.0 −12.50 to +324" in said
    assert "as certain as with 62.2% fewer customers" in said
    assert "as certain as with 3.10% more customers" in said
    assert said.count("No batch yet.") == 2


def test_where_the_split_has_not_moved_no_gain_is_told(site: Site) -> None:
    said = page(site, overall=GAINED, first=NOTHING, second=GAINED)
    assert said.count("+156.0") == 1
    assert "Bought men’s goods No batch yet." in said
    assert said.endswith("For Bought women’s goods the split has not moved yet. ")


def test_before_any_split_has_moved_there_is_no_table(winnow: Winnow) -> None:
    site = Site(winnow)
    site.sign_in("read")
    site.add(mail())
    said = page(site, overall=GAINED, first=GAINED)
    assert "The split has not moved yet." in said
    assert "Gained" not in said
    assert "+156.0" not in said


def test_a_fixed_split_has_no_such_section(site: Site) -> None:
    assert page(site) == ""
