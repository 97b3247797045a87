"""Cards, portraits and history over HTTP, as the worker stored them, and what a segment says when it is made."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from experiments.domain.event import Event, Exposure
from experiments.services.segments.cards import CardWish, SegmentCards
from experiments.services.segments.report_csv import CARD_COLUMNS, PERSONA_COLUMNS
from experiments.services.segments.reporter import SegmentReporter
from segmentation.card import persona_csv
from segmentation.card.persona import COLUMNS
from tests.conftest import FakeClock
from tests.http.api_client import Caller, refusal

CUSTOMERS = 200
ATTRIBUTES = [
    {"key": "channel", "name": "Channel", "type": "text"},
    {"key": "spend", "name": "Spend", "type": "number"},
    {"key": "phone", "name": "Phone", "type": "text", "personal": True},
]
WEB = {"key": "web", "name": "From the web", "condition": {"channel": "web"}}
BIG = {"key": "big", "name": "Spends much", "condition": {"spend": {"$gte": 100}}}


def silent(done: int, total: int | None, label: str | None = None) -> None:
    """Progress for nobody."""


def trouble(segment: str, error: Exception) -> None:
    raise error


@pytest.fixture
def house(api: Caller) -> Caller:
    """The first hundred come from the web, forty of these spend much, twenty of all bought for 10."""
    for noun, bodies in (
        ("sources", [{"key": "crm", "name": "CRM", "kind": "first_party", "precedence": 1}]),
        ("attributes", ATTRIBUTES),
        ("segments", [WEB, BIG]),
    ):
        for body in bodies:
            assert api.post(f"/v1/{noun}", body).status_code == 201
    units = [
        {
            "unit_id": f"u{number}",
            "attributes": {
                "channel": "web" if number < 100 else "=shop",
                "spend": 200 if number < 40 or number > 150 else 20,
                "phone": "0123-private",
            },
        }
        for number in range(CUSTOMERS)
    ]
    assert api.post("/v1/units/batch", {"source": "crm", "units": units}).json["accepted"] == CUSTOMERS
    now = api.winnow.clock()
    with api.winnow.open_unit_of_work() as work:
        told = [
            Event(event_id=f"e{number}", unit_id=f"u{number}", name="purchase", value=10.0, occurred_at=now)
            for number in range(90, 110)
        ]
        work.log.append_events(told, received_at=now)
        shown = Exposure(
            event_id="x",
            unit_id="u95",
            experiment="any",
            version=1,
            epoch=1,
            segment="web",
            variant="a",
            occurred_at=now,
        )
        work.log.append_exposures([shown], received_at=now)
        work.commit()
    return api


@pytest.fixture
def worker(house: Caller) -> SegmentReporter:
    return SegmentReporter(house.winnow.open_unit_of_work, house.winnow.clock, failed=trouble)


def rows_of(answer: Any, columns: tuple[str, ...]) -> list[dict[str, str]]:
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    reader = csv.DictReader(io.StringIO(answer.text))
    rows = list(reader)
    assert tuple(reader.fieldnames or ()) == columns
    return rows


def test_a_segment_says_when_it_is_made_what_is_doubtful(
    house: Caller, worker: SegmentReporter, clock: FakeClock
) -> None:
    twin = house.post("/v1/segments", {**WEB, "key": "twin", "condition": {"channel": "web"}})
    assert (twin.status_code, twin.json["report"]) == (201, "pending")
    assert [(one["code"], one["other"]) for one in twin.json["doubts"]] == [("redundant", "web")]
    odd = house.post("/v1/segments", {"key": "odd", "name": "Odd", "condition": {"device": "phone"}}).json
    assert [one["code"] for one in odd["doubts"]] == ["unregistered"]
    assert "device" in odd["doubts"][0]["sentence"]
    assert worker.step(silent)
    made = house.get("/v1/segments/twin").json
    assert (made["report"], made["definition"]["condition"], made["revision"]) == ("made", {"channel": "web"}, 1)
    doubts = {one["code"]: one for one in made["doubts"]}
    assert doubts.keys() == {"too_small", "redundant"}
    assert doubts["redundant"]["other"] == "web"
    assert [one["code"] for one in house.get("/v1/segments/odd").json["doubts"]] == ["unregistered"]
    edited = house.put("/v1/segments/odd", {"key": "odd", "name": "Odd", "condition": {"spend": 20}}, If_Match='"1"')
    assert (edited.status_code, edited.headers["ETag"]) == (200, '"2"')
    assert (edited.json["report"], edited.json["doubts"]) == ("outdated", [])
    assert house.get("/v1/segments/odd/card").json["report"] == "outdated"
    clock.advance(seconds=1)
    assert worker.step(silent)
    assert house.get("/v1/segments/odd/card").json["card"]["size"]["units"] == CUSTOMERS - 89
    listed = house.get("/v1/segments").json["items"]
    assert [one["key"] for one in listed] == ["big", "odd", "twin", "web"]


def test_not_made_yet_is_told_from_not_there(house: Caller, worker: SegmentReporter) -> None:
    for part in ("card", "card.csv", "persona", "persona.csv"):
        assert refusal(house.get(f"/v1/segments/web/{part}"))[:2] == (404, "report_not_made")
        assert refusal(house.get(f"/v1/segments/else/{part}"))[:2] == (404, "segment_not_found")
    assert house.get("/v1/segments/web/history").json == {"segment": "web", "items": []}
    assert refusal(house.get("/v1/segments/else/history"))[:2] == (404, "segment_not_found")
    assert refusal(house.get("/v1/customers/summary"))[:2] == (404, "report_not_made")
    assert worker.step(silent)
    assert house.get("/v1/segments/web/card").status_code == 200
    assert refusal(house.get("/v1/segments/else/card"))[:2] == (404, "segment_not_found")


def test_card_and_portrait_as_json_and_csv(house: Caller, worker: SegmentReporter) -> None:
    assert worker.step(silent)
    card = house.get("/v1/segments/web/card")
    told = card.json
    assert (told["segment"], told["name"], told["number"], told["units"]) == ("web", "From the web", 1, CUSTOMERS)
    assert told["card"]["size"] == {"units": 100, "share": 0.5}
    assert (told["card"]["value"]["revenue"], told["card"]["value"]["revenue_per_unit"]) == (100.0, 1.0)
    (overlap,) = told["card"]["overlaps"]
    assert (overlap["other"], overlap["both"], overlap["share_of_this"]) == ("big", 40, 0.4)
    assert overlap["share_of_other"] == pytest.approx(40 / 89)
    assert told["card"]["testability"]["units_per_week"] == 1.0
    rows = rows_of(house.get("/v1/segments/web/card.csv"), CARD_COLUMNS)
    numbers = {(row["section"], row["item"], row["detail"], row["measure"]): row for row in rows}
    assert numbers["size", "", "", "units"]["value"] == "100"
    assert float(numbers["overlaps", "big", "", "share_of_other"]["value"]) == pytest.approx(40 / 89)
    assert float(numbers["profiles", "channel", "web", "share"]["value"]) == 1.0
    assert numbers["stability", "", "", "stability"]["reason"] == "no_week_yet"
    assert numbers["traits", "channel", "web", "inside"]["value"] == "1.0"
    assert numbers["traits", "channel", "web", "by_definition"]["value"] == "true"
    assert numbers["doubts", "too_small", "", "warning"]["value"].startswith("Too small to test in.")
    assert len(numbers) == len(rows)
    of_big = [row for row in rows_of(house.get("/v1/segments/big/card.csv"), CARD_COLUMNS) if row["item"] == "channel"]
    assert {row["detail"]: float(row["value"]) for row in of_big if row["section"] == "profiles" and row["detail"]} == {
        "web": pytest.approx(40 / 89),
        "'=shop": pytest.approx(49 / 89),
    }
    drawn = house.get("/v1/segments/web/persona").json["persona"]
    assert (drawn["units"], drawn["share"]) == (100, 0.5)
    cards = SegmentCards(house.winnow.open_unit_of_work, house.winnow.clock).make(CardWish(), silent)
    expected = persona_csv(cards.persona("web"))
    as_csv = house.get("/v1/segments/web/persona.csv")
    assert PERSONA_COLUMNS == COLUMNS
    assert rows_of(as_csv, COLUMNS)
    assert as_csv.text == expected
    assert house.get("/v1/segments/web/persona", Accept="text/csv").text == expected
    assert (
        house.get("/v1/segments/web/card", Accept="text/csv, */*;q=.1").text
        == house.get("/v1/segments/web/card.csv").text
    )
    assert "0123-private" not in card.text + as_csv.text
    for path in ("/v1/segments/web/card", "/v1/segments/web/persona.csv", "/v1/customers/summary"):
        tag = house.get(path).headers["ETag"]
        assert house.get(path, If_None_Match=tag).status_code == 304
        assert house.get(path, If_None_Match=f'"x{tag[1:]}').status_code == 200


def test_history_has_a_point_per_day(house: Caller, worker: SegmentReporter, clock: FakeClock) -> None:
    assert worker.step(silent)
    clock.advance(days=7)
    gone = [{"unit_id": f"u{number}", "attributes": {"channel": "=shop"}} for number in range(30)]
    come = [{"unit_id": "u150", "attributes": {"channel": "web"}}]
    house.post("/v1/units/batch", {"source": "crm", "units": [*gone, *come]})
    assert worker.step(silent)
    told = house.get("/v1/segments/web/history").json
    last, first = told["items"]
    assert (told["segment"], last["number"], first["number"]) == ("web", 2, 1)
    assert (first["units"], first["share"], first["left"]["undefined"]) == (100, 0.5, "no_week_yet")
    assert (last["units"], last["entered"], last["left"], last["leaving"]) == (71, 1, 30, 0.3)
    assert "unstable" in last["doubts"]
    assert "unstable" not in first["doubts"]
    assert last["made_at"] == "2026-01-12T09:00:00+00:00"


def test_everybody(house: Caller, worker: SegmentReporter) -> None:
    assert worker.step(silent)
    told = house.get("/v1/customers/summary").json
    assert (told["units"], told["number"], told["rfm"]["undefined"]) == (CUSTOMERS, 1, "not_followed")
    assert told["overlap"]["segments"] == ["big", "web"]
    assert told["overlap"]["both"] == [[89, 40], [40, 100]]
    assert told["overlap"]["shares"] == [[1.0, pytest.approx(40 / 89)], [0.4, 1.0]]


def test_the_description_knows_both_forms(api: Caller) -> None:
    paths = api.get("/openapi.json").json["paths"]
    content = paths["/v1/segments/{key}/card"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/csv"}
    assert set(paths["/v1/segments/{key}/card.csv"]["get"]["responses"]["200"]["content"]) == {"text/csv"}
    assert "404" in paths["/v1/segments/{key}/history"]["get"]["responses"]
