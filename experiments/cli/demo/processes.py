"""The demo's own server and worker: started, watched and ended by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from experiments.domain.errors import Unavailable

READY_SECONDS = 60
END_SECONDS = 15
TAIL_LINES = 30


class Child:
    """A `winnow` command in a process group of its own, with its output in a file."""

    def __init__(self, name: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "experiments.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise Unavailable where the process has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise Unavailable("process_ended", f"The {self.name} ended by itself with exit code {code}.")

    def wait(self) -> None:
        """Wait until it ends."""
        self._process.wait()

    def end(self) -> None:
        """Ask it to end, and insist where it does not; its own children go with it."""
        for request in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, request)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
                return

    def tail(self) -> str:
        """Return the end of its output."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])


@contextlib.contextmanager
def running(name: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[Child]:
    """Run a command as long as the block lasts; where the block fails, show the end of its output."""
    child = Child(name, arguments, log, environment)
    try:
        yield child
    except Exception:
        sys.stderr.write(f"--- the end of {child.log.name} ---\n{child.tail()}\n---\n")
        raise
    finally:
        child.end()


def free_port(host: str) -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(server: Child, address: str) -> None:
    """Wait for /readyz. Raises Unavailable where the server ends first or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        server.check()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/readyz", timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise Unavailable("server_not_ready", f"The server was not ready within {READY_SECONDS} seconds.")
