"""Who may do what."""

from __future__ import annotations

import re

import pytest
from flask import current_app

from experiments.services.keys import Scope
from tests.conftest import FakeClock
from tests.http.api_client import Caller, refusal

VIEWS = [
    ("POST", "/v1/assignments", "assign"),
    ("POST", "/v1/assignments/batch", "assign"),
    ("GET", "/v1/catalog", "assign"),
    ("POST", "/v1/events", "ingest"),
    ("POST", "/v1/experiments", "write"),
    ("GET", "/v1/experiments", "read"),
    ("GET", "/v1/experiments/banner", "read"),
    ("PUT", "/v1/experiments/banner", "write"),
    ("GET", "/v1/experiments/banner/versions", "read"),
    ("POST", "/v1/experiments/banner/start", "write"),
    ("GET", "/v1/experiments/banner/results", "read"),
    ("GET", "/v1/experiments/banner/results/1", "read"),
    ("GET", "/v1/experiments/banner/drift", "read"),
    ("GET", "/v1/experiments/banner/snapshots", "read"),
    ("GET", "/v1/experiments/banner/proposals", "read"),
    ("POST", "/v1/experiments/banner/promotions", "write"),
    ("GET", "/v1/promotions", "read"),
    ("GET", "/v1/promotions/x", "read"),
    ("GET", "/v1/promotions/x/evidence", "read"),
    ("POST", "/v1/promotions/x/approve", "write"),
    ("POST", "/v1/promotions/x/reject", "write"),
    ("POST", "/v1/promotions/x/revert", "write"),
    *(("GET", f"/v1/segments/x/{part}", "read") for part in ("card", "card.csv", "persona", "persona.csv", "history")),
    ("GET", "/v1/customers/summary", "read"),
    ("GET", "/v1/segment-templates", "read"),
    ("GET", "/v1/segment-templates/x", "read"),
    ("POST", "/v1/segment-templates/x", "read"),
    ("GET", "/v1/clusterings", "read"),
    ("GET", "/v1/clusterings/x", "read"),
    ("POST", "/v1/clusterings/x/adopt", "write"),
    ("GET", "/v1/discoveries", "read"),
    ("GET", "/v1/discoveries/x", "read"),
    ("POST", "/v1/discoveries/x/adopt", "write"),
    ("POST", "/v1/units/batch", "profiles"),
    ("POST", "/v1/identify", "ingest"),
    ("GET", "/v1/units/u1", "profiles"),
    ("PATCH", "/v1/units/u1", "profiles"),
    ("DELETE", "/v1/units/u1", "profiles"),
    ("GET", "/v1/units/u1/consent", "profiles"),
    ("PUT", "/v1/units/u1/consent", "profiles"),
    ("POST", "/v1/units/consents", "profiles"),
    ("GET", "/v1/audit", "read"),
    ("POST", "/v1/keys", "admin"),
    ("GET", "/v1/keys", "admin"),
    ("POST", "/v1/keys/x/revoke", "admin"),
    ("POST", "/v1/webhooks", "admin"),
    ("GET", "/v1/webhooks", "admin"),
    ("GET", "/v1/webhooks/x", "admin"),
    ("PUT", "/v1/webhooks/x", "admin"),
    ("DELETE", "/v1/webhooks/x", "admin"),
    ("POST", "/v1/webhooks/x/rotate", "admin"),
    ("POST", "/v1/webhooks/x/test", "admin"),
    ("GET", "/v1/webhooks/deliveries", "admin"),
    ("POST", "/v1/webhooks/deliveries/1/redeliver", "admin"),
    *(
        (method, f"/v1/{noun}{tail}", scope)
        for noun in ("segments", "metrics", "layers", "attributes", "sources")
        for method, tail, scope in (
            ("POST", "", "write"),
            ("GET", "", "read"),
            ("GET", "/x", "read"),
            ("PUT", "/x", "write"),
        )
    ),
]


OPEN_TO_CLIENTS = {("POST", "/v1/assignments"), ("POST", "/v1/assignments/batch"), ("POST", "/v1/events")} | {
    ("POST", "/v1/identify")
}


def test_the_table_above_knows_every_view(api: Caller) -> None:
    with api.client.application.app_context():
        rules = [rule for rule in current_app.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    # A fixed address comes before one with a place to fill, and what goes on behind that place before what ends there.
    rules.sort(key=lambda rule: (len(rule.arguments), -len(rule.rule)))
    known = {
        next((method, rule.rule) for rule in rules if method in (rule.methods or ()) and _matches(rule.rule, path))
        for method, path, _ in VIEWS
    }
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert known == {(method, rule.rule) for rule in rules for method in methods & (rule.methods or set())}


def _matches(rule: str, path: str) -> bool:
    pattern = re.sub(r"<row_id:[^>]*>", r"\\d+", re.sub(r"<any\(start[^>]*>", "start", rule))
    pattern = re.sub(r"<(only_)?unit:[^>]*>", ".+", pattern)
    return re.fullmatch(re.sub(r"<key:[^>]*>", "[^/]+", pattern), path) is not None


@pytest.mark.parametrize(("method", "path", "scope"), VIEWS, ids=str)
def test_a_view_opens_for_its_scope_and_for_admin_only(api: Caller, method: str, path: str, scope: str) -> None:
    assert refusal(api.anonymous().send(method, path, {})) == (401, "unauthenticated", None)
    for held in Scope:
        answer = api.with_scopes(held).send(method, path, {})
        if held in (scope, Scope.ADMIN) or (held is Scope.CLIENT and (method, path) in OPEN_TO_CLIENTS):
            assert answer.status_code not in (401, 403), held
        else:
            assert refusal(answer) == (403, "forbidden", None)
            assert repr(scope) in answer.json["detail"]


def test_who_is_asking_is_settled_before_the_body_is_read(api: Caller) -> None:
    answer = api.client.post("/v1/events", data="{", content_type="application/json")
    assert refusal(answer) == (401, "unauthenticated", None)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "wk",
        "wk__",
        "wk_0000000000000000_secret",
        "Bearer",
        "wk_a\x00b_secret",
        "wk_é_secret",
        "wk_../../x_secret",
        "wk_" + "a" * 5_000 + "_b",
    ],
    ids=["empty", "prefix", "hollow", "unknown", "scheme", "nul", "accent", "path", "long"],
)
def test_what_is_no_key_of_ours_is_refused_alike(api: Caller, sent: str) -> None:
    for headers in ({"Authorization": f"Bearer {sent}"}, {"X-API-Key": sent}):
        answer = api.client.get("/v1/experiments", environ_overrides=_environ(headers))
        assert refusal(answer) == (401, "unauthenticated", None)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="winnow"'


def _environ(headers: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def test_a_key_with_another_secret_is_refused(api: Caller) -> None:
    assert api.key is not None
    head, _, secret = api.key.rpartition("_")
    assert api.client.get("/v1/keys", headers={"X-API-Key": f"{head}_{secret[::-1]}"}).status_code == 401


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}"])
def test_the_scheme_is_written_in_any_case(api: Caller, form: str) -> None:
    answer = api.client.get("/v1/experiments", headers={"Authorization": form.format(api.key)})
    assert answer.status_code == 200


def test_a_key_may_come_in_a_header_of_its_own(api: Caller) -> None:
    assert api.client.get("/v1/experiments", headers={"X-API-Key": str(api.key)}).status_code == 200


def test_a_key_is_shown_once_and_can_be_revoked(api: Caller, clock: FakeClock) -> None:
    made = api.post("/v1/keys", {"name": "frontend", "scopes": ["assign", "ingest"]})
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert made.json["scopes"] == ["assign", "ingest"]
    assert made.json["created_at"] == "2026-01-05T09:00:00+00:00"
    used = {"X-API-Key": made.json["key"]}
    assert api.client.post("/v1/assignments", json={"unit_id": "u"}, headers=used).status_code == 200
    listed = api.get("/v1/keys").json["items"]
    assert {item["name"]: set(item) for item in listed}["frontend"] == {
        "id",
        "name",
        "scopes",
        "tags",
        "created_at",
        "revoked_at",
    }
    assert made.json["key"] not in str(listed)

    clock.advance(seconds=1)
    gone = api.post(f"/v1/keys/{made.json['id']}/revoke")
    assert (gone.status_code, gone.json["revoked_at"]) == (200, "2026-01-05T09:00:01+00:00")
    assert api.client.post("/v1/assignments", json={"unit_id": "u"}, headers=used).status_code == 401


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"name": "x", "scopes": []}, "scope_unknown", "/scopes"),
        ({"name": "", "scopes": ["read"]}, "text_invalid", "/name"),
        ({"name": "x", "scopes": ["client", "admin"]}, "scope_client_alone", "/scopes"),
        ({"name": "x", "scopes": ["client", "assign"]}, "scope_client_alone", "/scopes"),
        ({"name": "x", "scopes": ["assign"], "tags": ["has space"]}, "key_invalid", "/tags"),
        ({"name": "x", "scopes": ["assign", "read"], "tags": ["web"]}, "tags_without_effect", "/tags"),
        ({"name": "x", "scopes": ["assign"], "tags": [f"t{n}" for n in range(51)]}, "tags_count", "/tags"),
    ],
    ids=["no scope", "no name", "public admin", "public beside", "no tag", "tags that limit nothing", "many tags"],
)
def test_an_unfit_key_is_refused(api: Caller, body: object, code: str, path: str) -> None:
    assert refusal(api.post("/v1/keys", body)) == (422, code, path)


def test_a_key_may_be_limited_to_tags(api: Caller) -> None:
    made = api.post("/v1/keys", {"name": "web", "scopes": ["client"], "tags": ["shop", "mail"]})
    assert (made.status_code, made.json["scopes"], made.json["tags"]) == (201, ["client"], ["mail", "shop"])
    listed = {item["name"]: item["tags"] for item in api.get("/v1/keys").json["items"]}
    assert listed == {"root": [], "web": ["mail", "shop"]}
    trail = api.get(f"/v1/audit?subject={made.json['id']}").json["items"]
    assert [entry["detail"] for entry in trail] == [{"name": "web", "scopes": ["client"], "tags": ["mail", "shop"]}]


def test_an_unknown_scope_is_refused_at_its_place(api: Caller) -> None:
    answer = api.post("/v1/keys", {"name": "x", "scopes": ["read", "everything"]})
    assert [error["path"] for error in answer.json["errors"]] == ["/scopes/1"]


def test_revoking_an_unknown_key_finds_nothing(api: Caller) -> None:
    assert refusal(api.post("/v1/keys/nobody/revoke")) == (404, "api_key_not_found", None)


def test_the_trail_names_the_key(api: Caller) -> None:
    api.with_scopes("write").post("/v1/segments", {"key": "mens", "name": "Men's"})
    (entry,) = api.get("/v1/audit?subject=mens").json["items"]
    assert (entry["actor"], entry["action"], entry["at"]) == (
        "key:write",
        "segment.create",
        "2026-01-05T09:00:00+00:00",
    )
