"""A look: everything that is read before a decision, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from experiments.domain.definition import SegmentPlan
from experiments.domain.epoch import Version
from experiments.domain.errors import NoResults, NotFound
from experiments.domain.experiment import Experiment
from experiments.domain.promotion import Promotion
from experiments.services.analysing.ports import Snapshot
from experiments.services.ports import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`promotions` are those that still bear on decisions: open or declined ones."""

    experiment: Experiment
    versions: Sequence[Version]
    snapshot: Snapshot
    promotions: Sequence[Promotion]

    @property
    def analysed(self) -> tuple[str, ...]:
        """The experiment's segments that the snapshot knows: one that is new, or back, has to wait for the next."""
        then = next(version for version in self.versions if version.number == self.snapshot.version)
        known = {scope["segment"] for scope in self.snapshot.report["segments"]}
        known &= {plan.segment.key for plan in then.definition.segments}
        return tuple(plan.segment.key for plan in self.experiment.definition.segments if plan.segment.key in known)

    def open_in(self, segment: str) -> Promotion | None:
        return next((one for one in self.promotions if one.segment == segment and one.is_open), None)

    def declined_in(self, segment: str) -> tuple[str, ...]:
        """Variants that were rejected or taken back there, or replaced by a split of the author's own."""
        declined = {one.variant for one in self.promotions if one.segment == segment and one.is_declined}
        # What an older Winnow took back is remembered by the plan alone.
        taken_back = self.plan_of(segment).declined
        return tuple(sorted(declined | ({taken_back} if taken_back else set())))

    def plan_of(self, segment: str) -> SegmentPlan:
        """Raise NotFound."""
        plan = self.experiment.definition.plan_of(segment)
        if plan is None:
            known = [one.segment.key for one in self.experiment.definition.segments]
            raise NotFound("segment", segment, known)
        return plan


def look_at(work: UnitOfWork, key: str) -> Look:
    """Raise NotFound; NoResults where nothing was analysed yet."""
    experiment = work.experiments.get(key)
    snapshot = work.snapshots.latest(key)
    if snapshot is None:
        raise NoResults(key)
    return Look(
        experiment=experiment,
        versions=work.experiments.versions(key),
        snapshot=snapshot,
        promotions=work.promotions.standing(key),
    )


def paused_between(versions: Sequence[Version], since: datetime, until: datetime) -> timedelta:
    """How long nobody was in the experiment: that is no time in which anything was watched."""
    ends = (*(version.created_at for version in versions[1:]), until)
    pauses = (
        min(end, until) - max(version.created_at, since)
        for version, end in zip(versions, ends, strict=True)
        if version.paused
    )
    return sum((max(pause, timedelta(0)) for pause in pauses), timedelta(0))
