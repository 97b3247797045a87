"""Erase: forget a person everywhere, and say what was done without saying whom.

Its own order keeps rows from coming back: first a mark, after which the log takes nothing that was received before;
then what is there already is looked for; then it is deleted, and audited by digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from experiments.domain.erasure import Erasure, ForcedIn, Receipt, unit_digest
from experiments.domain.membership import member_of_digest
from experiments.domain.names import check_id
from experiments.services.customer_ports import UnitRows
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork

ACTION = "unit.erase"
LEFT = (
    "Snapshots, reports and promotions hold sums over many units and name none: they stay, and stay valid.",
    "Rows that wait in spools are dropped on their way into the database, and their files cleaned after that.",
)
_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledRows:
    """What of a unit lies in the spool files of this machine."""

    rows: int = 0
    dead_rows: int = 0
    unreadable_files: int = 0


class Spools(Protocol):
    """The spool files of this database on this machine."""

    def rows_of(self, unit_id: str, *, after: datetime | None) -> SpooledRows:
        """Count what was received of a unit after an instant."""

    def clean(self) -> None:
        """Begin to take out of them what has been erased; returns at once where a thread does so."""


class Eraser:
    """`forget` is told whose profile is gone."""

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        forget: Callable[[Collection[str]], None],
        spools: Spools | None,
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._forget = forget
        self._spools = spools

    def erase(self, unit_id: str, *, actor: str) -> Receipt:
        """Erase a unit; again changes nothing but what came since. Raises InvalidInput, Unavailable.

        On Unavailable some of it may be done: ask again.
        """
        check_id(unit_id, "/unit_id")
        before, erasure, profiles = self._mark(unit_id)
        self._forget([unit_id])
        spooled = SpooledRows()
        if self._spools is not None:
            spooled = self._spools.rows_of(unit_id, after=before)
        found, customers, forced_in = self._find(unit_id)
        receipt = Receipt(
            id=erasure.id,
            erased_at=erasure.erased_at,
            unit_digest=erasure.unit_digest,
            deleted={
                "profiles": profiles,
                "exposures": len(found.exposures),
                "events": len(found.events),
                "behaviour": customers,
            },
            waiting={"spooled": spooled.rows, "dead": spooled.dead_rows},
            unreadable_files=spooled.unreadable_files,
            forced_in=forced_in,
            left=LEFT,
        )
        self._delete(unit_id, found, receipt, actor)
        if self._spools is not None:
            self._spools.clean()
        return receipt

    def _mark(self, unit_id: str) -> tuple[datetime | None, Erasure, int]:
        """Return when the unit was erased before, the present erasure, and how many profiles went with it."""
        with self._open() as work:
            profiles, revision = work.profiles.erase(unit_id)
            digest = unit_digest(work.erasures.salt(), unit_id)
            before = work.erasures.since(None).at.get(digest)
            erasure = Erasure(
                id=secrets.token_hex(8), unit_digest=digest, erased_at=self._clock(), profile_revision=revision
            )
            work.erasures.add(erasure)
            work.commit()
        return before, erasure, profiles

    def _find(self, unit_id: str) -> tuple[UnitRows, int, tuple[ForcedIn, ...]]:
        """Look through the log, which has no index of units: those who append wait for nobody meanwhile."""
        with self._open(read_only=True) as work:
            return work.log.rows_of(unit_id), len(work.behaviour.some([unit_id])), tuple(_forced_in(work, unit_id))

    def _delete(self, unit_id: str, found: UnitRows, receipt: Receipt, actor: str) -> None:
        """Delete what was found. Who follows the log waits meanwhile; what they said since the mark goes as well."""
        with self._open() as work:
            work.behaviour.take()
            work.behaviour.remove([unit_id])
            work.reports.forget(member_of_digest(receipt.unit_digest))
            said_since, revision = work.profiles.erase(unit_id)
            if said_since:
                work.erasures.add(
                    Erasure(
                        id=secrets.token_hex(8),
                        unit_digest=receipt.unit_digest,
                        erased_at=receipt.erased_at,
                        profile_revision=revision,
                    )
                )
            work.log.erase(found)
            work.audit.append(_entry(receipt, actor))
            work.commit()
            work.scrub()
        if said_since:
            self._forget([unit_id])


def _forced_in(work: UnitOfWork, unit_id: str) -> Iterator[ForcedIn]:
    after, more = None, True
    while more:
        page = work.experiments.page(after=after, limit=_PAGE)
        for experiment in page.items:
            versions = work.experiments.versions(experiment.key)
            naming = tuple(one.number for one in versions if unit_id in one.definition.forced)
            if naming:
                yield ForcedIn(experiment=experiment.key, versions=naming)
        after, more = page.next_after, page.next_after is not None


def _entry(receipt: Receipt, actor: str) -> AuditEntry:
    detail = {
        "unit_digest": receipt.unit_digest,
        "deleted": dict(receipt.deleted),
        "waiting": dict(receipt.waiting),
        "forced_in": {one.experiment: list(one.versions) for one in receipt.forced_in},
    }
    return AuditEntry(at=receipt.erased_at, actor=actor, action=ACTION, subject=receipt.id, detail=detail)
