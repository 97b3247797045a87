"""The worker: computes results where there is something new, and takes promotions on their way."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from types import FrameType
from typing import Protocol

import click
import structlog

from experiments.bootstrap import Winnow, build, deliverer
from experiments.domain.errors import DomainError, PromotionRefused
from experiments.domain.experiment import Experiment, Status
from experiments.domain.retention import AFTER_STOP_SECONDS
from experiments.services.analysing.adapt import Adapter
from experiments.services.analysing.analyse import Analyst
from experiments.services.analysing.ports import Snapshot
from experiments.services.drift.drift import Drifter
from experiments.services.following.saying import register
from experiments.services.following.turns import follow_log
from experiments.services.forgetting.retention import Retention
from experiments.services.promoting.advance import MACHINE, MOST_STEPS
from experiments.services.segments.reporter import SegmentReporter
from experiments.services.segments.tables import Progress
from experiments.settings import Settings

LEASE = "worker"
LEASE_SECONDS = 60
LOOK_AGAIN_SECONDS = 300
"""Without new results, promotions are looked at this often: for what expires, and for the end of quiet hours."""
DELIVERIES = 100
"""At most so many notices are sent between two rounds."""
FOLLOW_SECONDS = 2.0
"""Between two rounds the log is looked at this often: who buys changes segments within seconds."""
FOLLOW_STEPS = 50
"""At most so many transactions of following, or of retention, are done before others have their turn."""
MAXIMUM_AGE_SECONDS = 3_600
"""A running experiment gets a new snapshot at least this often, so that evidence does not go stale."""

log = structlog.get_logger("winnow.worker")


class LeaseLost(Exception):
    """Not an error: another worker has the lease."""


class Stopping(Exception):
    """Not an error: the worker was told to stop in the middle of something long."""


@contextmanager
def _logged(failed: str, **what: str) -> Iterator[None]:
    """Trouble in one thing is logged, and the others go on; a lost lease and the word to stop are for all of them."""
    try:
        yield
    except (LeaseLost, Stopping):
        raise
    except DomainError as trouble:
        log.warning(failed, **what, code=trouble.code, message=trouble.message)
    except Exception:
        log.exception(failed, **what)


class Computes(Protocol):
    """What the worker needs of the analyst."""

    def is_due(self, key: str, maximum_age_seconds: float) -> bool: ...

    def analyse(self, key: str, progress: Callable[[int, int], None] | None = None) -> Snapshot: ...


class Worker:
    """Only the holder of the lease acts; it renews the lease between steps, and stops acting when it is lost."""

    def __init__(
        self,
        winnow: Winnow,
        analyst: Computes,
        *,
        holder: str,
        stop: threading.Event,
        lease_seconds: int = LEASE_SECONDS,
        deliver: Callable[[], int] = lambda: 0,
        adapt: Callable[[str], object] = lambda key: None,
        follow: Callable[[], bool] = lambda: False,
        retain: Callable[[], bool] = lambda: False,
        drift: Callable[[str, Callable[[int, int], None]], object] = lambda key, progress: None,
        report: Callable[[Progress], bool] = lambda progress: False,
    ) -> None:
        self._winnow = winnow
        self._analyst = analyst
        self._holder = holder
        self._stop = stop
        self._lease_seconds = lease_seconds
        self._deliver = deliver
        self._adapt = adapt
        self._follow = follow
        self._retain = retain
        self._drift = drift
        self._report = report
        self._renewed_at: datetime | None = None
        self._followed_at = 0.0
        self._acted_at: dict[str, datetime] = {}

    def run(self, interval_seconds: float) -> None:
        """Do a round every so often until told to stop; then give the lease back."""
        try:
            while not self._stop.is_set():
                with _logged("round_failed"):
                    self.round()
                self.deliver()
                self._wait(interval_seconds)
        finally:
            self.release()

    def _wait(self, seconds: float) -> None:
        """Until the next round, or until told to stop, only the log is followed."""
        until = monotonic() + seconds
        while not self._stop.wait(max(0.0, min(FOLLOW_SECONDS, until - monotonic()))) and monotonic() < until:
            if self._renewed_at is not None:
                self._follow_between()

    def _follow_between(self) -> None:
        try:
            self._keep_lease(0, 0)
            self._follow_log()
            self._report_segments()
        except LeaseLost:
            log.info("lease_held_by_another", holder=self._holder)
        except Exception:
            log.exception("follow_failed")

    def round(self) -> bool:
        """Look at every experiment once; False where another worker has the lease."""
        try:
            self._renew()
            self._follow_log()
            for experiment in self._experiments():
                if self._stop.is_set():
                    break
                self._renew()
                with _logged("experiment_failed", experiment=experiment.key):
                    self._look_at(experiment)
            self._step_by_step(self._retain, "retention_failed")
            self._report_segments()
        except LeaseLost:
            log.info("lease_held_by_another", holder=self._holder)
            return False
        return True

    def _follow_log(self, most_steps: int = FOLLOW_STEPS) -> None:
        """Bring profiles up to the log, as far as there is time; the rest comes next time."""
        self._followed_at = monotonic()
        self._step_by_step(self._follow, "follow_failed", most_steps)

    def _step_by_step(self, step: Callable[[], bool], failed: str, most_steps: int = FOLLOW_STEPS) -> None:
        with _logged(failed):
            for _ in range(most_steps):
                if self._stop.is_set() or not step():
                    break
                self._keep_lease(0, 0)

    def _report_segments(self) -> None:
        """Look at everybody where a report of a segment is due."""
        try:
            with _logged("reports_failed"):
                self._report(self._mind)
        except Stopping:
            log.info("reports_left_for_later", holder=self._holder)

    def _mind(self, done: int, total: int | None, label: str | None = None) -> None:
        """In the middle of a long look: stop where told to, keep the lease, and follow the log a little further.

        One step at a time: what is being read must not wait for long, or the database ends it.
        """
        if self._stop.is_set():
            raise Stopping
        self._keep_lease(done, total or 0)
        if monotonic() - self._followed_at >= FOLLOW_SECONDS:
            self._follow_log(most_steps=1)

    def deliver(self) -> None:
        """Send what is due in the outbox, with the lease or without: deliveries are claimed one by one."""
        with _logged("delivery_failed"):
            self._deliver()

    def release(self) -> None:
        """Give the lease back, where it is ours."""
        if self._renewed_at is None:
            return
        self._renewed_at = None
        with self._winnow.open_unit_of_work() as work:
            work.leases.release(LEASE, holder=self._holder)
            work.commit()

    def _renew(self) -> None:
        now = self._winnow.clock()
        with self._winnow.open_unit_of_work() as work:
            ours = work.leases.acquire(LEASE, holder=self._holder, now=now, ttl_seconds=self._lease_seconds)
            work.commit()
        if not ours:
            self._renewed_at = None
            raise LeaseLost
        self._renewed_at = now

    def _keep_lease(self, done_rows: int, total_rows: int) -> None:
        """Renew in the middle of a long analysis."""
        third = timedelta(seconds=self._lease_seconds / 3)
        if self._renewed_at is None or self._winnow.clock() - self._renewed_at > third:
            self._renew()

    def _experiments(self) -> list[Experiment]:
        since = self._winnow.clock() - timedelta(seconds=AFTER_STOP_SECONDS)
        with self._winnow.open_unit_of_work(read_only=True) as work:
            found = work.experiments.with_status((Status.RUNNING, Status.STOPPED))
        return [e for e in found if e.status is Status.RUNNING or (e.stopped_at is not None and e.stopped_at >= since)]

    def _look_at(self, experiment: Experiment) -> None:
        key, running = experiment.key, experiment.status is Status.RUNNING
        is_due = self._analyst.is_due(key, MAXIMUM_AGE_SECONDS if running else AFTER_STOP_SECONDS)
        if is_due:
            snapshot = self._analyst.analyse(key, progress=self._keep_lease)
            log.info("analysed", experiment=key, snapshot=snapshot.id, version=snapshot.version)
        if is_due or self._is_long_ago(key):
            self._act(experiment, running=running)
            self._acted_at[key] = self._winnow.clock()
            # Last, and once a day: it describes, and nothing waits for it.
            self._renew()
            if self._drift(key, self._keep_lease) is not None:
                log.info("drift_computed", experiment=key)

    def _is_long_ago(self, key: str) -> bool:
        acted_at = self._acted_at.get(key)
        return acted_at is None or abs(self._winnow.clock() - acted_at) >= timedelta(seconds=LOOK_AGAIN_SECONDS)

    def _act(self, experiment: Experiment, *, running: bool) -> None:
        """Take promotions on their way, tell of trouble, adapt splits."""
        key = experiment.key
        for segment in self._winnow.advancer.due(key):
            self._advance(key, segment)
        self._winnow.alerter.tell(key)
        if running and experiment.definition.adaptive is not None:
            # Last: a new split makes the snapshot one of the past.
            self._renew()
            if self._adapt(key) is not None:
                log.info("adapted", experiment=key)

    def _advance(self, key: str, segment: str) -> None:
        """One step after another, each a transaction, as long as there is one to do."""
        for _ in range(MOST_STEPS):
            self._renew()
            try:
                promotion = self._winnow.advancer.step(key, segment)
            except PromotionRefused as refusal:
                log.info("promotion_refused", experiment=key, segment=segment, code=refusal.code)
                return
            except DomainError as trouble:
                # Not the business of the other segments: one of them may have to be taken back.
                log.warning("step_failed", experiment=key, segment=segment, code=trouble.code, message=trouble.message)
                return
            if promotion is None:
                return
            what = {"segment": segment, "variant": promotion.variant, "promotion": promotion.id}
            log.info(promotion.state.value, experiment=key, **what)


def holder_name() -> str:
    """Return a name for this process that no other one has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


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
    deliver = deliverer(winnow).deliver_due
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
        deliver=lambda: deliver(DELIVERIES),
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
    """Do the next batch, and tell where rows were deleted."""
    before = retention.going.deleted if retention.going else 0
    is_going_on = retention.step()
    going = retention.going
    if going is not None and going.deleted != before:
        log.info("expired", deleted_rows=going.deleted, of_rows=going.rows, looked_ids=going.looked, of_ids=going.ids)
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
        return working.round()
    finally:
        working.deliver()
        working.release()
