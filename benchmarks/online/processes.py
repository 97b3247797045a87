"""Servers in processes of their own, on loopback, each ended by its own id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.harness import Missing
from benchmarks.online.cores import SERVER, on_core

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
_READY_SECONDS, _END_SECONDS = 90, 20


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A process that listens; it leads a group of its own, so that what it started ends with it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """Ask it to end, and insist."""
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(_END_SECONDS)


def serve(
    command: Callable[[int], Sequence[str]], *, log: Path, environment: Mapping[str, str], ready: tuple[str, int]
) -> Server:
    """Start a server on its core, and wait for this status at this path. Raises Missing if it never comes."""
    port, (path, status) = free_port(), ready
    with on_core(SERVER), log.open("ab") as output:
        process = subprocess.Popen(
            command(port),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process=process, port=port, log=log)
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{server.address}{path}", timeout=5).status_code == status:
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    server.close()
    lines = log.read_text(errors="replace").strip().splitlines()
    raise Missing(f"a server that starts ({lines[-1][:200] if lines else 'it said nothing'})")
