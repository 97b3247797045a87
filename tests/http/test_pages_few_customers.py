"""Of fewer than 30 customers no money, no attributes and no shares are told: not on the page, in a table or the API."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from tests.conftest import FakeClock
from tests.http import segment_documents as made
from tests.http.api_client import Caller
from tests.http.pages_site import Site

DOUBTS = [
    {"code": "too_small", "severity": "warning", "sentence": "Too small to test in. In 4 weeks, a lift of 83%."},
    {
        "code": "inside",
        "severity": "info",
        "sentence": "It lies in web: 83% of its customers are there.",
        "other": "web",
    },
]
PROFILE = {"attribute": "city", "known": 12, "shares": [["Berlin", 0.75]]}
TOO_FEW = "Nothing is told of fewer than 30 customers: chance would speak, and of single people."


def store(winnow: Winnow, clock: FakeClock, units: int, **changes: Any) -> None:
    for key, name in (("recent", "Bought lately"), ("web", "Buys on the web")):
        made.add_segment(winnow, key, name)
    card = made.card(units=units, share=units / 64_000, profiles=[PROFILE], **changes)
    made.store(
        winnow,
        "recent",
        made.report("recent", clock(), card=card, persona=made.persona(units=units), doubts=DOUBTS),
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_page_does_not_tell_how_many_of_a_handful_bought(site: Site, clock: FakeClock) -> None:
    store(site.winnow, clock, 29)
    page = site.read("/segments/recent")
    assert f"Not known. {TOO_FEW}" in page
    for figure in ("14.6%", "16%", "83%", "bought in the weeks looked at"):
        assert figure not in page


def test_thirty_are_told(site: Site, clock: FakeClock) -> None:
    store(site.winnow, clock, 30)
    page = site.read("/segments/recent")
    assert "14.6% of them bought in the weeks looked at" in page
    found = rows(site.get("/segments/recent/card.csv"))
    assert [row["value"] for row in found if row["measure"] in ("revenue", "baseline")] == ["31500.0", "0.146"]


@pytest.mark.parametrize("path", ["/segments/recent/card.csv", "/v1/segments/recent/card.csv"], ids=["page", "api"])
def test_the_table_of_a_handful_has_reasons_for_figures(site: Site, api: Caller, clock: FakeClock, path: str) -> None:
    store(site.winnow, clock, 29)
    found = rows(api.get(path).text if path.startswith("/v1") else site.get(path))
    told = {(row["section"], row["measure"]) for row in found if row["value"]}
    assert told == {("size", "units"), ("size", "share"), ("doubts", "warning"), ("doubts", "info")}
    few = {row["section"] for row in found if row["reason"] == "too_few_customers"}
    assert few == {"value", "reached", "testability", "overlaps"}
    assert [row["value"] for row in found if row["section"] == "doubts"] == [
        "Too small to test in: it has fewer than 30 customers.",
        "It lies in web.",
    ]


def test_the_api_tells_of_a_handful_how_many_they_are(api: Caller, clock: FakeClock) -> None:
    store(api.winnow, clock, 29)
    card = api.get("/v1/segments/recent/card").json["card"]
    reason = {"undefined": "too_few_customers", "message": TOO_FEW}
    assert card["size"]["units"] == 29
    assert [card[part] for part in ("value", "reached", "testability")] == [reason] * 3
    assert (card["traits"], card["profiles"]) == ([], [])
    assert card["overlaps"][0] == {
        "other": "web",
        "both": reason,
        "jaccard": reason,
        "share_of_this": reason,
        "share_of_other": reason,
    }
    (point,) = api.get("/v1/segments/recent/history").json["items"]
    assert (point["units"], point["revenue_per_unit"]) == (29, reason)
    persona = api.get("/v1/segments/recent/persona").json["persona"]
    assert {name: value for name, value in persona.items() if value} == {"units": 29, "share": 0.3499}


@pytest.mark.parametrize("path", ["/segments/recent/persona.csv", "/v1/segments/recent/persona.csv"])
def test_the_portrait_of_a_handful_is_their_number(site: Site, api: Caller, clock: FakeClock, path: str) -> None:
    store(site.winnow, clock, 29)
    found = rows(api.get(path).text if path.startswith("/v1") else site.get(path))
    assert {(row["section"], row["name"]) for row in found} == {("size", "units"), ("size", "share")}


def test_the_share_of_another_handful_is_not_told_either(api: Caller, clock: FakeClock) -> None:
    other = {"other": "web", "both": 7, "jaccard": 0.0003, "share_of_this": 0.0003, "share_of_other": 0.5}  # of 14
    store(api.winnow, clock, 22_393, overlaps=[other, {**other, "both": 15}])  # of 30
    few, enough = api.get("/v1/segments/recent/card").json["card"]["overlaps"]
    hidden = [few[name]["undefined"] for name in ("both", "jaccard", "share_of_this", "share_of_other")]
    assert hidden == ["too_few_customers"] * 4, "how many of fourteen are in it says what they are like"
    assert enough == {**other, "both": 15}
