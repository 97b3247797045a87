"""Identity: ids of one person. All of them are answered as one, by the id that the person is bucketed by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from experiments.domain.errors import InvalidInput, Taken
from experiments.domain.names import check_id

MAX_IDS = 100
"""Ids of one person, its own included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One id of a person. A person's own id stands among its ids, from the first one on that was joined to it.

    `bucketed_as` is the same for all of them, and never changes.
    """

    unit_id: str
    person_id: str
    bucketed_as: str
    linked_at: datetime


class BucketedBy(StrEnum):
    """By which id a person is bucketed, seen from a device: the device's own, the person's, or another device's."""

    ANONYMOUS_ID = "anonymous_id"
    UNIT_ID = "unit_id"
    ANOTHER_ID = "another_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An anonymous id and whose it is."""

    anonymous_id: str
    unit_id: str
    bucketed_by: BucketedBy


def check_pair(anonymous_id: str, unit_id: str) -> None:
    """Refuse what can never be joined."""
    check_id(anonymous_id, "/anonymous_id")
    check_id(unit_id, "/unit_id")
    if anonymous_id == unit_id:
        raise InvalidInput("identity_same", "Both ids are the same one.", path="/anonymous_id")


def join(
    anonymous_id: str, unit_id: str, known: tuple[Identity, ...], *, is_bucketed: bool, now: datetime
) -> tuple[Identity, ...]:
    """Return the rows that join an anonymous id to a unit: none where it is joined already.

    `known`: the row of either id and all rows of that unit. A person whose first id this is keeps its own bucket if it
    `is_bucketed` by its own id; else it takes that of the anonymous id, so that what the visitor saw stays.
    Raises Taken where the id is somebody else's, where there would be a chain of ids, or where there are too many.
    """
    rows = {one.unit_id: one for one in known}
    alias, person = rows.get(anonymous_id), rows.get(unit_id)
    if alias is not None and alias.person_id == unit_id:
        return ()
    if alias is not None and alias.person_id != anonymous_id:
        raise Taken("identity_taken", "This id is somebody else's already.", path="/anonymous_id")
    if alias is not None:
        raise Taken("identity_chain", "Other ids are joined to this one: it is a person's.", path="/anonymous_id")
    if person is not None and person.person_id != unit_id:
        raise Taken("identity_chain", "This id is itself joined to another one; name that.", path="/unit_id")
    if person is not None:
        if sum(one.person_id == unit_id for one in known) >= MAX_IDS:
            raise Taken("identity_full", f"A person has at most {MAX_IDS} ids.", path="/unit_id")
        placed = person.bucketed_as
        return (_row(anonymous_id, unit_id, placed, now),)
    placed = unit_id if is_bucketed else anonymous_id
    return _row(unit_id, unit_id, placed, now), _row(anonymous_id, unit_id, placed, now)


def bucketed_by(one: Identity) -> BucketedBy:
    """Say by whose id a joined one is bucketed."""
    if one.bucketed_as == one.unit_id:
        return BucketedBy.ANONYMOUS_ID
    return BucketedBy.UNIT_ID if one.bucketed_as == one.person_id else BucketedBy.ANOTHER_ID


def _row(unit_id: str, person_id: str, bucketed_as: str, now: datetime) -> Identity:
    return Identity(unit_id=unit_id, person_id=person_id, bucketed_as=bucketed_as, linked_at=now)
