"""A promotion's whole life in processes that die: `python -m tests.e2e.promotion_life URL kill|split EVERY`.

A boundary is the moment before or after every write and every commit of the worker. For each of them in turn, or every
so many, there is an experiment of its own, whose worker is struck there: by SIGKILL, or by the database, which ends all
connections while the process goes on. Then another process does what is left. Says at its end which was the last.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from experiments.bootstrap import Winnow, build
from experiments.domain.definition import Variant
from experiments.domain.errors import AlreadyExists
from experiments.domain.metric import MetricRole
from experiments.domain.policy import DAY_SECONDS, AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.settings import Settings
from experiments.storage.engine import normalised
from experiments.worker.worker import Worker
from tests.unit.builders import VISIT
from tests.unit.reports import report, scope, store

MOST, REACHED_ALL = 400, 77
BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
WRITES = {
    "experiments": ("save",),
    "promotions": ("add", "save"),
    "audit": ("append",),
    "notices": ("append",),
}
POLICY = PromotionPolicy(automatic=True, ramp_bp=(6_000,), soak_seconds=DAY_SECONDS)


class NothingDue:
    """An analyst for whom the stored snapshot is good enough."""

    def is_due(self, key: str, maximum_age_seconds: float) -> bool:
        return False

    def analyse(self, key: str, progress: Any = None) -> Any:
        raise AssertionError("nothing was due")


class Boundaries:
    """Wraps units of work, counts the boundaries and calls `strike` at the chosen one."""

    def __init__(self, number: int | None, strike: Callable[[], None]) -> None:
        self.passed = 0
        self._number = number
        self._strike = strike

    def pass_one(self) -> None:
        self.passed += 1
        if self.passed == self._number:
            self._strike()

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def bounded(*args: Any, **kwargs: Any) -> Any:
            self.pass_one()
            answer = act(*args, **kwargs)
            self.pass_one()
            return answer

        return bounded

    def watch(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        def open_watched(*, read_only: bool = False) -> Any:
            work = opened(read_only=read_only)
            return work if read_only else _Watched(work, self)

        return open_watched


class _Watched:
    def __init__(self, work: Any, boundaries: Boundaries) -> None:
        self._work, self._boundaries = work, boundaries
        # Commits of the lease alone are no step of a promotion.
        self._writes = False

    def __enter__(self) -> _Watched:
        self._work.__enter__()
        return self

    def __exit__(self, *trouble: Any) -> None:
        self._work.__exit__(*trouble)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._work, name)
        if name in WRITES:
            self._writes = True
            return _WatchedStore(found, self._boundaries, WRITES[name])
        return self._boundaries.around(found) if name == "commit" and self._writes else found


class _WatchedStore:
    def __init__(self, kept: Any, boundaries: Boundaries, writes: tuple[str, ...]) -> None:
        self._kept, self._boundaries, self._writes = kept, boundaries, writes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kept, name)
        return self._boundaries.around(found) if name in self._writes else found


def set_up(winnow: Winnow, key: str) -> None:
    """Start the experiment, unless it runs already."""
    for make in (
        lambda: winnow.author.segments.create(Segment(key="mens", name="Men", condition={"mens": 1}), actor="test"),
        lambda: winnow.author.metrics.create(VISIT, actor="test"),
        lambda: winnow.author.create(wish(key), actor="test"),
    ):
        try:
            make()
        except AlreadyExists:
            continue
    if winnow.author.get(key).status == "draft":
        winnow.author.step(key, "start", actor="test")


def wish(key: str) -> ExperimentWish:
    return ExperimentWish(
        key=key,
        name="Banner",
        variants=(Variant(key="a", name="A", is_control=True), Variant(key="b", name="B")),
        segments=(SegmentWish(segment="mens"),),
        metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
        analysis=AnalysisPlan(minimum_duration_seconds=0),
        promotion=POLICY,
    )


def days(winnow: Winnow, key: str) -> Iterator[tuple[datetime, tuple[float, float] | None]]:
    """It wins; it does well at 60 %; it does well at 95 %; it has lost what it promised."""
    for day, realised in enumerate([None, (0.0, 0.3), (0.0, 0.3), (-0.3, -0.1)]):
        yield BEGAN + timedelta(days=15 + day), realised


def look(winnow: Winnow, key: str, at: datetime, realised: tuple[float, float] | None) -> None:
    """Store that day's snapshot, unless it is there."""
    latest = winnow.results.latest(key) if _has_results(winnow, key) else None
    if latest is not None and latest.watermark.at >= at:
        return
    live = winnow.promoter.history(experiment=key, after=None, limit=10).items
    shown = report(scope("mens", "winner", *realised)) if realised else None
    store(
        winnow.open_unit_of_work,
        key,
        report(scope("mens"), scope("everyone", outcome="undecided")),
        at=at,
        version=winnow.author.get(key).current.number,
        realised={one.id: {"since_epoch": 2, "report": shown} for one in live} if shown else {},
    )


def _has_results(winnow: Winnow, key: str) -> bool:
    with winnow.open_unit_of_work(read_only=True) as work:
        return work.snapshots.latest(key) is not None


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def split(url: str) -> None:
    """End all other connections to the database, as a network that breaks does."""
    with psycopg.connect(normalised(url).set(drivername="postgresql").render_as_string(hide_password=False)) as away:
        away.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def live(url: str, key: str, number: int | None, how: str) -> int:
    """Go through all days; return how many boundaries there were."""
    now = [BEGAN]
    plain = build(Settings(database_url=url), clock=lambda: now[0])
    set_up(plain, key)
    boundaries = Boundaries(number, kill if how == "kill" else lambda: split(url))
    watched = build(
        Settings(database_url=url), open_unit_of_work=boundaries.watch(plain.open_unit_of_work), clock=lambda: now[0]
    )
    worker = Worker(watched, NothingDue(), holder="the worker", stop=threading.Event())
    for at, realised in days(plain, key):
        now[0] = at
        look(plain, key, at, realised)
        # Twice: what one round could not do, the next one does.
        for _ in range(2):
            with suppress(Exception):  # as the worker's own loop does
                worker.round()
    return boundaries.passed


def put_away(url: str, key: str) -> int:
    """Out of the sight of the workers that follow."""
    winnow = build(Settings(database_url=url))
    winnow.author.step(key, "stop", actor="test")
    winnow.author.step(key, "archive", actor="test")
    return 0


def in_a_process(act: Callable[[], int]) -> int:
    """Run it in a fork, which has everything imported; return its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(act())
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def strike_everywhere(url: str, how: str, every: int) -> int:
    """Return the last boundary that was struck; none was left after it, or fewer than `every`."""
    for number in range(1, MOST, every):
        key = f"banner-{number}"
        ended = in_a_process(lambda key=key, number=number: 0 if live(url, key, number, how) >= number else REACHED_ALL)
        if ended == REACHED_ALL:
            return number - every
        if ended != (-signal.SIGKILL if how == "kill" else 0):
            raise SystemExit(f"boundary {number}: ended with {ended}")
        if in_a_process(lambda key=key: live(url, key, None, how) * 0):
            raise SystemExit(f"boundary {number}: the next process failed")
        in_a_process(lambda key=key: put_away(url, key))
    raise SystemExit("no end in sight")


if __name__ == "__main__":
    print(strike_everywhere(sys.argv[1], sys.argv[2], int(sys.argv[3])))
