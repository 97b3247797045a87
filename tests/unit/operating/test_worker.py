"""The worker: who may act, on what, and what one experiment's trouble does to the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import time
from time import monotonic, sleep

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.errors import RevisionMismatch, Unavailable
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion import Promotion
from experiments.domain.promotion_policy import PromotionPolicy, QuietHours
from experiments.domain.retention import AFTER_STOP_SECONDS
from experiments.services.analysing.ports import Snapshot
from experiments.services.authoring.wishes import ExperimentWish
from experiments.worker.lease import LEASE, LEASE_SECONDS
from experiments.worker.worker import DELIVERIES, LOOK_AGAIN_SECONDS, MAXIMUM_AGE_SECONDS, Worker
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store


@dataclass
class FakeAnalyst:
    """Stores a hand-made report; `before` runs in the middle of each analysis."""

    winnow: Winnow
    due: bool = True
    broken: frozenset[str] = frozenset()
    before: Callable[[], None] = lambda: None
    analysed: list[str] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)

    def is_due(self, key: str, maximum_age_seconds: float) -> bool:
        self.asked[key] = maximum_age_seconds
        return self.due

    def analyse(self, key: str, progress: Callable[[int, int], None] | None = None) -> Snapshot:
        self.before()
        if progress is not None:
            progress(1, 2)
        if key in self.broken:
            raise ValueError("this experiment is broken")
        self.analysed.append(key)
        segments = scope("mens"), scope("new", outcome="undecided"), scope("everyone", outcome="undecided")
        return store(self.winnow.open_unit_of_work, key, report(*segments), at=self.winnow.clock())


@pytest.fixture
def analyst(winnow: Winnow) -> FakeAnalyst:
    return FakeAnalyst(winnow)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def worker(winnow: Winnow, analyst: FakeAnalyst, stop: threading.Event) -> Worker:
    return Worker(winnow, analyst, holder="me", stop=stop)


def start(
    winnow: Winnow,
    wish: ExperimentWish,
    key: str = "banner",
    *,
    automatic: bool = False,
    policy: PromotionPolicy | None = None,
) -> None:
    rules = AnalysisPlan(minimum_duration_seconds=0)
    wanted = replace(wish, key=key, analysis=rules, promotion=policy or PromotionPolicy(automatic=automatic))
    winnow.author.create(wanted, actor="test")
    winnow.author.step(key, "start", actor="test")


def take_lease(winnow: Winnow, holder: str) -> bool:
    with winnow.open_unit_of_work() as work:
        taken = work.leases.acquire(LEASE, holder=holder, now=winnow.clock(), ttl_seconds=LEASE_SECONDS)
        work.commit()
    return taken


def live_in(winnow: Winnow, segment: str) -> str | None:
    plan = winnow.author.get("banner").definition.plan_of(segment)
    assert plan is not None
    return plan.promoted


def test_it_computes_what_runs_and_leaves_drafts_alone(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst
) -> None:
    start(winnow, wish, "banner")
    start(winnow, wish, "button")
    winnow.author.create(replace(wish, key="draft"), actor="test")
    assert worker.round() is True
    assert analyst.analysed == ["banner", "button"]
    assert analyst.asked == {"banner": MAXIMUM_AGE_SECONDS, "button": MAXIMUM_AGE_SECONDS}


def test_it_computes_nothing_that_is_not_due(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst
) -> None:
    start(winnow, wish)
    analyst.due = False
    assert worker.round() is True
    assert analyst.analysed == []


def test_a_stopped_experiment_is_followed_for_a_week(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, clock: FakeClock
) -> None:
    start(winnow, wish)
    winnow.author.step("banner", "stop", actor="test")
    clock.advance(seconds=AFTER_STOP_SECONDS)
    worker.round()
    clock.advance(seconds=1)
    worker.round()
    assert analyst.analysed == ["banner"]


def test_an_automatic_policy_promotes_the_winner_of_exactly_its_segment(
    winnow: Winnow, wish: ExperimentWish, worker: Worker
) -> None:
    start(winnow, wish, automatic=True)
    worker.round()
    worker.round()
    (promotion,) = winnow.promoter.history(experiment="banner", after=None, limit=10).items
    assert (promotion.segment, promotion.variant, promotion.steps[-1].by) == ("mens", "b", "worker")
    assert (live_in(winnow, "mens"), live_in(winnow, "new"), live_in(winnow, "everyone")) == ("b", None, None)


def test_without_an_automatic_policy_people_decide(winnow: Winnow, wish: ExperimentWish, worker: Worker) -> None:
    start(winnow, wish, automatic=False)
    worker.round()
    assert live_in(winnow, "mens") is None


def test_one_broken_experiment_does_not_keep_the_others_waiting(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst
) -> None:
    for key in ("a1", "b2", "c3"):
        start(winnow, wish, key)
    analyst.broken = frozenset({"b2"})
    assert worker.round() is True
    assert analyst.analysed == ["a1", "c3"]


def test_it_does_nothing_while_another_has_the_lease_and_takes_over_when_it_expires(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, clock: FakeClock
) -> None:
    start(winnow, wish)
    assert take_lease(winnow, "other")
    clock.advance(seconds=LEASE_SECONDS - 1)
    assert worker.round() is False
    assert analyst.analysed == []
    clock.advance(seconds=1)
    assert worker.round() is True
    assert analyst.analysed == ["banner"]


def test_it_stops_acting_when_the_lease_is_lost_in_the_middle(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, clock: FakeClock
) -> None:
    start(winnow, wish, "banner", automatic=True)
    start(winnow, wish, "button")

    def stall() -> None:
        clock.advance(seconds=LEASE_SECONDS)
        assert take_lease(winnow, "other")

    analyst.before = stall
    assert worker.round() is False
    assert analyst.analysed == []
    assert live_in(winnow, "mens") is None


def test_a_long_analysis_renews_the_lease(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, clock: FakeClock
) -> None:
    start(winnow, wish)
    analyst.before = lambda: (clock.advance(seconds=LEASE_SECONDS - 1), None)[1]
    assert worker.round() is True
    clock.advance(seconds=LEASE_SECONDS - 1)
    assert take_lease(winnow, "other") is False


def test_told_to_stop_it_finishes_the_experiment_at_hand_and_gives_the_lease_back(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, stop: threading.Event
) -> None:
    start(winnow, wish, "banner")
    start(winnow, wish, "button")
    analyst.before = stop.set
    worker.run(interval_seconds=60)
    assert analyst.analysed == ["banner"]
    assert take_lease(winnow, "other") is True


def test_a_round_without_a_database_does_not_end_the_worker(
    winnow: Winnow, analyst: FakeAnalyst, stop: threading.Event
) -> None:
    rounds: list[int] = []

    def unavailable(*, read_only: bool = False) -> object:
        rounds.append(1)
        if len(rounds) == 3:
            stop.set()
        raise Unavailable("database_unavailable", "The database does not answer in time; nothing was stored.")

    blind = replace(winnow, open_unit_of_work=unavailable)  # type: ignore[arg-type]
    Worker(blind, analyst, holder="me", stop=stop).run(interval_seconds=0.01)
    assert len(rounds) == 3


def test_releasing_leaves_the_lease_of_another_alone(winnow: Winnow, worker: Worker) -> None:
    assert take_lease(winnow, "other")
    worker.release()
    assert take_lease(winnow, "third") is False


def test_without_new_results_promotions_are_looked_at_now_and_then(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, clock: FakeClock
) -> None:
    """A person approves in quiet hours, which end: nobody analyses anything meanwhile."""
    start(winnow, wish, policy=PromotionPolicy(quiet_hours=QuietHours(start=time(10), end=time(11, 2))))
    clock.advance(minutes=59)
    worker.round()
    [proposal] = winnow.promoter.history(experiment="banner", after=None, limit=10).items
    clock.advance(minutes=61)
    winnow.promoter.approve(proposal.id, actor="eve")
    analyst.due = False
    worker.round()
    assert live_in(winnow, "mens") is None
    clock.advance(seconds=LOOK_AGAIN_SECONDS - 1)
    worker.round()
    assert live_in(winnow, "mens") is None
    clock.advance(seconds=1)
    worker.round()
    assert live_in(winnow, "mens") == "b"


def test_a_step_that_fails_in_one_segment_keeps_no_other_from_its_own(
    winnow: Winnow, wish: ExperimentWish, worker: Worker, analyst: FakeAnalyst, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(winnow, wish, automatic=True)
    segments = scope("mens"), scope("new"), scope("everyone", outcome="undecided")
    store(winnow.open_unit_of_work, "banner", report(*segments), at=winnow.clock())
    analyst.due = False
    step = winnow.advancer.step

    def fail(key: str, segment: str) -> Promotion | None:
        if segment == "mens":
            raise RevisionMismatch("experiment", key)
        return step(key, segment)

    monkeypatch.setattr(winnow.advancer, "step", fail)
    worker.round()
    assert (live_in(winnow, "mens"), live_in(winnow, "new")) == (None, "b")


def test_drift_is_looked_at_last_and_its_trouble_is_its_own(
    winnow: Winnow, wish: ExperimentWish, analyst: FakeAnalyst, clock: FakeClock
) -> None:
    start(winnow, wish, "banner", automatic=True)
    start(winnow, wish, "button")
    clock.advance(days=15)
    asked: list[tuple[str, str | None]] = []

    def drift(key: str, progress: Callable[[int, int], None]) -> None:
        progress(1, 2)
        asked.append((key, live_in(winnow, "mens")))
        raise ValueError("no profile can be read")

    worker = Worker(winnow, analyst, holder="me", stop=threading.Event(), drift=drift)
    assert worker.round() is True
    assert asked == [("banner", "b"), ("button", "b")]
    analyst.due = False
    worker.round()
    assert len(asked) == 2
    clock.advance(seconds=LOOK_AGAIN_SECONDS)
    worker.round()
    assert len(asked) == 4


def test_a_delivery_that_hangs_does_not_hold_up_the_rounds_and_ends_with_them(
    winnow: Winnow, wish: ExperimentWish, analyst: FakeAnalyst, stop: threading.Event
) -> None:
    """It is handed the word to stop: until that is said it goes on, and `run` waits for its end."""
    start(winnow, wish)
    hangs, ended = threading.Event(), threading.Event()

    def deliver(limit: int, is_over: Callable[[], bool]) -> int:
        hangs.set()
        until = monotonic() + 5
        while not is_over() and monotonic() < until:
            sleep(0.005)
        if is_over():
            ended.set()
        return limit

    def third_round() -> None:
        assert hangs.wait(5)
        if len(analyst.analysed) == 2:
            assert not ended.is_set()
            stop.set()

    analyst.before = third_round
    Worker(winnow, analyst, holder="me", stop=stop, deliver=deliver).run(interval_seconds=0.01)
    assert analyst.analysed == ["banner"] * 3
    assert ended.is_set()
    assert take_lease(winnow, "other") is True


def test_the_outbox_is_looked_at_again_and_again_whatever_went_wrong(
    winnow: Winnow, analyst: FakeAnalyst, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.worker.worker.DELIVER_SECONDS", 0.01)
    asked: list[int] = []

    def deliver(limit: int, _is_over: Callable[[], bool]) -> int:
        asked.append(limit)
        if len(asked) == 3:
            stop.set()
        raise Unavailable("database_unavailable", "The database does not answer in time; nothing was stored.")

    Worker(winnow, analyst, holder="me", stop=stop, deliver=deliver).run(interval_seconds=60)
    assert asked == [DELIVERIES] * 3


def test_rounds_that_end_by_themselves_take_the_deliveries_with_them(
    winnow: Winnow, wish: ExperimentWish, analyst: FakeAnalyst, stop: threading.Event
) -> None:
    start(winnow, wish)

    def interrupted() -> None:
        raise KeyboardInterrupt

    analyst.before = interrupted
    with pytest.raises(KeyboardInterrupt):
        Worker(winnow, analyst, holder="me", stop=stop).run(interval_seconds=60)
    assert "deliver" not in [thread.name for thread in threading.enumerate()]
