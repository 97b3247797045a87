"""What the services keep of who is who, as a Protocol."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.domain.identity import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityChanges:
    """Whose identity changed since a revision, up to another one; None: more than were asked for, or some are gone."""

    revision: int
    unit_ids: tuple[str, ...] | None


class IdentityStore(Protocol):
    """Rows are added and erased, never changed. Writers queue, so revisions are committed in their order."""

    def get(self, unit_id: str) -> Identity | None:
        """One read by primary key."""

    def some(self, unit_ids: Collection[str]) -> Mapping[str, Identity]:
        """Those of the units that have a row."""

    def take(self) -> None:
        """For who is going to write: until the end of the transaction nobody else does."""

    def hold(self) -> None:
        """For who is not going to write: until the end of the transaction nobody else does."""

    def of_person(self, person_id: str) -> tuple[Identity, ...]:
        """All rows of a person, in order of id."""

    def is_exposed(self, unit_id: str, experiments: Collection[str]) -> bool:
        """Say whether the log has a counted exposure of the unit itself to one of these."""

    def add(self, rows: Sequence[Identity]) -> None:
        """Store rows of ids that have none; together they get a revision of their own."""

    def remove(self, person_id: str) -> int:
        """Delete all rows of a person; return how many those were."""

    def revision(self) -> int:
        """Return a number that grows whenever rows are added or removed, 0 before; none below comes later."""

    def changed_since(self, revision: int, *, most: int) -> IdentityChanges: ...

    def added(self, *, above: int, upto: int) -> Sequence[Identity]:
        """Rows with such revisions, the lowest first."""

    def exposed(self, experiment: str, *, exposure_id: int, revision: int) -> Iterator[Sequence[tuple[str, str]]]:
        """Batches of (unit_id, person_id): every id of a person one of whose ids is in the experiment's results.

        Exposures with higher ids and rows with a higher revision do not exist here.
        """
