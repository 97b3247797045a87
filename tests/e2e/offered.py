"""An experiment on real server processes, and workers beside them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from experiments.services.keys import Scope
from tests.e2e.load import make_known, start_offer
from tests.e2e.processes import COMMAND, ROOT, Server, environment, new_key, serving


@contextlib.contextmanager
def offered(url: str, folder: Path, *, asks_who: bool = False, **settings: str) -> Iterator[tuple[Server, str]]:
    """Two server processes with an experiment that exposes whoever asks, and a key for them.

    `asks_who`: it looks at what is remembered of units, and somebody was joined.
    """
    with serving(url, folder / "server.log", workers=2, settings=settings) as server:
        start_offer(server.address, new_key(url, Scope.ADMIN), asks_who=asks_who)
        key = new_key(url, Scope.INGEST, Scope.ASSIGN)
        make_known(server.address, key)
        yield server, key


@contextlib.contextmanager
def working(url: str, log: Path, **settings: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run a worker; the list lets a test exchange it."""
    running = [start_worker(url, log, **settings)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait(30)


def start_worker(url: str, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [*COMMAND, "worker", "--interval", "0.5"],
            cwd=ROOT,
            env=environment(url, **settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
