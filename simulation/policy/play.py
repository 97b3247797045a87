"""One experiment from its start to its last look, through the services, the worker and stores in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import numpy as np
import structlog

from experiments.bootstrap import Winnow, build
from experiments.domain.definition import Variant
from experiments.domain.metric import Metric, MetricKind, MetricRole
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion import Promotion
from experiments.domain.segment import EVERYONE, Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.promoting.look import look_at
from experiments.settings import Settings
from experiments.storage.memory.state import State
from experiments.worker.worker import Worker
from simulation.policy.analyst import GUARDRAIL, PRIMARY, DrawnAnalyst
from simulation.policy.baselines import Call, fixed_horizon, naive_peeking
from simulation.policy.draws import draw_launch
from simulation.policy.store import SimulatedDatabase
from simulation.policy.world import CONTROL, HARM_MARGIN, LOOK_DAYS, World

KEY, AUTHOR = "simulated", "author"
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""


class SimulatedClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    @property
    def day(self) -> int:
        return (self.now - START).days


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A promotion as it ended, the estimates it was made on, and the truth.

    `day` is when it went live. `true_then` and `true_since` are the mean true lifts of the days before and after that;
    `realised` is the last gain measured against the holdback, None where there is none.
    """

    segment: str
    variant: str
    day: int
    state: str
    ended_on: int | None
    reason: str
    gain: float
    predicted: float
    gain_low: float
    gain_high: float
    realised: float | None
    realised_low: float | None
    realised_high: float | None
    true_then: float
    true_since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One experiment: what the machine promoted, and what the baselines did on the same draws."""

    index: int
    promoted: tuple[Promoted, ...]
    fixed: tuple[Call, ...]
    naive: tuple[Call, ...]
    looks: int


def play(world: World, seed: int, index: int) -> Played:
    """Run one experiment; the same seed and index give the same, in whichever process and order."""
    world = world.of(index)
    seeds = np.random.SeedSequence(seed, spawn_key=(crc32(world.key.encode()), index)).spawn(2)
    launch = draw_launch(world, np.random.default_rng(seeds[0]))
    clock, database = SimulatedClock(), SimulatedDatabase()
    database.state = _started(world).copy()
    winnow = build(Settings(), open_unit_of_work=database.unit_of_work, clock=clock)
    analyst = DrawnAnalyst(world, launch, np.random.default_rng(seeds[1]), winnow.open_unit_of_work, clock)
    worker = Worker(winnow, analyst, holder="simulation", stop=threading.Event())
    _live_through(world, winnow, analyst, worker, clock)
    return Played(
        index=index,
        promoted=tuple(_promoted(world, winnow)),
        fixed=fixed_horizon(world, launch),
        naive=naive_peeking(world, launch),
        looks=analyst.looks,
    )


def _live_through(world: World, winnow: Winnow, analyst: DrawnAnalyst, worker: Worker, clock: SimulatedClock) -> None:
    first_look = world.policy.minimum_weeks * 7
    for day in range(world.days):
        if day in world.launch and day:
            experiment = winnow.author.get(KEY)
            winnow.author.edit(KEY, _wish(world, day), expected_revision=experiment.revision, actor=AUTHOR)
        analyst.collect(winnow.author.get(KEY), day)
        clock.now = START + timedelta(days=day + 1)
        # Before, the policy answers "too early", whatever the data: so nobody looks.
        if day + 1 >= first_look:
            if not worker.round():
                raise RuntimeError("somebody else has the lease")
            if _is_over(world, winnow, day + 1):
                return


def _is_over(world: World, winnow: Winnow, day: int) -> bool:
    """Nothing can change any more, or nothing that is counted.

    What went live is kept or taken back, and no variant is left to be tried; or the days in which promotions count have
    passed, and nothing is live that is still measured.
    """
    with winnow.open_unit_of_work(read_only=True) as work:
        if any(one.is_open for one in work.promotions.standing(KEY)):
            return False
    if day >= LOOK_DAYS:
        return True
    plans = winnow.author.get(KEY).definition.segments
    return len(world.variants) == 2 and all(plan.promoted or plan.declined for plan in plans)


_templates: dict[str, State] = {}


def _started(world: World) -> State:
    """The stores with the experiment just started; made once per process and world."""
    if world.key not in _templates:
        database, clock = SimulatedDatabase(), SimulatedClock()
        winnow = build(Settings(), open_unit_of_work=database.unit_of_work, clock=clock)
        for number, key in enumerate(world.segments):
            if key != EVERYONE:
                winnow.author.segments.create(
                    Segment(key=key, name=key.title(), condition={"group": number}), actor=AUTHOR
                )
        for key, kind in ((PRIMARY, MetricKind.CONVERSION), (GUARDRAIL, MetricKind.MEAN)):
            metric = Metric(key=key, name=key.title(), kind=kind, event_name=key)
            winnow.author.metrics.create(metric, actor=AUTHOR)
        winnow.author.create(_wish(world, 0), actor=AUTHOR)
        winnow.author.step(KEY, "start", actor=AUTHOR)
        _templates[world.key] = database.state
    return _templates[world.key]


def _wish(world: World, day: int) -> ExperimentWish:
    weights = world.weights_on(day)
    return ExperimentWish(
        key=KEY,
        name="Simulated",
        variants=tuple(Variant(key=key, name=key.title(), is_control=key == CONTROL) for key in world.variants),
        segments=tuple(SegmentWish(segment=key, weights=weights) for key in world.segments),
        metrics=(
            MetricWish(metric=PRIMARY, role=MetricRole.PRIMARY),
            MetricWish(metric=GUARDRAIL, role=MetricRole.GUARDRAIL, margin_lift=HARM_MARGIN),
        ),
        analysis=AnalysisPlan(tuned_for_units=world.tuned_for_units, novelty_days=0),
        promotion=world.policy,
    )


def _promoted(world: World, winnow: Winnow) -> list[Promoted]:
    with winnow.open_unit_of_work(read_only=True) as work:
        found = work.promotions.page(experiment=KEY, after=None, limit=100).items
        realised = look_at(work, KEY).snapshot.realised
    return [_as_ended(world, one, realised) for one in found if one.went_live is not None]


def _as_ended(world: World, one: Promotion, realised: Mapping[str, Any]) -> Promoted:
    began = one.went_live
    if began is None:
        raise ValueError("only what went live is looked at here")
    last, evidence = one.steps[-1], one.evidence
    day = (began.at - START).days
    ended = None if one.is_open else (last.at - START).days
    measured = _last_measured(one, realised)
    return Promoted(
        segment=one.segment,
        variant=one.variant,
        day=day,
        state=one.state.value,
        ended_on=ended,
        reason=last.reasons[0].code if last.reasons else "",
        gain=_known(evidence.gain),
        predicted=_known(evidence.predicted_gain),
        gain_low=_known(evidence.gain_low),
        gain_high=_known(evidence.gain_high),
        realised=measured[0],
        realised_low=measured[1],
        realised_high=measured[2],
        true_then=world.true_lift(one.segment, one.variant, 0, day),
        true_since=world.true_lift(one.segment, one.variant, day, world.days if ended is None else ended),
    )


def _last_measured(one: Promotion, realised: Any) -> tuple[float | None, float | None, float | None]:
    """Of its last step with live evidence, or of the last snapshot where it is still open."""
    if one.id in realised:
        return _of_report(one, realised[one.id]["report"])
    live = next((step.evidence.live for step in reversed(one.steps) if step.evidence and step.evidence.live), None)
    return (None, None, None) if live is None else (live.gain, live.gain_low, live.gain_high)


def _of_report(one: Promotion, report: Any) -> tuple[float | None, float | None, float | None]:
    comparison = next(
        c
        for c in report["segments"][0]["metrics"][0]["comparisons"]
        if (c["treatment"], c["baseline"]) == (one.variant, CONTROL)
    )
    interval = comparison["lift_in_family"]
    ends = (comparison["lift"]["value"], interval.get("low"), interval.get("high"))
    return tuple(end if isinstance(end, float) else None for end in ends)  # type: ignore[return-value]


def _known(value: float | None) -> float:
    if value is None:
        raise ValueError("a promotion rests on numbers that do not exist")
    return value


def raise_failures(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep the log quiet, but let no failure pass: the worker logs an experiment's trouble and goes on."""
    if "failed" in str(event.get("event")) or "refused" in str(event.get("event")):
        raise RuntimeError(f"the worker logged {event}")
    raise structlog.DropEvent


def log_failures_only() -> None:
    structlog.configure(processors=[raise_failures], cache_logger_on_first_use=False)
