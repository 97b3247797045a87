"""What may have been meant by a key that there is not is told to those who may list what there is, and to no others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.api_client import BANNER, Caller, refusal
from tests.http.test_api_ofrep import FLAGS, context

CRM = {"key": "crm", "name": "CRM", "kind": "first_party", "precedence": 1}
COLOUR = {"key": "colour", "name": "Colour", "type": "text", "sources": ["crm"]}
LAYER = {"key": "front", "name": "Front"}


@pytest.fixture
def filled(running: Caller) -> Caller:
    for path, body in (("sources", CRM), ("attributes", COLOUR), ("layers", LAYER)):
        assert running.post(f"/v1/{path}", body).status_code == 201
    return running


@pytest.mark.parametrize(
    ("path", "code", "detail"),
    [
        ("experiments/baner", "experiment_not_found", "There is no experiment 'baner'. Did you mean 'banner'?"),
        ("experiments/baner/results", "experiment_not_found", "There is no experiment 'baner'. Did you mean 'banner'?"),
        ("segments/men", "segment_not_found", "There is no segment 'men'. Did you mean 'mens'?"),
        ("segments/men/card", "segment_not_found", "There is no segment 'men'. Did you mean 'mens'?"),
        ("metrics/visits", "metric_not_found", "There is no metric 'visits'. Did you mean 'visit'?"),
        ("attributes/color", "attribute_not_found", "There is no attribute 'color'. Did you mean 'colour'?"),
        ("sources/crn", "source_not_found", "There is no source 'crn'."),
        ("layers/fronts", "layer_not_found", "There is no layer 'fronts'. Did you mean 'front'?"),
        ("experiments/other", "experiment_not_found", "There is no experiment 'other'."),
    ],
)
def test_who_reads_is_told_the_nearest_key(filled: Caller, path: str, code: str, detail: str) -> None:
    answer = filled.with_scopes("read").get(f"/v1/{path}")
    assert refusal(answer) == (404, code, None)
    assert answer.json is not None
    assert answer.json["detail"] == detail


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"segments": [{"segment": "men"}]}, "segment_unknown", "There is no segment 'men'. Did you mean 'mens'?"),
        (
            {"metrics": [{"metric": "visits", "role": "primary"}]},
            "metric_unknown",
            "There is no metric 'visits'. Did you mean 'visit'?",
        ),
        (
            {"layer": {"layer": "fronts", "share_bp": 1}},
            "layer_unknown",
            "There is no layer 'fronts'. Did you mean 'front'?",
        ),
        (
            {"variants": [{**one, "key": f"button-{one['key']}"} for one in BANNER["variants"]]}
            | {"segments": [{"segment": "mens", "weights": {"button_a": 1}}]},
            "variant_unknown",
            "There is no variant 'button_a'. Did you mean 'button-a'?",
        ),
        (
            {"variants": [{**one, "key": f"button-{one['key']}"} for one in BANNER["variants"]]}
            | {"segments": [], "forced": {"tester": "button_b"}},
            "variant_unknown",
            "There is no variant 'button_b'. Did you mean 'button-b'?",
        ),
    ],
)
def test_a_body_that_names_what_there_is_not(filled: Caller, change: dict[str, Any], code: str, detail: str) -> None:
    answer = filled.post("/v1/experiments", {**BANNER, "key": "second", **change})
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"], answer.json["detail"]) == (422, code, detail)


def test_a_source_of_an_attribute(filled: Caller) -> None:
    answer = filled.post("/v1/attributes", {**COLOUR, "key": "size", "sources": ["crm2"]})
    assert answer.json is not None
    assert answer.json["code"] == "source_unknown"
    assert answer.json["detail"] == "There is no source 'crm2'. Did you mean 'crm'?"


def test_a_template_of_segments(filled: Caller) -> None:
    answer = filled.get("/v1/segment-templates/spend_band")
    assert answer.json is not None
    assert answer.json["detail"].endswith("Did you mean 'spend_bands'?")


@pytest.mark.parametrize("scopes", [("client",), ("assign", "ingest"), ("admin",)])
def test_who_asks_as_a_frontend_does_learns_of_no_key(filled: Caller, scopes: tuple[str, ...]) -> None:
    frontend = filled.with_scopes(*scopes)
    claim = {
        "type": "exposure",
        "event_id": "x1",
        "unit_id": "u1",
        "experiment": "baner",
        "version": 1,
        "segment": "mens",
        "variant": "a",
    }
    answers = [
        frontend.post("/v1/assignments", {"unit_id": "u1", "experiment": "baner"}),
        frontend.post("/v1/assignments/batch", {"units": [{"unit_id": "u1"}], "experiment": "baner"}),
        frontend.post("/v1/events", {"items": [claim, {**claim, "experiment": "banner", "segment": "men"}]}),
        frontend.post(f"{FLAGS}/baner", context()),
    ]
    assert "baner" in answers[0].text
    assert [(answer.status_code, "Did you mean" in answer.text) for answer in answers] == [
        (404, False),
        (404, False),
        (202, False),
        (404, False),
    ]


def test_an_unknown_key_is_told_nothing(filled: Caller) -> None:
    for caller in (filled.anonymous(), filled.with_scopes("client")):
        answer = caller.get("/v1/experiments/baner")
        assert answer.status_code in (401, 403)
        assert "banner" not in answer.text
