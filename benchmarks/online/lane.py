"""Where our time goes in one request: the WSGI call in process, and its parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from time import perf_counter
from typing import Any

import msgspec

from api.lane.assignments import Ask
from api.lane.stops import stops
from benchmarks.harness import Work
from benchmarks.online.bare_app import bare_app
from benchmarks.online.house import House, experiment, house
from benchmarks.online.http import BEFORE, PATH, after, answers_of
from benchmarks.online.question import KEY
from experiments.services.keys import Scope

_BODY = f"{BEFORE}00000007{after(KEY)}".encode()


def whole_call(count: int) -> Work:
    """Call the app as the server does."""
    return _in_house(count, lambda made: _calls(made, made.client.application.wsgi_app))


def bare_call(count: int) -> Work:
    """Call the bare function."""
    return _in_house(count, lambda made: _calls(made, bare_app(answers_of(made, KEY))))


def no_call(count: int) -> Work:
    """Make what the server hands over, and hand it to nobody."""

    def nothing(_environ: object, _start: object) -> None:
        return None

    return _in_house(count, lambda made: _calls(made, nothing))


def caller(count: int) -> Work:
    """Find out who asks."""

    def make(made: House) -> Callable[[], object]:
        environ = _environ(made)
        lane: Any = made.client.application.wsgi_app
        lane({**environ, "wsgi.input": BytesIO(_BODY)}, lambda *_: None)
        passages, names = (
            lane._passages,
            ("HTTP_AUTHORIZATION", "HTTP_X_API_KEY", "HTTP_ORIGIN", "HTTP_X_FORWARDED_PROTO"),
        )

        def find() -> object:
            sent = (PATH, *(environ.get(name) for name in names), environ["wsgi.url_scheme"])
            found = passages.remembered.get(sent)
            return found if found and perf_counter() < found.until else passages.look_up(sent, Scope.ASSIGN)

        return find

    return _in_house(count, make)


def body(count: int) -> Work:
    """Read the body."""
    decode = msgspec.json.Decoder(Ask).decode
    return _in_house(count, lambda _: lambda: decode(_BODY))


def handler(count: int) -> Work:
    """Read the body, see that it is clean, decide, and put the answer together."""

    def make(made: House) -> Callable[[], object]:
        app = made.client.application
        handle = next(stop.handler for stop in stops(app, made.winnow) if stop.rule == PATH)
        principal = made.winnow.keys.authenticate(made.headers["Authorization"].removeprefix("Bearer "))
        return lambda: handle({}, _BODY, principal)

    return _in_house(count, make)


def _in_house(count: int, make: Callable[[House], Callable[[], object]]) -> Work:
    with ExitStack() as stack:
        call = make(stack.enter_context(house(experiment())))

        def run() -> None:
            for _ in range(count):
                call()

        return Work(run=run, numbers=lambda _: {}, count=count, close=stack.pop_all().close)


def _calls(made: House, app: Any) -> Callable[[], object]:
    environ = _environ(made)

    def start(_status: str, _headers: object, _error: object = None) -> None:
        pass

    def call() -> object:
        return app({**environ, "wsgi.input": BytesIO(_BODY)}, start)

    call()  # the lane learns its headers from Flask's first answer
    return call


def _environ(made: House) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(_BODY)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_AUTHORIZATION": made.headers["Authorization"],
        "HTTP_HOST": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
