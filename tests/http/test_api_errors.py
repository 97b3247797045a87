"""Every "no", and that nothing a caller sends is our failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.errors import STATUS, headers_of
from experiments.bootstrap import Winnow
from experiments.domain.errors import DomainError, Unavailable
from experiments.services.assigning.catalog import CatalogHolder
from experiments.storage.memory.unit_of_work import MemoryDatabase, MemoryUnitOfWork
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller, codes, refusal
from tests.http.conftest import caller


def _subclasses(of: type[DomainError]) -> Iterator[type[DomainError]]:
    for below in of.__subclasses__():
        yield below
        yield from _subclasses(below)


def test_every_refusal_has_a_status() -> None:
    """A refusal that only refines another may share its row; one of a new kind may not."""
    kinds = set(_subclasses(DomainError))
    assert [kind for kind in kinds if not any(base in STATUS for base in kind.__mro__)] == []
    assert set(STATUS) <= kinds
    assert DomainError not in STATUS


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/nothing", (404, "route_not_found", None)),
        ("GET", "/v1/experiments/a%20b", (404, "route_not_found", None)),
        ("GET", "/v1/experiments/%00", (404, "route_not_found", None)),
        ("GET", f"/v1/experiments/{'a' * 101}", (404, "route_not_found", None)),
        ("GET", "/v1/experiments/none", (404, "experiment_not_found", None)),
        ("GET", "/v1/experiments/none/versions", (404, "experiment_not_found", None)),
        ("GET", "/v1/experiments/none/results", (404, "experiment_not_found", None)),
        ("GET", "/v1/experiments/none/results/0", (404, "route_not_found", None)),
        ("GET", f"/v1/experiments/none/results/{'9' * 5000}", (404, "route_not_found", None)),
        ("GET", "/v1/experiments/none/results/999999999999999999", (404, "snapshot_not_found", None)),
        ("GET", "/v1/experiments/none/snapshots", (404, "experiment_not_found", None)),
        ("GET", "/v1/experiments/none/proposals", (404, "experiment_not_found", None)),
        ("POST", "/v1/experiments/none/start", (404, "experiment_not_found", None)),
        ("POST", "/v1/experiments/none/burn", (404, "route_not_found", None)),
        ("GET", "/v1/segments/none", (404, "segment_not_found", None)),
        ("GET", "/v1/promotions/none", (404, "promotion_not_found", None)),
        ("DELETE", "/v1/experiments", (405, "method_not_allowed", None)),
        ("PUT", "/v1/events", (405, "method_not_allowed", None)),
        ("POST", "/openapi.json", (405, "method_not_allowed", None)),
        ("POST", "/healthz", (405, "method_not_allowed", None)),
    ],
)
def test_addresses(api: Caller, method: str, path: str, expected: tuple[int, str, str | None]) -> None:
    assert refusal(api.send(method, path)) == expected


def test_a_wrong_method_is_told_the_right_ones(api: Caller) -> None:
    assert set(api.send("DELETE", "/v1/experiments").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_outside_the_api_errors_are_no_problem_documents(api: Caller) -> None:
    answer = api.client.get("/no-such-page")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        '{"unit_id": NaN}',
        '{"unit_id": Infinity}',
        '{"unit_id": -Infinity}',
        '{"unit_id": 1e999}',
        '{"unit_id": "a", "unit_id": "b"}',
        '{"unit_id": ' + "9" * 5_000 + "}",
        "[" * 40_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        b"\xff\xfe",
        b'{"unit_id": "\xff"}',
    ],
    ids=[
        "empty", "open", "comma", "nan", "infinity", "minus infinity", "beyond", "twice", "digits", "lists", "objects",
        "no utf-8", "no utf-8 inside",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(api: Caller, text: str | bytes) -> None:
    assert refusal(api.post_text("/v1/assignments", text)) == (400, "bad_json", None)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type_is_refused(api: Caller, content_type: str) -> None:
    answer = api.post_text("/v1/assignments", '{"unit_id": "u"}', content_type)
    assert refusal(answer) == (415, "unsupported_media_type", None)


def test_json_with_a_charset_is_json(api: Caller) -> None:
    answer = api.post_text("/v1/assignments", '{"unit_id": "u"}', "application/json; charset=utf-8")
    assert answer.status_code == 200


def test_a_body_that_is_too_large_is_refused(api: Caller) -> None:
    text = json.dumps({"unit_id": "u", "attributes": {"x": "y" * 100_000}})
    assert refusal(api.post_text("/v1/assignments", text)) == (413, "body_too_large", None)


@pytest.mark.parametrize("body", [[], "x", 1, True, None, [{"unit_id": "u"}]], ids=repr)
def test_a_body_that_is_no_object_is_refused(api: Caller, body: object) -> None:
    answer = api.post_text("/v1/assignments", json.dumps(body))
    assert refusal(answer) == (422, "invalid_body", None)
    assert codes(answer) == [("", "type")]


def test_all_findings_are_told_at_once_each_at_its_place(library: Caller) -> None:
    body = {
        **BANNER,
        "colour": "red",
        "name": None,
        "variants": [{"key": "a", "is_control": 1}, {"key": "b", "name": "B", "a/b~c": 1}],
        "segments": [{"segment": "mens", "weights": {"a": 1.0, "b": "2"}}],
        "metrics": [{"metric": "visit", "role": "main"}],
        "analysis": {"alpha": "0.05", "minimum_units": 2**31, "minimum_duration_seconds": 10**12},
        "promotion": {"automatic": "yes"},
    }
    answer = library.post("/v1/experiments", body)
    assert refusal(answer) == (422, "invalid_body", None)
    assert sorted(codes(answer)) == [
        ("/analysis/alpha", "invalid"),
        ("/analysis/minimum_duration_seconds", "out_of_range"),
        ("/analysis/minimum_units", "out_of_range"),
        ("/colour", "unknown_field"),
        ("/metrics/0/role", "unknown"),
        ("/name", "null"),
        ("/promotion/automatic", "invalid"),
        ("/segments/0/weights/a", "invalid"),
        ("/segments/0/weights/b", "invalid"),
        ("/variants/0/is_control", "invalid"),
        ("/variants/0/name", "required"),
        ("/variants/1/a~1b~0c", "unknown_field"),
    ]


def test_a_single_refusal_of_the_domain_is_told_as_such(library: Caller) -> None:
    body = {**BANNER, "analysis": {"alpha": 0.9}}
    assert refusal(library.post("/v1/experiments", body)) == (422, "alpha_invalid", "/analysis/alpha")


def test_refusals_of_the_domain_and_findings_stand_side_by_side(library: Caller) -> None:
    answer = library.post("/v1/experiments", {**BANNER, "owner": 1, "analysis": {"alpha": 0.9}})
    assert sorted(codes(answer)) == [("/analysis/alpha", "alpha_invalid"), ("/owner", "invalid")]


@pytest.mark.parametrize(
    ("query", "code", "path"),
    [
        ("limit=0", "invalid", "/limit"),
        ("limit=101", "invalid", "/limit"),
        ("limit=many", "invalid", "/limit"),
        ("limit=" + "9" * 5_000, "invalid", "/limit"),
        ("status=burning", "unknown", "/status"),
        ("page=2", "unknown_field", "/page"),
        ("cursor=%00", "text_invalid", "/cursor"),
    ],
)
def test_an_unfit_query_is_refused(api: Caller, query: str, code: str, path: str) -> None:
    answer = api.get(f"/v1/experiments?{query}")
    assert refusal(answer) == (422, "invalid_query", None)
    assert codes(answer) == [(path, code)]


def test_a_failure_of_ours_tells_nothing_of_the_inside(
    winnow: Winnow, api: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the table with the passwords")

    monkeypatch.setattr(type(winnow.author), "get", fail)
    answer = api.get("/v1/experiments/banner")
    assert refusal(answer) == (500, "internal", None)
    assert "passwords" not in answer.text
    assert "the table with the passwords" in caplog.text


def test_requests_do_not_learn_why_the_database_is_away(
    winnow: Winnow, api: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("database_unavailable", "Later.", cause="role ada of db-7 is unknown")

    monkeypatch.setattr(type(winnow.author), "get", fail)
    answer = api.get("/v1/experiments/banner")
    assert refusal(answer) == (503, "database_unavailable", None)
    assert "ada" not in answer.text
    assert "role ada of db-7 is unknown" in caplog.text


def test_what_is_unavailable_may_be_tried_again(winnow: Winnow, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("database_unavailable", "Later.")

    monkeypatch.setattr(type(winnow.author), "get", fail)
    answer = api.get("/v1/experiments/banner")
    assert refusal(answer) == (503, "database_unavailable", None)
    assert answer.headers["Retry-After"] == "1"


def test_an_answer_has_the_request_id_of_its_caller_or_one_of_its_own(api: Caller) -> None:
    assert api.get("/v1/experiments", X_Request_Id="abc-1").headers["X-Request-Id"] == "abc-1"
    made = [api.get("/v1/experiments", X_Request_Id="a b\tc").headers["X-Request-Id"] for _ in range(2)]
    assert all(len(one) == 32 for one in made)
    assert made[0] != made[1]


def test_an_app_before_its_database_serves_nothing_but_lives(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("database_unavailable", "Later.")

    with monkeypatch.context() as patch:
        patch.setattr(CatalogHolder, "refresh", fail)
        api = caller(MemoryDatabase().unit_of_work, clock)
    assert api.get("/healthz").json == {"status": "ok"}
    assert refusal(api.get("/readyz")) == (503, "catalog_not_loaded", None)
    assert refusal(api.post("/v1/assignments", {"unit_id": "u"})) == (503, "catalog_not_loaded", None)
    version = api.winnow.catalog.refresh().version
    assert api.get("/readyz").json == {"status": "ready", "catalog_version": version, "database": "here"}


def test_a_process_whose_database_went_away_is_not_ready(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("database_not_migrated", "Run the migrations.")

    monkeypatch.setattr(MemoryUnitOfWork, "ping", fail)
    assert refusal(api.anonymous().get("/readyz")) == (503, "database_not_migrated", None)
    assert api.anonymous().get("/healthz").status_code == 200


def test_a_finer_kind_of_refusal_has_the_headers_of_its_kind() -> None:
    class Finer(Unavailable):
        """Such as a spool that is full."""

    assert headers_of(Finer("full", "Full.")) == {"Retry-After": "1"}
