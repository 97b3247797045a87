"""Two workers, or two people, at once: one promotion, one audit entry, one allocation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build, utc_now
from experiments.domain.definition import Variant
from experiments.domain.errors import PromotionRefused
from experiments.domain.metric import MetricRole
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.settings import Settings
from experiments.worker.worker import Worker
from tests.e2e.promotion_life import NothingDue
from tests.unit.builders import VISIT
from tests.unit.reports import report, scope, store

RACERS = 4


@pytest.fixture
def winnows(sql_url: str) -> list[Winnow]:
    """As many processes' worth of services on one database, with an experiment whose segment `mens` has a winner."""
    made = [build(Settings(database_url=sql_url)) for _ in range(RACERS)]
    first = made[0]
    first.author.segments.create(Segment(key="mens", name="Men", condition={"mens": 1}), actor="test")
    first.author.metrics.create(VISIT, actor="test")
    wish = ExperimentWish(
        key="banner",
        name="Banner",
        variants=(Variant(key="a", name="A", is_control=True), Variant(key="b", name="B")),
        segments=(SegmentWish(segment="mens"),),
        metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
        analysis=AnalysisPlan(minimum_duration_seconds=0),
        promotion=PromotionPolicy(automatic=True),
    )
    first.author.create(wish, actor="test")
    first.author.step("banner", "start", actor="test")
    document = report(scope("mens"), scope("everyone", outcome="undecided"))
    store(first.open_unit_of_work, "banner", document, at=first.clock())
    return made


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    barrier = threading.Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return act()
        except PromotionRefused as refusal:
            return refusal.code

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def promoting(winnow: Winnow) -> Callable[[], Any]:
    return lambda: winnow.promoter.apply("banner", "mens", actor="person").variant


def assert_promoted_once(winnow: Winnow) -> None:
    experiment = winnow.author.get("banner")
    promotions = winnow.promoter.history(experiment="banner", after=None, limit=10).items
    entries = winnow.results.audit(subject="banner", after=None, limit=50).items
    plan = experiment.definition.plan_of("mens")
    assert [(p.segment, p.variant) for p in promotions] == [("mens", "b")]
    assert [(step.version, step.version_after) for step in promotions[0].shares] == [(1, 2)]
    assert [entry.action for entry in entries].count("promotion.hold") == 1
    assert [version.number for version in winnow.author.versions("banner")] == [1, 2]
    assert plan is not None
    assert plan.allocation.weights_bp == {"a": 500, "b": 9_500}
    assert plan.promoted == "b"
    everyone = experiment.definition.plan_of("everyone")
    assert everyone is not None
    assert everyone.allocation.weights_bp == {"a": 5_000, "b": 5_000}


def test_people_promote_the_same_segment_at_once(winnows: list[Winnow]) -> None:
    answers = at_once([promoting(winnow) for winnow in winnows])
    assert sorted(answers) == ["already_promoted"] * (RACERS - 1) + ["b"]
    assert_promoted_once(winnows[0])


def test_workers_race_for_the_lease_and_one_acts(winnows: list[Winnow]) -> None:
    workers = [
        Worker(winnow, NothingDue(), holder=f"worker {number}", stop=threading.Event())
        for number, winnow in enumerate(winnows)
    ]
    answers = at_once([worker.round for worker in workers])
    assert sorted(answers) == [False] * (RACERS - 1) + [True]
    assert_promoted_once(winnows[0])


def test_a_worker_and_people_promote_at_once(winnows: list[Winnow]) -> None:
    worker = Worker(winnows[0], NothingDue(), holder="worker", stop=threading.Event())
    at_once([worker.round, *(promoting(winnow) for winnow in winnows[1:])])
    assert_promoted_once(winnows[0])


def test_workers_whose_clocks_disagree_by_minutes_do_nothing_twice(sql_url: str, winnows: list[Winnow]) -> None:
    """Each thinks that the lease of the others has expired: the lease saves work, the revisions keep the order."""
    skewed = [
        build(Settings(database_url=sql_url), clock=lambda minutes=minutes: utc_now() + timedelta(minutes=minutes))
        for minutes in (-6, -2, 2, 6)
    ]
    for _ in range(3):
        workers = [
            Worker(winnow, NothingDue(), holder=f"worker {number}", stop=threading.Event(), lease_seconds=1)
            for number, winnow in enumerate(skewed)
        ]
        at_once([worker.round for worker in workers])
    assert_promoted_once(winnows[0])
    (promotion,) = winnows[0].promoter.history(experiment="banner", after=None, limit=10).items
    assert [step.state.value for step in promotion.steps] == ["proposed", "approved", "held"]
