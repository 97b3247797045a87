"""Author: make, edit, start, pause, stop and archive experiments; the library and the registry hang on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from experiments.domain.epoch import Version
from experiments.domain.errors import NotFound, RevisionMismatch
from experiments.domain.experiment import Experiment, Status, draft
from experiments.domain.metric import Metric
from experiments.domain.segment import Segment
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.authoring.library import LayerAuthor, LibraryAuthor
from experiments.services.authoring.meant import unknown
from experiments.services.authoring.registry import AttributeAuthor, SourceAuthor
from experiments.services.authoring.wishes import ExperimentWish, refuse_rename, resolve
from experiments.services.paging import Page
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.promoting.acts import Actor, supersede
from experiments.services.promoting.advance import end_at_stop
from experiments.services.retry import retried

Step = Literal["start", "pause", "stop", "archive"]
_STEPS: Mapping[Step, Callable[..., Experiment]] = {
    "start": Experiment.start,
    "pause": Experiment.pause,
    "stop": Experiment.stop,
    "archive": Experiment.archive,
}


class Author:
    """Every change is one transaction with its audit entry; this process sees it at once, others within a second."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock
        self.segments = LibraryAuthor[Segment]("segment", lambda work: work.segments, open_unit_of_work, clock)
        self.metrics = LibraryAuthor[Metric]("metric", lambda work: work.metrics, open_unit_of_work, clock)
        self.layers = LayerAuthor("layer", lambda work: work.layers, open_unit_of_work, clock)
        self.attributes = AttributeAuthor("attribute", lambda work: work.attributes, open_unit_of_work, clock, catalog)
        self.sources = SourceAuthor("source", lambda work: work.sources, open_unit_of_work, clock, catalog)

    def create(self, wish: ExperimentWish, *, actor: str) -> Experiment:
        """Store a new draft. Raises InvalidInput, AlreadyExists."""
        now = self._clock()
        with self._open() as work:
            experiment = draft(resolve(work, wish), by=actor, now=now)
            _check_layer(work, experiment)
            work.experiments.add(experiment)
            work.audit.append(_entry(now, actor, "experiment.create", experiment.key, {}))
            work.commit()
        return experiment

    def edit(self, key: str, wish: ExperimentWish, *, expected_revision: int, actor: str) -> Experiment:
        """Store a changed definition; one that changes nothing is no version.

        Raises InvalidInput, FrozenField, RevisionMismatch, IllegalTransition.
        """
        refuse_rename(wish.key, key)
        now = self._clock()
        with self._open() as work:
            before = work.experiments.get(key)
            if before.revision != expected_revision:
                raise RevisionMismatch("experiment", key)
            live = None if before.status is Status.DRAFT else before.definition
            wanted = resolve(work, wish, live)
            after = before.edit(wanted, by=actor, now=now)
            if wanted == before.definition:
                return before
            _check_layer(work, after)
            _supersede(work, before, after, actor, now)
            work.experiments.save(after, expected_revision=expected_revision)
            detail = {"version": after.current.number, "epoch": after.current.epoch}
            work.audit.append(_entry(now, actor, "experiment.edit", key, detail))
            work.commit()
        self._catalog.catch_up()
        return after

    def step(self, key: str, step: Step, *, expected_revision: int | None = None, actor: str) -> Experiment:
        """Start, pause, stop or archive. Raises IllegalTransition, LayerFull, RevisionMismatch.

        Who names no revision means the experiment as it stands, whoever changed it a moment ago.
        """
        if expected_revision is None:
            return retried(lambda: self._step(key, step, None, actor))
        return self._step(key, step, expected_revision, actor)

    def _step(self, key: str, step: Step, expected_revision: int | None, actor: str) -> Experiment:
        now = self._clock()
        with self._open() as work:
            before = work.experiments.get(key)
            if expected_revision is not None and before.revision != expected_revision:
                raise RevisionMismatch("experiment", key)
            if step == "archive" and before.status is Status.STOPPED:
                end_at_stop(work, key, Actor(name=actor, now=now))
                before = work.experiments.get(key)
            after = _STEPS[step](before, now, by=actor)
            _move_in_layer(work, before, after, now)
            work.experiments.save(after, expected_revision=before.revision)
            detail = {"from": before.status, "to": after.status}
            work.audit.append(_entry(now, actor, f"experiment.{step}", key, detail))
            work.commit()
        self._catalog.catch_up()
        return after

    def get(self, key: str) -> Experiment:
        """Raise NotFound."""
        with self._open(read_only=True) as work:
            return work.experiments.get(key)

    def versions(self, key: str) -> tuple[Version, ...]:
        """Return all versions, oldest first. Raises NotFound."""
        with self._open(read_only=True) as work:
            work.experiments.get(key)
            return work.experiments.versions(key)

    def page(self, *, after: str | None, limit: int, status: Status | None = None) -> Page[Experiment]:
        """List in order of key."""
        with self._open(read_only=True) as work:
            return work.experiments.page(after=after, limit=limit, status=status)


def _check_layer(work: UnitOfWork, experiment: Experiment) -> None:
    claim = experiment.definition.layer
    if claim is None:
        return
    try:
        work.layers.get(claim.layer)
    except NotFound as missing:
        raise unknown(missing, work.layers, path="/layer/layer") from None


def _supersede(work: UnitOfWork, before: Experiment, after: Experiment, actor: str, now: datetime) -> None:
    """End the promotions that are not live any more, and those that wait in segments that are gone or split anew.

    Who approved one had the split of before in mind.
    """
    live = {plan.promotion for plan in after.definition.segments}
    ended = [
        work.promotions.get(plan.promotion)
        for plan in before.definition.segments
        if plan.promotion is not None and plan.promotion not in live
    ]
    ended += [
        one
        for one in work.promotions.standing(before.key)
        if one.is_open and not one.is_live and not _is_split_alike(before, after, one.segment)
    ]
    for promotion in ended:
        supersede(work, promotion, version=before.current.number, actor=Actor(name=actor, now=now))


def _is_split_alike(before: Experiment, after: Experiment, segment: str) -> bool:
    was, now = (one.definition.plan_of(segment) for one in (before, after))
    return was is not None and now is not None and was.allocation == now.allocation


def _move_in_layer(work: UnitOfWork, before: Experiment, after: Experiment, now: datetime) -> None:
    """Claim the layer's buckets at the first start, give them back at the stop."""
    claim = after.definition.layer
    if claim is None:
        return
    stored = work.layers.get(claim.layer)
    if before.status is Status.DRAFT:
        layer = stored.value.claim(after.key, claim.share_bp)
    elif after.status is Status.STOPPED:
        layer = stored.value.release(after.key)
    else:
        return
    work.layers.save(layer, expected_revision=stored.revision, now=now)


def _entry(at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(at=at, actor=actor, action=action, subject=subject, detail=detail)
