"""Services on stores in memory."""

from __future__ import annotations

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.definition import Variant
from experiments.domain.metric import MetricRole
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.unit.builders import SPEND, VISIT


@pytest.fixture
def winnow(clock: FakeClock) -> Winnow:
    """Two segments and two metrics in the library, nothing else."""
    made = build(Settings(), open_unit_of_work=MemoryDatabase().unit_of_work, clock=clock)
    for key, condition in (("mens", {"mens": 1}), ("new", {"recency": {"$lte": 1}})):
        made.author.segments.create(Segment(key=key, name=key.title(), condition=condition), actor="test")
    for metric in (VISIT, SPEND):
        made.author.metrics.create(metric, actor="test")
    made.catalog.refresh()
    return made


@pytest.fixture
def wish() -> ExperimentWish:
    return ExperimentWish(
        key="banner",
        name="Banner",
        variants=(Variant(key="a", name="A", is_control=True), Variant(key="b", name="B", content={"text": "new"})),
        segments=(SegmentWish(segment="mens"), SegmentWish(segment="new")),
        metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
    )
