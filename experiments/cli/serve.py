"""`winnow serve`: the API and the pages, by Granian."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from experiments.bootstrap import build, make_spool_folder
from experiments.cli.console import err
from experiments.cli.streams import stream_process
from experiments.domain.errors import InvalidInput
from experiments.secret import secret_key
from experiments.settings import Settings
from experiments.storage.migrate import upgrade

APPLICATION = "api.wsgi:app"
"""Named, not imported: every server process builds its own."""
MOST_THREADS = 8
STOP_SECONDS = 10
"""How long requests under way may take to finish when the server is told to stop."""


@click.command()
@click.option("--host", help="Address to listen on; WINNOW_HOST, or 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on; WINNOW_PORT, or 8000.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Server processes.")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=lambda: default_threads(os.cpu_count()),
    show_default=f"{MOST_THREADS}, less on fewer than 4 cores",
    help="Threads per process.",
)
@click.option("--migrate", is_flag=True, help="Bring the database to the newest revision first.")
def serve(host: str | None, port: int | None, workers: int, threads: int, migrate: bool) -> None:
    """Serve the HTTP API and the pages until SIGTERM or Ctrl-C; requests under way are finished."""
    settings = Settings.from_environment()
    secret_key(settings)  # each process would fail by itself, and be started again
    if migrate:
        upgrade(settings.database_url)
    with build(settings).open_unit_of_work(read_only=True) as work:
        work.ping()
    address, number = host or settings.host, port or settings.port
    _refuse_used(address, number)
    if settings.stream_url:
        _refuse_used(address, settings.stream_port)
    make_spool_folder(settings)
    err().print(f"Winnow serves http://{address}:{number} (process {os.getpid()}).", soft_wrap=True)
    server = Granian(
        APPLICATION,
        address=address,
        port=number,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # to wait for what a connection will speak has no end, and HTTP/2 is the proxy's
        workers=workers,
        blocking_threads=threads,
        backlog=2_048,
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        websockets=False,
        log_level=LogLevels(settings.log_level),
    )
    with _metrics_folder(settings), stream_process(address) if settings.stream_url else nullcontext():
        server.serve()


def default_threads(cores: int | None) -> int:
    """Return how many threads a process has where nobody says: no more than Granian finds fit for so many cores."""
    return min(MOST_THREADS, 2 * (cores or 1) + 1)


@contextmanager
def _metrics_folder(settings: Settings) -> Iterator[None]:
    """Give our processes a place where they leave what they count, unless they were given one."""
    if settings.metrics_folder:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="winnow-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["WINNOW_METRICS_FOLDER"] = folder
        try:
            yield
        finally:
            del os.environ["WINNOW_METRICS_FOLDER"]


def _refuse_used(address: str, port: int) -> None:
    """Refuse a port that another process listens on: Granian would share it, and requests would reach either."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise InvalidInput(
                "address_unusable", f"Cannot listen on {address}:{port}: {error.strerror}. Choose another with --port."
            ) from None
