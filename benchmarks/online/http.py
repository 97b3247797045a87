"""Assignments over HTTP: ours, the bare function in the same server, and Unleash's, each alone on the server's core."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any
from zlib import crc32

import httpx
import psycopg

from benchmarks.harness import Numbers, Work
from benchmarks.online.bare_app import PATH_VARIABLE
from benchmarks.online.databases import Ground
from benchmarks.online.house import EXPERIMENTS, House, experiment, house
from benchmarks.online.processes import Server, serve
from benchmarks.online.question import COUNTRY, KEY
from benchmarks.online.wrk import CONNECTIONS, Load, post_script, wrk

PATH = "/v1/assignments"
BEFORE = '{"unit_id":"customer-'
STORED_SECONDS = 120
MOST_PAUSE_MS = 10
"""Of a customer between two requests."""
TOP_SECONDS = 2
"""How long the top rate is looked for before it is halved."""


def after(key: str) -> str:
    """Return the rest of the body behind the unit's id."""
    return f'","attributes":{{"country":"{COUNTRY}","plan":"gold","visits":7}},"experiment":"{key}"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Our server with a house behind it."""

    server: Server
    headers: dict[str, str]


def winnow_server(stack: ExitStack, ground: Ground, url: str) -> Running:
    """Start `winnow serve` on this database."""
    with house(*EXPERIMENTS, url=url) as made:
        headers = made.headers
    server = serve(
        lambda port: [sys.executable, "-m", "experiments.cli", "serve", "--port", str(port)],
        log=ground.folder / f"{uuid.uuid4().hex}.log",
        environment=environment(ground, url),
        ready=("/readyz", 200),
    )
    stack.callback(server.close)
    return Running(server=server, headers=headers)


def bare_server(stack: ExitStack, ground: Ground, key: str) -> Running:
    """Start the bare function with the answers that Winnow gives."""
    answers = ground.folder / f"{uuid.uuid4().hex}.json"
    with house(experiment(key)) as made:
        answers.write_text(json.dumps(answers_of(made, key)))
    url = ground.sqlite()
    server = serve(
        lambda port: [
            sys.executable,
            "-m",
            "benchmarks.online.bare_server",
            "--port",
            str(port),
        ],
        log=ground.folder / f"{uuid.uuid4().hex}.log",
        environment={**environment(ground, url), PATH_VARIABLE: str(answers)},
        ready=("/", 500),  # it knows nothing but what it is measured with
    )
    stack.callback(server.close)
    return Running(server=server, headers={"Authorization": "Bearer nobody looks at this"})


def environment(ground: Ground, url: str) -> dict[str, str]:
    """Return what a server is told."""
    return {
        "WINNOW_DATABASE_URL": url,
        "WINNOW_SECRET_KEY": "only for a benchmark, and nobody else",
        "WINNOW_SPOOL_DIR": str(ground.folder / f"spool-{uuid.uuid4().hex}"),
        "WINNOW_LOG_LEVEL": "error",
    }


def answers_of(made: House, key: str) -> dict[str, Any]:
    """Ask for units until both answers were seen; the lower half of places is the control's."""
    found: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    for number in range(100):
        body = json.loads(f"{BEFORE}{number}{after(key)}")
        answer = made.client.post(PATH, json=body, headers=made.headers)
        found[answer.get_json()["assignments"][0]["variant"]] = answer.text
        headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
    return {"salt": f"{key}/variant", "lower": found["control"], "upper": found["treatment"], "headers": headers}


def winnow(ground: Ground, key: str, *, seconds: int, connections: int = CONNECTIONS) -> Work:
    """Ask our server; where asking is showing, wait after each run, off the clock, until all of it is stored."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        url = ground.postgres()
        running = winnow_server(stack, ground, url)
        exposes = key != KEY
        stored = _Stored(stack, url) if exposes else None
        return _asked(
            stack, ground, running, key, seconds=seconds, counts=exposes, stored=stored, connections=connections
        )


def bare(ground: Ground, key: str, *, seconds: int, connections: int = CONNECTIONS) -> Work:
    """Ask the bare function the same."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        running = bare_server(stack, ground, key)
        return _asked(
            stack, ground, running, key, seconds=seconds, counts=key != KEY, stored=None, connections=connections
        )


class _Stored:
    """Counts what arrives in the table of exposures."""

    def __init__(self, stack: ExitStack, url: str) -> None:
        self._connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        self._asked = 0

    def wait(self, requests: int) -> None:
        """Raise RuntimeError where an exposure that was acknowledged does not come."""
        self._asked += requests
        deadline = time.monotonic() + STORED_SECONDS
        while (found := self._count()) < self._asked:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._asked} exposures were acknowledged, {found} are stored")
            time.sleep(0.05)
        # Requests whose answers came too late to be counted were stored as well.
        time.sleep(0.3)
        self._asked = self._count()

    def _count(self) -> int:
        row = self._connection.execute("SELECT count(*) FROM exposures").fetchone()
        return int(row[0]) if row else 0


def _asked(
    stack: ExitStack,
    ground: Ground,
    running: Running,
    key: str,
    *,
    seconds: int,
    counts: bool,
    stored: _Stored | None,
    connections: int,
) -> Work:
    script = post_script(ground.folder / f"{uuid.uuid4().hex}.lua", BEFORE, after(key), counts=counts)
    runs = count()

    def run() -> Load:
        argument = f"{next(runs)}-" if counts else "00000007"
        load = wrk(
            running.server.address + PATH,
            script,
            seconds=seconds,
            headers=running.headers,
            argument=argument,
            connections=connections,
        )
        if stored is not None:
            stored.wait(load.requests)
        return load

    def numbers(_: object) -> Numbers:
        return said(running, key)

    run()
    return Work(run=run, numbers=numbers, seconds=lambda load: load.seconds_each, close=stack.pop_all().close)


def said(running: Running, key: str) -> Numbers:
    """Sum up what is answered to a hundred units, byte by byte."""
    total = 0
    with httpx.Client(headers={**running.headers, "Content-Type": "application/json"}) as client:
        for number in range(100):
            body = f"{BEFORE}look-{number}{after(key)}"
            answer = client.post(running.server.address + PATH, content=body).raise_for_status()
            total = crc32(answer.content, total)
    return {"answers": total}


def wait(ground: Ground, *, of: str, quantile: int, seconds: int) -> Work:
    """Ask at half of the top rate, and take a percentile of how long answers took."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        server = ground.share(f"server {of}", lambda: _half(ground, of, seconds), lambda made: made.close())
        return Work(
            run=partial(server.load_for, quantile),
            numbers=lambda _: {},
            seconds=lambda load: load.waits[quantile],
            close=stack.pop_all().close,
        )


class _Half:
    """Customers who pause between their requests: so many that the server is asked at half of its top rate.

    That rate is looked up again just before, as a machine's pace changes from minute to minute, and half of what a
    better one gave may be most of what this one does. All percentiles of a round are of the same answers.
    """

    def __init__(self, ask: Callable[[int, int], Load], close: Callable[[], None]) -> None:
        self.close = close
        self._ask = ask
        self._seconds_apart = MOST_PAUSE_MS / 2_000
        self._load: Load | None = None
        self._taken: set[int] = set()

    def load_for(self, quantile: int) -> Load:
        """Return what this percentile has not been taken of yet."""
        if self._load is None or quantile in self._taken:
            self._load, self._taken = self._ask_at_half(), set()
        self._taken.add(quantile)
        return self._load

    def _ask_at_half(self) -> Load:
        wished = 1 / self._ask(CONNECTIONS, 0).seconds_each / 2
        connections = max(1, round(wished * self._seconds_apart))
        load = self._ask(connections, MOST_PAUSE_MS)
        self._seconds_apart = connections * load.seconds_each
        return load


def _half(ground: Ground, of: str, seconds: int) -> _Half:
    with ExitStack() as stack:
        running = winnow_server(stack, ground, ground.postgres()) if of == "winnow" else bare_server(stack, ground, KEY)

        def ask(connections: int, pause: int) -> Load:
            path = ground.folder / f"{uuid.uuid4().hex}.lua"
            script = post_script(path, BEFORE, after(KEY), counts=False, most_pause_ms=pause)
            address, headers = running.server.address + PATH, running.headers
            return wrk(
                address,
                script,
                seconds=seconds if pause else TOP_SECONDS,
                headers=headers,
                argument="7",
                connections=connections,
            )

        return _Half(ask, stack.pop_all().close)
