"""Values for the stores to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any, TypeVar

import pytest

from experiments.domain.allocation import Allocation
from experiments.domain.definition import Definition, SegmentPlan, Variant
from experiments.domain.event import Event, Exposure
from experiments.domain.experiment import Experiment, draft
from experiments.domain.metric import Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.segment import everyone
from experiments.services.analysing.ports import NewSnapshot
from experiments.services.ports import OpenUnitOfWork, UnitOfWork
from experiments.services.recording.ports import Watermark
from tests.stores.promotions import NOW

T = TypeVar("T")


@pytest.fixture
def now() -> datetime:
    """An instant with microseconds, which every store has to keep."""
    return NOW


@pytest.fixture
def do(open_unit_of_work: OpenUnitOfWork) -> Callable[[Callable[[UnitOfWork], T]], T]:
    """Ask in a transaction of its own, which is committed."""

    def ask(question: Callable[[UnitOfWork], T]) -> T:
        with open_unit_of_work() as work:
            answer = question(work)
            work.commit()
        return answer

    return ask


@pytest.fixture
def definition() -> Callable[..., Definition]:
    def build(key: str = "checkout", **changes: Any) -> Definition:
        weights = {"b": 1, "a": 1}
        plan = SegmentPlan(segment=everyone(), weights=weights, allocation=Allocation.from_weights(weights))
        metric = Metric(key="bought", name="Bought", kind=MetricKind.CONVERSION, event_name="purchase")
        parts: dict[str, Any] = {
            "key": key,
            "name": "Checkout",
            "salt": f"{key}-salt",
            "variants": (
                Variant(key="a", name="A", content={"x": [1, 2.5, None]}, is_control=True),
                Variant(key="b", name="B"),
            ),
            "segments": (plan,),
            "metrics": (MetricUse(metric=metric, role=MetricRole.PRIMARY),),
        }
        return Definition(**{**parts, **changes})

    return build


@pytest.fixture
def experiment(definition: Callable[..., Definition]) -> Callable[..., Experiment]:
    def build(key: str = "checkout", **changes: Any) -> Experiment:
        return draft(definition(key, **changes), by="ada", now=NOW)

    return build


@pytest.fixture
def exposure() -> Callable[..., Exposure]:
    def build(event_id: str, unit_id: str = "u1", **changes: Any) -> Exposure:
        parts: dict[str, Any] = {
            "event_id": event_id,
            "unit_id": unit_id,
            "experiment": "checkout",
            "version": 3,
            "epoch": 2,
            "segment": "everyone",
            "variant": "a",
            "occurred_at": NOW,
        }
        return Exposure(**{**parts, **changes})

    return build


@pytest.fixture
def event() -> Callable[..., Event]:
    def build(event_id: str, unit_id: str = "u1", **changes: Any) -> Event:
        parts: dict[str, Any] = {
            "event_id": event_id,
            "unit_id": unit_id,
            "name": "purchase",
            "value": 12.5,
            "occurred_at": NOW,
        }
        return Event(**{**parts, **changes})

    return build


@pytest.fixture
def snapshot() -> Callable[..., NewSnapshot]:
    def build(experiment: str = "checkout", **changes: Any) -> NewSnapshot:
        parts: dict[str, Any] = {
            "experiment": experiment,
            "version": 3,
            "watermark": Watermark(exposure_id=7, event_id=9, at=NOW),
            "computed_at": NOW,
            "engine_version": "1.0",
            "input_sha256": "1" * 64,
            "report_sha256": "2" * 64,
            "moments": {"z": {"n": 3, "mean": 0.1 + 0.2}, "a": [1, None]},
            "report": {"verdict": "B gewinnt – sicher", "lift": 1e-300},
            "realised": {"p2": {"since_epoch": 2, "report": {"lift": 0.1 + 0.2}}, "p1": {"report": None}},
        }
        return NewSnapshot(**{**parts, **changes})

    return build


@pytest.fixture
def at_once() -> Callable[..., list[Any]]:
    """Run a function once per argument, all starting together; give back results, or the exceptions raised."""

    def run(do: Callable[[T], Any], arguments: Iterable[T]) -> list[Any]:
        given = list(arguments)
        barrier = Barrier(len(given))

        def one(argument: T) -> Any:
            barrier.wait(timeout=10)
            try:
                return do(argument)
            except Exception as error:  # noqa: BLE001
                return error

        with ThreadPoolExecutor(len(given)) as pool:
            return list(pool.map(one, given))

    return run
