"""What the services keep of consent, as a Protocol: what units have said, by digest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from experiments.domain.consent import Consent, ConsentMode


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChanges:
    """What was said since a revision, up to another one; None: by more units than were asked for."""

    revision: int
    said: tuple[Consent, ...] | None


class ConsentStore(Protocol):
    """One row per unit that has said anything. Its writers stand in the queue of those who write profiles.

    So a profile that is written after a look here is not written past a refusal.
    """

    mode: ConsentMode

    def lacking(self, unit_ids: Collection[str]) -> frozenset[str]:
        """Those of whom nothing may be stored now: costs next to nothing where that is nobody."""

    def get(self, unit_digest: str) -> Consent | None:
        """One read by primary key."""

    def some(self, unit_digests: Collection[str]) -> Mapping[str, Consent]:
        """Those that are there."""

    def to_change(self, unit_digests: Collection[str]) -> Mapping[str, Consent]:
        """Those that are there; until the end of the transaction no other writer changes them."""

    def put(self, said: Sequence[Consent]) -> None:
        """Store them; digests within one call are distinct. After the commit the log takes no row of who refuses."""

    def exceptions(self) -> Iterator[Sequence[str]]:
        """Batches of the digests of who is not treated like those who have said nothing, in no order."""

    def salt(self) -> bytes:
        """Return what digests are made with, as `erasures.salt`."""

    def revision(self) -> int:
        """Return the highest revision of what was said; no lower one is committed after it."""

    def latest_grant(self) -> datetime | None:
        """Return since when the latest of those consents before which a unit did not; None where there is none."""

    def changed_since(self, revision: int, *, most: int) -> ConsentChanges:
        """What was said since that revision."""
