"""The experiment: the steps of its life, its versions, and what freezes at the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.epoch import Version, dated, split_changed
from experiments.domain.errors import FrozenField, IllegalTransition


class Status(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ARCHIVED = "archived"


UNDER_WAY = (Status.RUNNING, Status.PAUSED)
"""Begun, and not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The experiment as it stands: its state, and its current version. `revision` counts every change of either."""

    status: Status
    current: Version
    revision: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    stopped_at: datetime | None = None

    @property
    def key(self) -> str:
        return self.current.definition.key

    @property
    def definition(self) -> Definition:
        return self.current.definition

    @property
    def is_live(self) -> bool:
        """Whether frontends may ask about it: everything between the first start and the archive."""
        return self.status in (Status.RUNNING, Status.PAUSED, Status.STOPPED)

    def start(self, now: datetime, *, by: str = "") -> Experiment:
        """Start, or go on after a pause, in a new epoch."""
        if self.status is not Status.PAUSED:
            return self._step("start", Status.RUNNING, now, started_at=self.started_at or now)
        resumed = self._version(self.definition, now=now, by=by, new_epoch=True, paused=False)
        return self._step("start", Status.RUNNING, now, current=resumed)

    def pause(self, now: datetime, *, by: str = "") -> Experiment:
        """Show everybody the control for the time being, in an epoch of its own."""
        paused = self._version(self.definition, now=now, by=by, new_epoch=True, paused=True)
        return self._step("pause", Status.PAUSED, now, current=paused)

    def stop(self, now: datetime, *, by: str = "") -> Experiment:
        """End for good: promoted segments keep their winner, all others see the control."""
        return self._step("stop", Status.STOPPED, now, stopped_at=now)

    def archive(self, now: datetime, *, by: str = "") -> Experiment:
        """Take out of sight; frontends get the default of their own."""
        return self._step("archive", Status.ARCHIVED, now)

    def _step(self, step: str, to: Status, now: datetime, **changes: Any) -> Experiment:
        if (self.status, to) not in _STEPS:
            raise IllegalTransition(self.key, self.status, step)
        return replace(self, status=to, revision=self.revision + 1, updated_at=now, **changes)

    def edit(self, wanted: Definition, *, by: str, now: datetime) -> Experiment:
        """Return the experiment with a new version of its definition.

        A draft is simply rewritten. Once started, what results rest on is frozen, and a change of any split or
        condition opens a new epoch; segments whose split did not change keep their `since_epoch`.
        """
        if self.status is Status.DRAFT:
            version = replace(self.current, definition=wanted, created_at=now, created_by=by)
            return replace(self, current=version, revision=self.revision + 1, updated_at=now)
        if self.status not in UNDER_WAY:
            raise IllegalTransition(self.key, self.status, "be edited")
        _refuse_frozen(self.definition, wanted)
        return self._changed(wanted, by=by, now=now)

    def replan(self, plan: SegmentPlan, *, by: str, now: datetime) -> Experiment:
        """Return the experiment with the plan of one segment replaced; a stopped one can still lose its winner."""
        if self.status not in (Status.RUNNING, Status.PAUSED, Status.STOPPED):
            raise IllegalTransition(self.key, self.status, "be edited")
        return self._changed(self.definition.with_plan(plan), by=by, now=now)

    def adapt(self, plans: Sequence[SegmentPlan], *, by: str, now: datetime) -> Experiment:
        """Return the experiment in its next batch: an epoch of its own, even where no split came out differently."""
        if self.status is not Status.RUNNING:
            raise IllegalTransition(self.key, self.status, "be adapted")
        wanted = self.definition
        for plan in plans:
            wanted = wanted.with_plan(plan)
        return self._changed(wanted, by=by, now=now, new_epoch=True)

    def _changed(self, wanted: Definition, *, by: str, now: datetime, new_epoch: bool = False) -> Experiment:
        new_epoch = new_epoch or split_changed(self.definition, wanted)
        version = self._version(wanted, now=now, by=by, new_epoch=new_epoch, paused=self.current.paused)
        segments = tuple(dated(self.definition, wanted, version.epoch))
        version = replace(version, definition=replace(wanted, segments=segments))
        return replace(self, current=version, revision=self.revision + 1, updated_at=now)

    def _version(self, definition: Definition, *, now: datetime, by: str, new_epoch: bool, paused: bool) -> Version:
        return Version(
            number=self.current.number + 1,
            epoch=self.current.epoch + new_epoch,
            definition=definition,
            created_at=now,
            created_by=by,
            paused=paused,
        )


_STEPS = frozenset(
    {
        (Status.DRAFT, Status.RUNNING),
        (Status.RUNNING, Status.PAUSED),
        (Status.PAUSED, Status.RUNNING),
        (Status.RUNNING, Status.STOPPED),
        (Status.PAUSED, Status.STOPPED),
        (Status.STOPPED, Status.ARCHIVED),
    }
)


def draft(definition: Definition, *, by: str, now: datetime) -> Experiment:
    """Return a new experiment in its first version."""
    version = Version(number=1, epoch=1, definition=definition, created_at=now, created_by=by)
    return Experiment(status=Status.DRAFT, current=version, revision=1, created_at=now, updated_at=now)


_FROZEN = (
    "key", "salt", "bucketing", "unit_type", "exposure_policy", "randomisation", "layer", "analysis", "adaptive",
)  # fmt: skip


def _refuse_frozen(old: Definition, new: Definition) -> None:
    for name in _FROZEN:
        if getattr(old, name) != getattr(new, name):
            raise FrozenField(
                "field_frozen", f"`{name}` cannot change once the experiment has started.", path=f"/{name}"
            )
    if [(v.key, v.content, v.is_control) for v in old.variants] != [
        (v.key, v.content, v.is_control) for v in new.variants
    ]:
        raise FrozenField(
            "field_frozen",
            "Variants and their content cannot change once the experiment has started.",
            path="/variants",
        )
    if old.primary != new.primary:
        raise FrozenField(
            "field_frozen", "The primary metric cannot change once the experiment has started.", path="/metrics"
        )
