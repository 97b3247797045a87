"""Who may pass the fast lane is remembered by what was sent, for a moment, and never for longer or for another."""

from __future__ import annotations

from typing import Any

import pytest

from api.lane import passages
from api.lane.passages import MAX_ORIGIN, Passages
from experiments.services.keys import Scope
from tests.http.api_client import Caller
from tests.http.lanes import Lanes

ONE, BODY = "/v1/assignments", b'{"unit_id":"u1"}'


@pytest.fixture
def lanes(running: Caller) -> Lanes:
    made = Lanes.of(running)
    made.fast(ONE, BODY)
    return made


class Sent(dict[str, Any]):
    """What a server hands over, as far as it matters here."""

    def __init__(self, **headers: str) -> None:
        super().__init__({"wsgi.url_scheme": "http", **headers})


def taught(running: Caller) -> Passages:
    """Passages whose keys are those of the app, and which know the headers of one place."""
    made = Passages(running.winnow.keys, frozenset({"https://shop.example"}))
    for sent in (Sent(), Sent(HTTP_ORIGIN="https://shop.example")):
        place = made.place(ONE, sent)
        assert place is not None
        made.learn(place, "200 OK", [("Content-Type", "application/json"), ("X-Request-Id", "not to be kept")])
    return made


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_AUTHORIZATION": "", "HTTP_X_API_KEY": "Bearer {key}"},
        {"HTTP_AUTHORIZATION": "{key}"},
        {"HTTP_AUTHORIZATION": "bearer{key}"},
    ],
)
def test_a_key_counts_only_where_flask_says_so(lanes: Lanes, headers: dict[str, str]) -> None:
    """Also after it was recognised in its right place."""
    assert not lanes.same(ONE, BODY).by_flask
    said = {name: value.format(key=lanes.key) for name, value in headers.items()}
    assert lanes.same(ONE, BODY, **said).status == "401 UNAUTHORIZED"


def test_a_key_may_stand_in_its_own_header(lanes: Lanes) -> None:
    answer = lanes.same(ONE, BODY, HTTP_AUTHORIZATION="", HTTP_X_API_KEY=str(lanes.key))
    assert (answer.status, answer.by_flask) == ("200 OK", False)


def test_what_stands_beside_another_kind_of_authorization_is_flask_s_to_read(lanes: Lanes) -> None:
    answer = lanes.same(ONE, BODY, HTTP_AUTHORIZATION="Basic YTpi", HTTP_X_API_KEY=str(lanes.key))
    assert (answer.status, answer.by_flask) == ("200 OK", True)


def test_it_is_good_for_a_moment_and_no_longer_than_the_key(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(passages, "perf_counter", lambda: now[0])
    made, asked = taught(running), []
    keys: Any = running.winnow.keys
    authenticate = keys.authenticate
    monkeypatch.setattr(keys, "authenticate", lambda text: asked.append(text) or authenticate(text))
    sent = Sent(HTTP_AUTHORIZATION=f"Bearer {running.key}")

    def pass_at(instant: float) -> bool:
        now[0] = instant
        return made.find(ONE, Scope.ASSIGN, sent, instant) is not None

    assert [pass_at(instant) for instant in (100.0, 100.5, 100.999)] == [True] * 3
    assert asked == [running.key]
    assert pass_at(101.0)
    assert len(asked) == 2
    keys.revocations += 1
    assert pass_at(101.1)
    assert len(asked) == 3


def test_what_is_kept_of_headers_is_what_answers_have_in_common(running: Caller) -> None:
    found = taught(running).find(ONE, Scope.ASSIGN, Sent(HTTP_AUTHORIZATION=f"Bearer {running.key}"), 0.0)
    assert found is not None
    assert found.learnt["200 OK"] == (200, [("Content-Type", "application/json")])


def test_strangers_and_endless_headers_are_not_remembered(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = taught(running)
    long = f"https://{'x' * 2 * MAX_ORIGIN}.example"
    made.learn(("/v1/assignments", "elsewhere", None, "http"), "200 OK", [])
    key = f"Bearer {running.key}"
    assert made.find(ONE, Scope.ASSIGN, Sent(HTTP_AUTHORIZATION="Bearer wk_no_body"), 0.0) is None
    assert made.find(ONE, Scope.ASSIGN, Sent(HTTP_AUTHORIZATION=key, HTTP_ORIGIN=long), 0.0) is not None
    assert not made._remembered
    monkeypatch.setattr(passages, "MAX_REMEMBERED", 3)
    for number in range(10):
        assert made.find(ONE, Scope.ASSIGN, Sent(HTTP_AUTHORIZATION=key, HTTP_ORIGIN=f"https://{number}"), 0.0)
    assert 0 < len(made._remembered) <= 3


def test_a_key_for_something_else_does_not_pass(running: Caller) -> None:
    reader = running.with_scopes("read")
    assert taught(running).find(ONE, Scope.ASSIGN, Sent(HTTP_AUTHORIZATION=f"Bearer {reader.key}"), 0.0) is None
