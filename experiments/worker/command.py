"""The command `winnow worker`: what it is made of, and how it ends."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from types import FrameType

import click
import structlog

from experiments.bootstrap import build, deliverer
from experiments.services.analysing.adapt import Adapter
from experiments.services.analysing.analyse import Analyst
from experiments.services.drift.drift import Drifter
from experiments.services.following.saying import register
from experiments.services.following.turns import follow_log
from experiments.services.forgetting.retention import Retention
from experiments.services.promoting.advance import MACHINE
from experiments.services.segments.reporter import SegmentReporter
from experiments.settings import Settings
from experiments.worker.lease import holder_name
from experiments.worker.worker import Worker

LOOKED_IDS = 1_000_000
"""Each time that retention has looked at so many, it is told, whether rows were deleted or not."""

log = structlog.get_logger("winnow.worker")


@click.command()
@click.option("--once", is_flag=True, help="Do one round and end; exit code 1 where another worker has the lease.")
@click.option(
    "--interval", type=click.FloatRange(0.1), help="Seconds between rounds; WINNOW_WORKER_INTERVAL_SECONDS, or 60."
)
def worker(once: bool, interval: float | None) -> None:
    """Compute results and promote winners, again and again, until SIGTERM or Ctrl-C.

    Several may run: one works, the others stand by.
    """
    settings = Settings.from_environment()
    _log_as(settings)
    winnow = build(settings)
    with winnow.open_unit_of_work(read_only=True) as work:
        work.ping()
    stop = threading.Event()

    def finish(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    analyst = Analyst(winnow.open_unit_of_work, winnow.clock)
    adapter = Adapter(winnow.catalog, winnow.open_unit_of_work, winnow.clock)
    followers = follow_log(
        winnow.open_unit_of_work,
        winnow.clock,
        partial(register, winnow.author.sources, winnow.author.attributes, winnow.open_unit_of_work),
        purchases=settings.purchase_events,
        engagement=settings.engagement_events,
        cuts_seconds=3_600 * settings.cuts_hours,
    )
    reporter = SegmentReporter(
        winnow.open_unit_of_work,
        winnow.clock,
        failed=_segment_failed,
        purchases=settings.purchase_events,
        hours=settings.segments_hours,
    )
    working = Worker(
        winnow,
        analyst,
        holder=holder_name(),
        stop=stop,
        deliver=deliverer(winnow).deliver_due,
        adapt=lambda key: adapter.step(key, actor=MACHINE),
        follow=followers.step,
        retain=partial(
            _retain, Retention(winnow.open_unit_of_work, winnow.clock, settings.retention_days, actor=MACHINE)
        ),
        drift=Drifter(winnow.open_unit_of_work, winnow.clock).step,
        report=reporter.step,
    )
    log.info("started", interval_seconds=interval or settings.worker_interval_seconds)
    if not once:
        working.run(interval or settings.worker_interval_seconds)
    elif not _round(working):
        raise SystemExit(1)
    log.info("ended")


def _retain(retention: Retention) -> bool:
    """Do the next batch, and tell where rows were deleted; else, now and then, how far it is."""
    deleted, looked = (retention.going.deleted, retention.going.looked) if retention.going else (0, 0)
    is_going_on = retention.step()
    going = retention.going
    if going is not None:
        event = "expired" if going.deleted != deleted else "looked_for_expired"
        if event == "expired" or looked // LOOKED_IDS < going.looked // LOOKED_IDS:
            log.info(event, deleted_rows=going.deleted, of_rows=going.rows, looked_ids=going.looked, of_ids=going.ids)
    return is_going_on


def _segment_failed(segment: str, trouble: Exception) -> None:
    code = getattr(trouble, "code", "unexpected")
    log.warning("segment_report_failed", segment=segment, code=code, message=str(trouble), exc_info=trouble)


def _log_as(settings: Settings) -> None:
    """Log to stderr, as lines for people or as JSON for machines."""
    render = structlog.processors.JSONRenderer() if settings.log_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _round(working: Worker) -> bool:
    try:
        return working.round(is_only=True)
    finally:
        working.deliver()
        working.release()
