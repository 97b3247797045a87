"""What sources say of units, checked against the registry, and the answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from experiments.domain.errors import DomainError, InvalidInput
from experiments.domain.names import check_id, check_instant, check_key, pointer
from experiments.domain.profile import Registry
from experiments.services.profiles.ports import SaidAtOnce
from experiments.services.recording.record import AHEAD_SECONDS

MAX_CHANGES = 500
"""Attributes that one change may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """What a source says of a unit: null takes back what it said, what is not named stays. `at` None: now."""

    unit_id: str
    source: str
    attributes: Mapping[str, Any]
    at: datetime | None = None

    def __post_init__(self) -> None:
        check_id(self.unit_id, "/unit_id")
        check_key(self.source, "/source")
        if not 0 < len(self.attributes) <= MAX_CHANGES:
            raise InvalidInput("changes_count", f"A change names 1 to {MAX_CHANGES} attributes.", path="/attributes")
        if self.at is not None:
            check_instant(self.at, "/at")


class ChangeStatus(StrEnum):
    """`unchanged`: all of it was known; `outdated`: the source has said something later of all of it."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileVerdict:
    """The answer to one change; `outdated`: the attributes that were left as they are."""

    unit_id: str | None
    status: ChangeStatus
    outdated: tuple[str, ...] = ()
    code: str | None = None
    message: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidColumns:
    """What a source says of many units at one instant: of an attribute, unit i has `values[codes[i]]`; None: nothing.

    Each unit says something. `checked_by`: the registry that all values were found to be fit for.
    """

    source: str
    at: datetime
    unit_ids: Sequence[str]
    columns: Mapping[str, tuple[Sequence[int], Sequence[Any]]]
    checked_by: Registry

    def change(self, place: int) -> ProfileChange:
        """Return what is said of one unit."""
        said = {
            name: value for name, (codes, values) in self.columns.items() if (value := values[codes[place]]) is not None
        }
        return ProfileChange(unit_id=self.unit_ids[place], source=self.source, attributes=said, at=self.at)

    def at_once(self, places: Sequence[int], counting: Collection[str]) -> SaidAtOnce:
        """Return what is said of some units, of whom no two are the same."""
        everybody = SaidAtOnce(
            source=self.source, at=self.at, unit_ids=self.unit_ids, columns=self.columns, counting=counting
        )
        return everybody.of(places)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnVerdicts:
    """How many units were new, how many known as they are said to be, and verdicts on the others by their place."""

    new: int
    same: int
    others: Mapping[int, ProfileVerdict]


def check_change(change: ProfileChange, registry: Registry, now: datetime) -> None:
    """Raise InvalidInput, at its place in the change, for what the registry does not allow."""
    if change.source not in registry.precedence:
        raise InvalidInput(
            "source_unknown",
            f"There is no source {change.source!r}: register it first (POST /v1/sources).",
            path="/source",
        )
    if change.at is not None:
        check_at(change.at, now)
    for name, value in change.attributes.items():
        path = pointer("attributes", name)
        attribute = registry.attributes.get(name)
        if attribute is None:
            raise InvalidInput("attribute_unknown", "No such attribute is registered.", path=path)
        if not attribute.takes_from(change.source):
            raise InvalidInput("attribute_of_others", f"{change.source!r} is none of its sources.", path=path)
        if value is not None:
            attribute.check(value, path)


def check_at(at: datetime, now: datetime) -> None:
    """Raise InvalidInput where somebody speaks of what is yet to come."""
    if at > now + timedelta(seconds=AHEAD_SECONDS):
        raise InvalidInput("at_in_future", "It lies more than 5 minutes ahead of our clock.", path="/at")


def refused(unit_id: str | None, refusal: DomainError) -> ProfileVerdict:
    """Return the verdict that tells of a refusal."""
    return ProfileVerdict(
        unit_id=unit_id,
        status=ChangeStatus.REJECTED,
        code=refusal.code,
        message=refusal.message,
        path=refusal.path,
    )
