"""A client that does not wait long, and how to wait for what it does in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fake_server import KEY, FakeServer

from winnow_client import Client


@contextmanager
def made(server: FakeServer, told: list[str] | None = None, **changes: Any) -> Iterator[Client]:
    settings = {"poll_seconds": 0.02, "interval_seconds": 0.02, "close_seconds": 2.0, **changes}
    client = Client(server.url, KEY, on_problem=(told if told is not None else []).append, **settings)
    with client:
        yield client


def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
