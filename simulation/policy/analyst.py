"""The analyst of a simulated world: draws the day's units under the split as it stands, and reports as the real one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from numpy.random import Generator

from analysis import ENGINE_VERSION
from analysis.moments import ArmKey, MetricKey, Moments, MomentTable
from analysis.report import build, to_dict
from experiments.domain.definition import SegmentPlan
from experiments.domain.experiment import Experiment
from experiments.services.analysing.plan import plan_of
from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.ports import Clock, OpenUnitOfWork
from experiments.services.promoting.realised import measured, realised_plan
from experiments.services.recording.ports import Watermark
from simulation.policy.draws import Draws, draw
from simulation.policy.world import World

PRIMARY, GUARDRAIL = "conversion", "comfort"


class DrawnAnalyst:
    """In place of `experiments.services.analysing.analyse.Analyst`: no rows, but moments drawn from their laws.

    As long as a segment has the split that its author gave it, its outcomes are those of `launch`, which the baselines
    see as well; afterwards they are drawn from `rng`.
    """

    def __init__(
        self, world: World, launch: Draws, rng: Generator, open_unit_of_work: OpenUnitOfWork, clock: Clock
    ) -> None:
        self._world, self._launch, self._rng = world, launch, rng
        self._open, self._clock = open_unit_of_work, clock
        self._moments: dict[MetricKey, Moments] = {}
        self.looks = 0

    def collect(self, experiment: Experiment, day: int) -> None:
        """Take in the units of one day, under the splits as they stand."""
        for place, segment in enumerate(self._world.segments):
            plan = experiment.definition.plan_of(segment)
            if plan is None:
                raise ValueError(f"the experiment has lost its segment {segment!r}")
            self._take(experiment.current.epoch, segment, *self._day(plan, day, place))

    def _day(self, plan: SegmentPlan, day: int, place: int) -> tuple[Draws, tuple[int, int]]:
        if plan.promotion is None and plan.declined is None:
            return self._launch, (day, place)
        split = plan.allocation.weights_bp
        shares = np.array([split.get(variant, 0) for variant in self._world.variants]) / sum(split.values())
        drawn = draw(self._world, self._rng, shares[None, None, :], slice(day, day + 1), slice(place, place + 1))
        return drawn, (0, 0)

    def _take(self, epoch: int, segment: str, drawn: Draws, at: tuple[int, int]) -> None:
        for place, variant in enumerate(self._world.variants):
            units = int(drawn.units[*at, place])
            if not units:
                continue
            rate = int(drawn.conversions[*at, place]) / units
            self._add(
                MetricKey(epoch, segment, variant, PRIMARY), Moments(n=units, mean=rate, m2=units * rate * (1 - rate))
            )
            mean, m2 = float(drawn.guardrail_mean[*at, place]), float(drawn.guardrail_m2[*at, place])
            self._add(MetricKey(epoch, segment, variant, GUARDRAIL), Moments(n=units, mean=mean, m2=m2))

    def _add(self, key: MetricKey, moments: Moments) -> None:
        before = self._moments.get(key)
        self._moments[key] = moments if before is None else before + moments

    def is_due(self, key: str, maximum_age_seconds: float) -> bool:
        """At every look of the worker's."""
        return True

    def analyse(self, key: str, progress: Callable[[int, int], None] | None = None) -> Snapshot:
        now = self._clock()
        self.looks += 1
        with self._open() as work:
            versions = work.experiments.versions(key)
            plan = plan_of(versions, work.experiments.get(key).stopped_at, now)
            realised = {
                promotion.id: {
                    "since_epoch": since,
                    "report": to_dict(
                        build(realised_plan(plan, promotion, since), self._table(since, promotion.segment))
                    ),
                }
                for promotion, since, _ in measured(work.promotions.standing(key), versions)
            }
            report = to_dict(build(plan, self._table()))
            snapshot = work.snapshots.add(_snapshot(key, versions[-1].number, now, report, realised))
            work.commit()
        return snapshot

    def _table(self, since_epoch: int = 0, segment: str | None = None) -> MomentTable:
        moments = {
            key: found
            for key, found in self._moments.items()
            if key.epoch >= since_epoch and segment in (None, key.segment)
        }
        units = {ArmKey(*key[:3]): found.n for key, found in moments.items() if key.metric == PRIMARY}
        return MomentTable(units=units, moments=moments)


def _snapshot(key: str, version: int, now: datetime, report: dict[str, Any], realised: dict[str, Any]) -> NewSnapshot:
    """Hashes are left out: nothing here is ever recomputed."""
    return NewSnapshot(
        experiment=key,
        version=version,
        watermark=Watermark(exposure_id=0, event_id=0, at=now),
        computed_at=now,
        engine_version=ENGINE_VERSION,
        input_sha256="",
        report_sha256="",
        moments={},
        report=report,
        realised=realised,
    )
