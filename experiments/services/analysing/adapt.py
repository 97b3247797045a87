"""Adapt: after each batch, let the splits of an adaptive experiment follow its outcomes. Only the worker imports it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from analysis.moments import Moments, MomentTable
from experiments.domain.adaptive import AdaptivePolicy, AdaptiveStep, Batch, BatchArm, Posterior, arm_states, take_step
from experiments.domain.canonical import canonical_json
from experiments.domain.definition import SegmentPlan
from experiments.domain.epoch import Version
from experiments.domain.errors import RevisionMismatch
from experiments.domain.experiment import Experiment, Status
from experiments.domain.metric import Direction, Metric, MetricKind
from experiments.services.analysing.ports import Snapshot
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork
from experiments.services.retry import retried

ACTION = "allocation.adapt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """The version that a step made, and what it followed from."""

    version: Version
    steps: tuple[AdaptiveStep, ...]


class Adapter:
    """All of an experiment's segments change together: one version, one epoch, one audit row, in one transaction."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock

    def step(self, key: str, *, actor: str) -> Adapted | None:
        """End the batch that is over, and open the next; None where there is none, or nobody to adapt for yet.

        Doing it again changes nothing: the batch it opened is not over. Raises NotFound.
        """
        return retried(lambda: self._step(key, actor))

    def _step(self, key: str, actor: str) -> Adapted | None:
        now = self._clock()
        with self._open(read_only=True) as work:
            before = work.experiments.get(key)
            snapshot = work.snapshots.latest(key)
            versions = work.experiments.versions(key)
        policy = before.definition.adaptive
        if policy is None or snapshot is None or not _is_over(before, versions, snapshot, policy):
            return None
        # Sampling takes its time: not in the transaction that writes.
        steps = tuple(_steps(before, snapshot, policy))
        if not steps:
            return None
        with self._open() as work:
            if work.experiments.get(key).revision != before.revision:
                raise RevisionMismatch("experiment", key)
            after = before.adapt([_adapted(before, step) for step in steps], by=actor, now=now)
            work.experiments.save(after, expected_revision=before.revision)
            work.audit.append(_entry(after, steps, actor, now))
            work.commit()
        self._catalog.catch_up()
        return Adapted(version=after.current, steps=steps)


def _is_over(experiment: Experiment, versions: Sequence[Version], snapshot: Snapshot, policy: AdaptivePolicy) -> bool:
    """Whether the batch has lasted, and the snapshot reaches that far and knows it."""
    if experiment.status is not Status.RUNNING or experiment.started_at is None:
        return False
    epoch = experiment.current.epoch
    seen = next(version for version in versions if version.number == snapshot.version)
    # A batch is an epoch: it began with its first version, the first one with the start.
    began = max(next(version.created_at for version in versions if version.epoch == epoch), experiment.started_at)
    return seen.epoch == epoch and snapshot.watermark.at >= began + timedelta(seconds=policy.batch_seconds)


def _steps(experiment: Experiment, snapshot: Snapshot, policy: AdaptivePolicy) -> Iterator[AdaptiveStep]:
    table = MomentTable.from_dict(snapshot.moments)
    metric = experiment.definition.primary.metric
    for plan in experiment.definition.segments:
        # What was put live stays as it is until somebody takes it back.
        if plan.is_promoted:
            continue
        batches = _batches(table, plan.segment.key, metric)
        step = take_step(
            Batch(
                experiment=experiment.key,
                segment=plan.segment.key,
                epoch=experiment.current.epoch,
                snapshot_id=snapshot.id,
            ),
            policy,
            arm_states(batches, tuple(plan.allocation.weights_bp)),
            posterior=Posterior.BETA if metric.kind is MetricKind.CONVERSION else Posterior.NORMAL,
            higher_is_better=metric.direction is Direction.INCREASE,
        )
        if step is not None:
            yield step


def _batches(table: MomentTable, segment: str, metric: Metric) -> list[list[BatchArm]]:
    """The segment's arms on the primary metric, epoch by epoch."""
    epochs: dict[int, list[BatchArm]] = {}
    for key, moments in sorted(table.moments.items()):
        if (key.segment, key.metric) == (segment, metric.key) and moments.n:
            epochs.setdefault(key.epoch, []).append(_arm(key.variant, moments, metric.kind))
    return list(epochs.values())


def _arm(variant: str, moments: Moments, kind: MetricKind) -> BatchArm:
    if kind is not MetricKind.RATIO:
        return BatchArm(variant=variant, units=moments.n, mean=moments.mean, variance=moments.variance)
    scale = moments.denominator_mean
    if not scale:
        return BatchArm(variant=variant, units=0, mean=0.0, variance=0.0)
    # By linearisation, as `analysis.effects.ratios` has it.
    variance = moments.residual_variance / (scale * scale)
    return BatchArm(variant=variant, units=moments.n, mean=moments.mean / scale, variance=variance)


def _adapted(experiment: Experiment, step: AdaptiveStep) -> SegmentPlan:
    """The plan with the new split; the declared weights stay what results are compared with."""
    plan = next(plan for plan in experiment.definition.segments if plan.segment.key == step.segment)
    return replace(plan, allocation=plan.allocation.reweighted(step.weights))


def _entry(after: Experiment, steps: Sequence[AdaptiveStep], actor: str, now: datetime) -> AuditEntry:
    records = [asdict(step) for step in steps]
    return AuditEntry(
        at=now,
        actor=actor,
        action=ACTION,
        subject=after.key,
        detail={
            "version": after.current.number,
            "epoch": after.current.epoch,
            "snapshot": steps[0].snapshot_id,
            "steps": records,
        },
        evidence_sha256=hashlib.sha256(canonical_json(records).encode()).hexdigest(),
    )
