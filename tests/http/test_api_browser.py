"""What browsers are told, and the pages that describe the API."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from swagger_ui_bundle import swagger_ui_path

from tests.http.api_client import Caller

SHOP = "https://shop.example"


PAGES = ["/", "/docs"]
DATA = ["/openapi.json", "/healthz", "/v1/experiments", "/v1/nothing"]


@pytest.mark.parametrize("path", [*PAGES, *DATA])
def test_every_answer_says_what_a_browser_may_do_with_it(api: Caller, path: str) -> None:
    headers = api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_nothing_from_elsewhere_and_are_shown_nowhere_else(api: Caller, path: str) -> None:
    headers = api.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


@pytest.mark.parametrize("path", DATA)
def test_data_is_sent_as_data_and_without_what_only_pages_heed(api: Caller, path: str) -> None:
    answer = api.get(path)
    assert answer.mimetype in {"application/json", "application/problem+json"}
    assert {"Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "Permissions-Policy"}.isdisjoint(
        set(answer.headers.keys())
    )


def test_a_shop_may_ask_from_its_own_origin(api: Caller) -> None:
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = api.client.options("/v1/assignments", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == SHOP
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization"
    assert preflight.headers["Access-Control-Max-Age"] == "600"
    answer = api.post("/v1/assignments", {"unit_id": "u"}, Origin=SHOP)
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_refusals_can_be_read_across_origins_too(api: Caller) -> None:
    answer = api.anonymous().get("/v1/experiments", Origin=SHOP)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, SHOP)


@pytest.mark.parametrize(
    ("path", "origin"),
    [("/v1/assignments", "https://elsewhere.example"), ("/v1/assignments", "null"), ("/", SHOP), ("/healthz", SHOP)],
)
def test_nobody_else_and_nothing_else_is_shared(api: Caller, path: str, origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in api.get(path, Origin=origin).headers


def test_a_session_cookie_opens_no_view_of_the_api(api: Caller) -> None:
    with api.client.session_transaction() as session:
        session["key_id"] = "whatever"
    assert api.anonymous().get("/v1/experiments").status_code == 401


def test_the_page_of_the_api_needs_nothing_from_outside(api: Caller) -> None:
    page = api.anonymous().get("/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "//" not in page.text.replace("<!--", "")
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=", page.text)
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 5
    for link in links:
        found = api.anonymous().get(link)
        assert found.status_code == 200, link
        assert len(found.data) > 100
    assert "//" not in api.get("/static/docs.js").text.replace("// the", "")


def test_the_assets_come_out_of_the_package_unchanged(api: Caller) -> None:
    served = api.get("/docs/assets/swagger-ui-bundle.js")
    assert served.mimetype == "text/javascript"
    assert served.data == Path(str(swagger_ui_path), "swagger-ui-bundle.js").read_bytes()


@pytest.mark.parametrize(
    "name", ["index.html", "swagger-ui.js.map", "..%2f__init__.py", "%2e%2e/__init__.py", "none.js"]
)
def test_no_other_file_is_given(api: Caller, name: str) -> None:
    assert api.get(f"/docs/assets/{name}").status_code == 404


def test_the_description_has_every_view_with_its_inputs_and_answers(api: Caller) -> None:
    document = api.anonymous().get("/openapi.json").json
    assert document["openapi"] == "3.0.3"
    described = {
        (method, path) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    rules = {
        (method.lower(), re.sub(r"<(?:[^:<>]*(?:\([^)]*\))?:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in api.client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/v1/", "/api/", "/ofrep/")) or rule.rule in ("/healthz", "/readyz", "/metrics")
    }
    assert described == rules
    for path, item in document["paths"].items():
        given = {parameter["name"] for parameter in item.get("parameters", ())}
        assert given == set(re.findall(r"{(\w+)}", path))
        for method, operation in item.items():
            if method != "parameters":
                _check_operation(path, operation)


def _check_operation(path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"].endswith("."), path
    assert len(operation["tags"]) == 1
    good = [code for code in operation["responses"] if code.startswith("2")]
    assert good, path
    for code in set(good) - {"204"}:
        media = "text/plain" if path == "/metrics" else "text/csv" if path.endswith(".csv") else "application/json"
        assert operation["responses"][code]["content"][media]["schema"], path
    is_open = path in ("/healthz", "/readyz")
    assert ("401" in operation["responses"]) != is_open
    in_header = not is_open and not path.startswith("/api/")
    assert operation.get("security") == (operation.get("security") or None if in_header else [])


def test_every_reference_of_the_description_leads_somewhere(api: Caller) -> None:
    document = api.get("/openapi.json").json
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', api.get("/openapi.json").text))
    assert len(references) > 40
    for reference in references:
        found = document
        for step in reference.split("/"):
            found = found[step]
    assert {scheme["type"] for scheme in document["components"]["securitySchemes"].values()} == {"http", "apiKey"}
    problem = document["components"]["responses"]["UNAUTHORIZED"]["content"]
    assert list(problem) == ["application/problem+json"]


def test_a_body_is_described_as_strictly_as_it_is_read(api: Caller) -> None:
    schemas = api.get("/openapi.json").json["components"]["schemas"]
    wish = schemas["ExperimentWish"]
    assert set(wish["required"]) == {"key", "name", "variants", "metrics"}
    assert wish["properties"]["exposure_policy"]["enum"] == ["on_assignment", "on_event"]
    assert wish["additionalProperties"] is False
    assert schemas["Batch"]["properties"]["items"]["maxItems"] == 1_000
