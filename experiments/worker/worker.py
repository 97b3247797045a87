"""The worker's rounds: every experiment is looked at, and between two rounds the log is followed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count, islice
from time import monotonic
from typing import Protocol

import structlog

from experiments.bootstrap import Winnow
from experiments.domain.errors import DomainError, PromotionRefused, cause_of
from experiments.domain.experiment import Experiment, Status
from experiments.domain.retention import AFTER_STOP_SECONDS
from experiments.services.analysing.ports import Snapshot
from experiments.services.promoting.advance import MOST_STEPS
from experiments.services.segments.tables import Progress
from experiments.worker.lease import LEASE_SECONDS, Lease, LeaseLost

LOOK_AGAIN_SECONDS = 300
"""Without new results, promotions are looked at this often: for what expires, and for the end of quiet hours."""
DELIVERIES = 100
"""At most so many notices are sent in one go."""
DELIVER_SECONDS = 2.0
"""The outbox is looked at this often."""
FOLLOW_SECONDS = 2.0
"""Between two rounds the log is looked at this often: who buys changes segments within seconds."""
FOLLOW_STEPS = 50
"""At most so many transactions of following, or of retention, are done before others have their turn."""
MAXIMUM_AGE_SECONDS = 3_600
"""A running experiment gets a new snapshot at least this often, so that evidence does not go stale."""

log = structlog.get_logger("winnow.worker")


class Stopping(Exception):
    """Not an error: the worker was told to stop in the middle of something long."""


def _cause(trouble: DomainError) -> dict[str, str]:
    cause = cause_of(trouble)
    return {"cause": cause} if cause else {}


@contextmanager
def _logged(failed: str, **what: str) -> Iterator[None]:
    """Trouble in one thing is logged, and the others go on; a lost lease and the word to stop are for all of them."""
    try:
        yield
    except (LeaseLost, Stopping):
        raise
    except DomainError as trouble:
        log.warning(failed, **what, code=trouble.code, message=trouble.message, **_cause(trouble))
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
        deliver: Callable[[int, Callable[[], bool]], int] = lambda limit, is_over: 0,
        adapt: Callable[[str], object] = lambda key: None,
        follow: Callable[[], bool] = lambda: False,
        retain: Callable[[], bool] = lambda: False,
        drift: Callable[[str, Callable[[int, int], None]], object] = lambda key, progress: None,
        report: Callable[[Progress], bool] = lambda progress: False,
    ) -> None:
        self._winnow = winnow
        self._analyst = analyst
        self._lease = Lease(winnow.open_unit_of_work, winnow.clock, holder=holder, seconds=lease_seconds)
        self._stop = stop
        self._deliver = deliver
        self._adapt = adapt
        self._follow = follow
        self._retain = retain
        self._drift = drift
        self._report = report
        self._followed_at = 0.0
        self._acted_at: dict[str, datetime] = {}

    def run(self, interval_seconds: float) -> None:
        """Do a round every so often until told to stop; then give the lease back."""
        delivering = threading.Thread(target=self._deliver_on, name="deliver")
        delivering.start()
        try:
            while not self._stop.is_set():
                with _logged("round_failed"):
                    self.round()
                self._wait(interval_seconds)
        finally:
            # However the rounds end, the deliveries end with them; the lease does not wait for the last attempt.
            self._stop.set()
            try:
                self.release()
            finally:
                delivering.join()

    def _deliver_on(self) -> None:
        """On a thread of its own: a receiver that does not answer takes its time, and the rounds go on."""
        while not self._stop.is_set():
            self.deliver()
            self._stop.wait(DELIVER_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Until the next round, or until told to stop, only the log is followed."""
        until = monotonic() + seconds
        while not self._stop.wait(max(0.0, min(FOLLOW_SECONDS, until - monotonic()))) and monotonic() < until:
            if self._lease.is_held:
                self._follow_between()

    def _follow_between(self) -> None:
        try:
            self._lease.keep()
            self._follow_log()
            self._report_segments()
        except LeaseLost:
            log.info("lease_held_by_another", holder=self._lease.holder)
        except Exception:
            log.exception("follow_failed")

    def round(self, *, is_only: bool = False) -> bool:
        """Look at every experiment once; False where another worker has the lease.

        Retention, which knows only in memory how far it is, is taken to its end by a round that `is_only`.
        """
        try:
            self._lease.renew()
            self._follow_log()
            for experiment in self._experiments():
                if self._stop.is_set():
                    break
                self._lease.renew()
                with _logged("experiment_failed", experiment=experiment.key):
                    self._look_at(experiment)
            self._step_by_step(self._retain, "retention_failed", None if is_only else FOLLOW_STEPS)
            self._report_segments()
        except LeaseLost:
            log.info("lease_held_by_another", holder=self._lease.holder)
            return False
        return True

    def _follow_log(self, most_steps: int = FOLLOW_STEPS) -> None:
        """Bring profiles up to the log, as far as there is time; the rest comes next time."""
        self._followed_at = monotonic()
        self._step_by_step(self._follow, "follow_failed", most_steps)

    def _step_by_step(self, step: Callable[[], bool], failed: str, most_steps: int | None) -> None:
        with _logged(failed):
            for _ in islice(count(), most_steps):
                if self._stop.is_set() or not step():
                    break
                self._lease.keep()

    def _report_segments(self) -> None:
        """Look at everybody where a report of a segment is due."""
        try:
            with _logged("reports_failed"):
                self._report(self._mind)
        except Stopping:
            log.info("reports_left_for_later", holder=self._lease.holder)

    def _mind(self, done: int, total: int | None, label: str | None = None) -> None:
        """In the middle of a long look: stop where told to, keep the lease, and follow the log a little further.

        One step at a time: what is being read must not wait for long, or the database ends it.
        """
        if self._stop.is_set():
            raise Stopping
        self._lease.keep()
        if monotonic() - self._followed_at >= FOLLOW_SECONDS:
            self._follow_log(most_steps=1)

    def deliver(self) -> None:
        """Send what is due in the outbox, with the lease or without: deliveries are claimed one by one."""
        with _logged("delivery_failed"):
            self._deliver(DELIVERIES, self._stop.is_set)

    def release(self) -> None:
        """Give the lease back, where it is ours."""
        self._lease.release()

    def _keep_lease(self, done_rows: int, total_rows: int) -> None:
        """Renew in the middle of a long analysis."""
        self._lease.keep()

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
            self._lease.renew()
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
            self._lease.renew()
            if self._adapt(key) is not None:
                log.info("adapted", experiment=key)

    def _advance(self, key: str, segment: str) -> None:
        """One step after another, each a transaction, as long as there is one to do."""
        for _ in range(MOST_STEPS):
            self._lease.renew()
            try:
                promotion = self._winnow.advancer.step(key, segment)
            except PromotionRefused as refusal:
                log.info("promotion_refused", experiment=key, segment=segment, code=refusal.code)
                return
            except DomainError as trouble:
                # Not the business of the other segments: one of them may have to be taken back.
                told = {"code": trouble.code, "message": trouble.message, **_cause(trouble)}
                log.warning("step_failed", experiment=key, segment=segment, **told)
                return
            if promotion is None:
                return
            what = {"segment": segment, "variant": promotion.variant, "promotion": promotion.id}
            log.info(promotion.state.value, experiment=key, **what)
