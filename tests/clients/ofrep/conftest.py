"""A server on loopback, with flags of every type, for the clients of OpenFeature."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from experiments.services.keys import Scope
from experiments.storage import migrate
from tests.e2e.processes import Server, free_port, new_key
from tests.http.api_client import BANNER, MENS, VISIT

collect_ignore_glob = [] if find_spec("openfeature") else ["test_*.py"]

CLIENTS = Path(__file__).parents[1]
VALUES: Mapping[str, Any] = {
    "yes": True,
    "no": False,
    "text": "Grüße",
    "whole": 7,
    "float": 1.0,
    "half": 0.5,
    "object": {"headline": "new", "sizes": [1, 2.0], "more": {"deep": None}},
}
"""Flags that everybody sees alike."""
CLAIM = ("experiment", "version", "segment", "variant")


@dataclass
class Site:
    server: Server
    root: str
    key: str

    @property
    def url(self) -> str:
        return self.server.address

    def do(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.root}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=30)
        assert answer.is_success, answer.text
        return answer

    def new_key(self, *scopes: Scope) -> str:
        return new_key(self.server.url, *scopes)

    def node(self, script: str, *arguments: str, key: str | None = None) -> subprocess.Popen[str]:
        """Start a script of `tests/clients/{node,web}`; it prints one line of JSON for each thing that it tells."""
        return subprocess.Popen(
            ["node", script, *arguments],
            cwd=CLIENTS,
            env={**os.environ, "BASE_URL": self.url, "KEY": key or self.key},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )


def told(process: subprocess.Popen[str]) -> Any:
    """Return the next thing that a script tells."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the script has ended"
    return json.loads(line)


def _start(folder: Path, more: dict[str, str]) -> Site:
    url = f"sqlite:///{folder / 'winnow.sqlite'}"
    migrate.upgrade(url)
    server = Server(url=url, log=folder / "serve.log", settings=more)
    try:
        server.start()
        return Site(server, new_key(url, Scope.ADMIN), new_key(url, Scope.ASSIGN))
    except BaseException:
        server.clean_up()
        raise


def _run(site: Site, key: str, **changes: Any) -> None:
    site.do("POST", "/v1/experiments", {**BANNER, "key": key, **changes})
    site.do("POST", f"/v1/experiments/{key}/start")


def _alike(value: Any) -> dict[str, Any]:
    content = {} if value is None else {"content": value}
    variants = [{"key": "a", "name": "A", "is_control": True, **content}, {"key": "b", "name": "B", **content}]
    return {"variants": variants, "segments": [{"segment": "everyone", "weights": {"a": 1, "b": 0}}]}


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    port = free_port()
    more = {
        "WINNOW_STREAM_URL": f"http://127.0.0.1:{port}",
        "WINNOW_STREAM_PORT": str(port),
        "WINNOW_CORS_ORIGINS": "https://shop.example",
    }
    with tempfile.TemporaryDirectory() as folder:
        made = _start(Path(folder), more)
        try:
            made.do("POST", "/v1/segments", MENS)
            made.do("POST", "/v1/metrics", VISIT)
            for key, value in VALUES.items():
                _run(made, f"flag.{key}", **_alike(value))
            _run(made, "nothing", **_alike(None))
            for key in ("banner", "polled", "streamed", "resting"):
                _run(made, key, salt="banner")
            made.do("POST", "/v1/experiments/resting/pause")
            _wait_for_streams(port)
            yield made
        finally:
            made.server.clean_up()


@pytest.fixture(scope="module")
def limited() -> Iterator[Site]:
    """Two requests at once, and one every two seconds."""
    with tempfile.TemporaryDirectory() as folder:
        more = {"WINNOW_RATE_LIMIT_PER_SECOND": "0.5", "WINNOW_RATE_LIMIT_BURST": "2"}
        made = _start(Path(folder), more)
        try:
            made.do("POST", "/v1/metrics", VISIT)
            _run(made, "flag.text", **_alike("Grüße"))
            yield made
        finally:
            made.server.clean_up()


def _wait_for_streams(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("no streams")
