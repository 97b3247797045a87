"""Real `winnow` processes for tests: each in a process group of its own, ended by its id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from experiments.bootstrap import build
from experiments.services.keys import Scope
from experiments.settings import Settings
from experiments.spool.listing import spooled

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "experiments.cli"]


def environment(url: str, **more: str) -> dict[str, str]:
    """What a process is told about one database."""
    return {
        **os.environ,
        "WINNOW_DATABASE_URL": url,
        "WINNOW_SECRET_KEY": "a secret that only this test knows",
        "WINNOW_CATALOG_POLL_SECONDS": "0.1",
        "WINNOW_LOG_LEVEL": "warning",
        "WINNOW_SPOOL_DIR": str(Path(tempfile.gettempdir()) / "winnow-test-spool"),
        **more,
    }


def winnow(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """`winnow serve`, which may be killed and started again on the same port."""

    url: str
    log: Path
    workers: int = 1
    threads: int | None = None
    migrate: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spool_folder(self) -> Path:
        return Path(self.settings.get("WINNOW_SPOOL_DIR", self.log.parent / "spool"))

    def wait_until_drained(self, seconds: float = 30) -> None:
        """Wait until the database has all that was acknowledged."""
        deadline = time.monotonic() + seconds
        while any(one.depth is None or one.depth.rows for one in spooled(self.spool_folder)):
            assert time.monotonic() < deadline, list(spooled(self.spool_folder))
            time.sleep(0.02)

    def start(self) -> None:
        arguments = ["serve", "--port", str(self.port), "--workers", str(self.workers)]
        arguments += ["--migrate"] if self.migrate else []
        arguments += [] if self.threads is None else ["--threads", str(self.threads)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=ROOT,
                env=environment(self.url, **{"WINNOW_SPOOL_DIR": str(self.spool_folder)} | self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/readyz", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log.read_text()}")

    def kill(self) -> None:
        """SIGKILL the whole group: parent and workers have no moment left."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask the parent to end and return its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(30)

    def clean_up(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)


@contextlib.contextmanager
def serving(
    url: str,
    log: Path,
    *,
    workers: int = 1,
    threads: int | None = None,
    migrate: bool = False,
    settings: dict[str, str] | None = None,
) -> Iterator[Server]:
    server = Server(url=url, log=log, workers=workers, threads=threads, migrate=migrate, settings=settings or {})
    try:
        server.start()
        yield server
    finally:
        server.clean_up()


def new_key(url: str, *scopes: Scope) -> str:
    """Make an API key straight in the database."""
    return build(Settings(database_url=url)).keys.create("test", frozenset(scopes), actor="test").text
