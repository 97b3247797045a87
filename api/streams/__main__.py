"""`python -m api.streams`: the process that serves change streams; `winnow serve` starts one where they are wanted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from pathlib import Path

import click
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from api import logs
from api.metrics.metrics import Metrics
from api.metrics.shared import Shared
from api.streams.app import Streams
from experiments.bootstrap import Winnow, build
from experiments.domain.errors import Unauthenticated
from experiments.secret import secret_key
from experiments.services.keys import Scope
from experiments.settings import Settings

SLOWEST_LOOK_SECONDS = 0.5
"""Clients hear of a change within a second, however seldom the other processes look."""
SPARE = 64
"""Connections and files beyond the streams: refusals, probes, the database."""
ORPHAN_SECONDS = 1.0
"""How soon it is noticed that the parent was killed."""
_log = logs.logger("winnow.streams")


@click.command()
@click.option("--with-parent", is_flag=True, help="End when the process does that started us, and leave Ctrl-C to it.")
def main(with_parent: bool) -> None:
    """Serve change streams on WINNOW_HOST and WINNOW_STREAM_PORT until SIGTERM."""
    settings = Settings.from_environment()
    logs.configure(level=settings.log_level, as_json=settings.log_json)
    winnow = build(settings)
    _allow_files(settings.stream_limit + SPARE)
    streams = Streams(
        lambda: _catalog_version(winnow),
        lambda key_id: may_open(winnow, key_id),
        secret_key(settings),
        origins=settings.cors_origins,
        most=settings.stream_limit,
        look_every=min(settings.catalog_poll_seconds, SLOWEST_LOOK_SECONDS),
    )
    if settings.metrics_folder:
        metrics = Metrics()
        metrics.watch(streams.numbers)
        Shared(metrics, Path(settings.metrics_folder)).start()
    asyncio.run(_serve(streams, settings, with_parent))


async def _serve(streams: Streams, settings: Settings, with_parent: bool) -> None:
    server = Server(
        streams,
        address=settings.host,
        port=settings.stream_port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,  # or those who say nothing are waited for without end
        websockets=False,
        backlog=2_048,
        backpressure=settings.stream_limit + SPARE,
        log_level=LogLevels.debug if settings.log_level == "debug" else LogLevels.error,
    )
    _log.info("streams_open", host=settings.host, port=settings.stream_port, url=settings.stream_url)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, (lambda: None) if with_parent else ended.set)
    serving = asyncio.create_task(server.serve())
    waiting = asyncio.create_task(_orphaned(ended) if with_parent else ended.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await streams.close()
    server.stop()  # type: ignore[no-untyped-call]
    await serving


async def _orphaned(ended: asyncio.Event) -> bool:
    """Wait until told to end, or until another process has become our parent."""
    parent = os.getppid()
    while not ended.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), ORPHAN_SECONDS)
    return True


def _catalog_version(winnow: Winnow) -> int:
    with winnow.open_unit_of_work(read_only=True) as work:
        return work.catalog_version()


def may_open(winnow: Winnow, key_id: str) -> bool:
    """Say whether a key opens streams: whoever may ask what is shown may hear that it changes."""
    try:
        return winnow.keys.principal(key_id).may(Scope.ASSIGN)
    except Unauthenticated:
        return False


def _allow_files(wanted: int) -> None:
    """Raise our own limit of open files as far as we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


if __name__ == "__main__":
    main()
