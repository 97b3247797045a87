"""What an adaptive split gained and cost, as the page says it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from tests.http.full_report import full_report
from tests.http.pages_site import MENS, WOMENS, Site, mail, text_of

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
    made.add(mail())
    return made


def page(site: Site, **parts: Any) -> str:
    made = full_report()
    made["overall"] = {**made["overall"], "adaptive": parts.get("overall")}
    made["segments"][0]["adaptive"] = parts.get("first")
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


def test_a_fixed_split_has_no_such_section(site: Site) -> None:
    assert page(site) == ""
