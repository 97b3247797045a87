"""Who may pass the fast lane is remembered by what was sent, for a moment, and never for longer or for another."""

from __future__ import annotations

from typing import Any

import pytest

from api.lane import lane, passages
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


def look_up(made: Passages, **headers: str) -> passages.Passage | None:
    names = ("HTTP_AUTHORIZATION", "HTTP_X_API_KEY", "HTTP_ORIGIN")
    bearer, key, origin = (headers.get(name) for name in names)
    return made.look_up((ONE, bearer, key, origin, None, "http"), Scope.ASSIGN)


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


def test_it_is_good_for_a_moment_and_no_longer_than_the_key(
    running: Caller, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, asked = [100.0], []
    for module in (lane, passages):
        monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    keys: Any = running.winnow.keys
    authenticate = keys.authenticate
    monkeypatch.setattr(keys, "authenticate", lambda text: asked.append(text) or authenticate(text))

    def times_asked_at(*instants: float) -> int:
        for now[0] in instants:
            answer = lanes.fast(ONE, BODY)
            assert (answer.status, answer.by_flask) == ("200 OK", False)
        return len(asked)

    assert times_asked_at(1e9, 1e9 + 0.5, 1e9 + 0.999) == 1
    assert times_asked_at(1e9 + 1) == 2
    keys.revocations += 1
    assert times_asked_at(1e9 + 1.1) == 3


def test_what_is_kept_of_headers_is_what_answers_have_in_common(running: Caller) -> None:
    found = look_up(taught(running), HTTP_AUTHORIZATION=f"Bearer {running.key}")
    assert found is not None
    assert found.learnt["200 OK"] == (200, [("Content-Type", "application/json")])


def test_strangers_and_endless_headers_are_not_remembered(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = taught(running)
    made.learn(("/v1/assignments", "elsewhere", None, "http"), "200 OK", [])
    key = f"Bearer {running.key}"
    assert look_up(made, HTTP_AUTHORIZATION="Bearer wk_no_body") is None
    long = "x" * 2 * MAX_ORIGIN
    assert look_up(made, HTTP_AUTHORIZATION=key, HTTP_ORIGIN=long) is None
    assert look_up(made, HTTP_AUTHORIZATION=key, HTTP_X_API_KEY=long) is not None
    assert not made.remembered
    monkeypatch.setattr(passages, "MAX_REMEMBERED", 3)
    for number in range(10):
        assert look_up(made, HTTP_AUTHORIZATION=key, HTTP_ORIGIN=f"https://{number}")
    assert 0 < len(made.remembered) <= 3


def test_a_cookie_of_somebody_signed_in_is_for_nobody_else(running: Caller) -> None:
    """Pages renew it with every answer; had the lane learnt that, it would hand it to all."""
    browser = running.client
    with browser.session_transaction() as session:
        session.permanent = True
        session["key_id"] = "somebody"
    cookie = browser.get_cookie("winnow_session")
    assert cookie is not None
    lanes = Lanes.of(running)
    for path, body in ((ONE, BODY), ("/ofrep/v1/evaluate/flags", b'{"context":{"targetingKey":"u1"}}')):
        signed_in = lanes.fast(path, body, HTTP_COOKIE=f"winnow_session={cookie.value}")
        strangers = [lanes.fast(path, body) for _ in range(2)]
        assert [answer.by_flask for answer in (signed_in, *strangers)] == [True, True, False]
        for answer in (signed_in, *strangers):
            assert {"Set-Cookie", "Vary"}.isdisjoint(name for name, _ in answer.headers)
    assert "Set-Cookie" in browser.get("/sign-in").headers


def test_an_answer_with_a_cookie_teaches_nobody(running: Caller) -> None:
    made = Passages(running.winnow.keys, ())
    place = made.place(ONE, Sent())
    assert place is not None
    made.learn(place, "200 OK", [("Content-Type", "application/json"), ("set-cookie", "winnow_session=secret")])
    assert look_up(made, HTTP_AUTHORIZATION=f"Bearer {running.key}") is None
    assert made.place(ONE, Sent(HTTP_COOKIE="a=b")) is None


@pytest.mark.parametrize("first", ["", "HTTPS://SHOP.EXAMPLE", "https://evil.example"])
def test_origins_that_flask_takes_for_ours_teach_nothing_about_others(lanes: Lanes, first: str) -> None:
    for origin in (
        first,
        "https://evil.example",
        "",
        "HTTPS://SHOP.EXAMPLE",
        "https://shop.example",
        "https://evil.example",
    ):
        lanes.same(ONE, BODY, HTTP_ORIGIN=origin)


def test_places_come_and_go(running: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where any page may ask, nobody can fill what is learnt so that others find no room."""
    monkeypatch.setattr(passages, "MAX_PLACES", 3)
    made = Passages(running.winnow.keys, ("*",))
    key = f"Bearer {running.key}"
    for number in range(10):
        sent = Sent(HTTP_AUTHORIZATION=key, HTTP_ORIGIN=f"https://{number}.example")
        place = made.place(ONE, sent)
        assert place is not None
        made.learn(place, "200 OK", [])
        assert look_up(made, **sent) is not None
        assert len(made._learnt) <= 3


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "+16"},
        {"CONTENT_LENGTH": "1_6"},
        {"CONTENT_LENGTH": "١٦"},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
    ],
)
def test_lengths_that_are_not_plain_are_flask_s(lanes: Lanes, environ: dict[str, str]) -> None:
    assert len(BODY) == 16
    assert lanes.same(ONE, BODY, **environ).by_flask


def test_a_key_for_something_else_does_not_pass(running: Caller) -> None:
    reader = running.with_scopes("read")
    assert look_up(taught(running), HTTP_AUTHORIZATION=f"Bearer {reader.key}") is None
