"""Versions and epochs: what a new version moves, and until when outcomes of an earlier epoch count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from experiments.domain.definition import Definition, SegmentPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One state of the definition, kept for ever, with the epoch it belongs to.

    While `paused`, everybody sees the control: a pause and what follows it are epochs of their own.
    """

    number: int
    epoch: int
    definition: Definition
    created_at: datetime
    created_by: str
    paused: bool = False


def follow_up_end(versions: Sequence[Version], epoch: int, segment: str) -> datetime | None:
    """Return when units counted in that segment and epoch may first have been moved elsewhere, or None."""
    start = next(version.definition for version in versions if version.epoch == epoch)
    return next(
        (
            later.created_at
            for later in versions
            if later.epoch > epoch and (later.paused or _may_have_moved(start, later.definition, segment))
        ),
        None,
    )


def _may_have_moved(then: Definition, later: Definition, segment: str) -> bool:
    """Units move when their segment's split moves, or when a segment before it may take them over."""
    before, after = then.plan_of(segment), later.plan_of(segment)
    if before is None or after is None:
        return True
    return before.may_have_moved(after) or _before(then, segment) != _before(later, segment)


def _before(definition: Definition, segment: str) -> list[tuple[str, Mapping[str, Any]]]:
    before: list[tuple[str, Mapping[str, Any]]] = []
    for plan in definition.segments:
        if plan.segment.key == segment:
            return before
        before.append((plan.segment.key, plan.segment.condition))
    return before


def split_changed(old: Definition, new: Definition) -> bool:
    if [plan.segment.key for plan in old.segments] != [plan.segment.key for plan in new.segments]:
        return True
    return not all(before.same_split(after) for before, after in zip(old.segments, new.segments, strict=True))


def dated(old: Definition, new: Definition, epoch: int) -> Iterator[SegmentPlan]:
    for plan in new.segments:
        before = old.plan_of(plan.segment.key)
        unchanged = (
            before is not None
            and before.same_split(plan)
            and _before(old, plan.segment.key) == _before(new, plan.segment.key)
        )
        yield replace(plan, since_epoch=before.since_epoch if before is not None and unchanged else epoch)
