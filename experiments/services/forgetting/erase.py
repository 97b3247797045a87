"""Erase: forget a person everywhere, and say what was done without saying whom.

Its own order keeps rows from coming back: first a mark, after which the log takes nothing that was received before;
then what is there already is looked for; then it is deleted, and audited by digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from experiments.domain.erasure import Erasure, ForcedIn, Receipt, unit_digest
from experiments.domain.membership import member_of_digest
from experiments.domain.names import check_id
from experiments.services.forgetting.replayed import replayed
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.ports import UnitRows

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
    """`forget` is told whose profile is gone, `unlink` whose ids are nobody's any more."""

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        forget: Callable[[Collection[str]], None],
        spools: Spools | None,
        unlink: Callable[[Collection[str]], None] = lambda unit_ids: None,
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._forget = forget
        self._spools = spools
        self._unlinked = unlink

    def erase(self, unit_id: str, *, actor: str) -> Receipt:
        """Erase a unit, and the person with all ids whose it is; again changes nothing but what came since.

        Raises InvalidInput, Unavailable. On Unavailable some of it may be done: ask again.
        """
        check_id(unit_id, "/unit_id")
        before = self._ids(unit_id)
        receipts, removed = {unit_id: self._erase(unit_id, actor)}, 0
        left = (before | self._ids(unit_id)) - receipts.keys()
        while left:
            receipts.update({one: self._erase(one, actor) for one in left})
            removed, left = self._unlink(unit_id, receipts)
        return receipts[unit_id] if removed == 0 else together(list(receipts.values()), removed)

    def _ids(self, unit_id: str) -> frozenset[str]:
        """Return all ids of the person whose id it is."""
        with self._open(read_only=True) as work:
            return _ids_of(work, unit_id)

    def _unlink(self, unit_id: str, erased: Mapping[str, Receipt]) -> tuple[int, frozenset[str]]:
        """Forget who was who, last of all: whoever has to ask again finds all ids. Return those joined meanwhile.

        Who follows the log may have counted for one id what another one had bought, before that was erased too.
        """
        with self._open() as work:
            _uncount(work, list(erased))
            said_since = [one for one, receipt in erased.items() if _erase_said(work, one, receipt)]
            work.identities.take()
            ids = _ids_of(work, unit_id)
            if not ids <= erased.keys():
                return 0, ids - erased.keys()
            found = work.identities.get(unit_id)
            removed = work.identities.remove(found.person_id) if found else 0
            work.commit()
            _scrub(work, erased[unit_id])
        self._forget(said_since)
        self._unlinked(ids)
        return removed, frozenset()

    def _erase(self, unit_id: str, actor: str) -> Receipt:
        before, erasure, profiles = self._mark(unit_id)
        self._forget([unit_id])
        spooled = SpooledRows()
        if self._spools is not None:
            spooled = self._spools.rows_of(unit_id, after=before)
        found, names, counted, forced_in = self._find(unit_id)
        receipt = Receipt(
            id=erasure.id,
            erased_at=erasure.erased_at,
            unit_digest=erasure.unit_digest,
            deleted={**counted, "profiles": profiles + counted["profiles"]},
            waiting={"spooled": spooled.rows, "dead": spooled.dead_rows},
            unreadable_files=spooled.unreadable_files,
            forced_in=forced_in,
            left=LEFT,
        )
        self._delete([unit_id, *names], found, receipt, actor)
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
            said = work.consents.to_change([digest]).values()
            work.consents.put([one.unsay(erasure.erased_at) for one in said if one.granted])
            work.commit()
        return before, erasure, profiles

    def _find(self, unit_id: str) -> tuple[UnitRows, frozenset[str], Mapping[str, int], tuple[ForcedIn, ...]]:
        """Look through the log, which has no index of units: those who append wait for nobody meanwhile."""
        with self._open(read_only=True) as work:
            loaded = replayed(work, unit_id)
            rows = work.log.rows_of(unit_id) + loaded.rows
            counted = {
                "profiles": len(work.profiles.some(loaded.names)),
                "exposures": len(rows.exposures),
                "events": len(rows.events),
                "behaviour": len(work.behaviour.some([unit_id, *loaded.names])),
                "activity": len(work.activity.some([unit_id, *loaded.names])),
            }
            return rows, loaded.names, counted, tuple(_forced_in(work, unit_id))

    def _delete(self, ids: Sequence[str], found: UnitRows, receipt: Receipt, actor: str) -> None:
        """Delete what was found. Who follows the log waits meanwhile; what they said since the mark goes as well."""
        with self._open() as work:
            _uncount(work, ids)
            salt = work.erasures.salt()
            for one in ids:
                work.reports.forget(member_of_digest(unit_digest(salt, one)))
            said_since = [one for one in ids if _erase_said(work, one, receipt)]
            work.log.erase(found)
            work.audit.append(_entry(receipt, actor))
            work.commit()
            _scrub(work, receipt)
        if said_since:
            self._forget(said_since)


def _ids_of(work: UnitOfWork, unit_id: str) -> frozenset[str]:
    found = work.identities.get(unit_id)
    rows = work.identities.of_person(found.person_id) if found else ()
    return frozenset(one.unit_id for one in rows) | {unit_id}


def _uncount(work: UnitOfWork, unit_ids: Collection[str]) -> None:
    """Delete what was counted of units; until the end of the transaction nobody who follows the log writes."""
    work.behaviour.take()
    work.activity.take()
    work.behaviour.remove(unit_ids)
    work.activity.remove(unit_ids)


def _erase_said(work: UnitOfWork, unit_id: str, receipt: Receipt) -> bool:
    """Erase what was said of a unit since its mark; return whether that was anything."""
    said_since, revision = work.profiles.erase(unit_id)
    if said_since:
        work.erasures.add(_again(receipt, revision))
    return said_since > 0


def _scrub(work: UnitOfWork, receipt: Receipt) -> None:
    """Where the database's files are being read, one more mark has those scrub them who follow erasures."""
    if not work.scrub():
        work.erasures.add(_again(receipt, profile_revision=0))
        work.commit()


def _again(receipt: Receipt, profile_revision: int) -> Erasure:
    return Erasure(
        id=secrets.token_hex(8),
        unit_digest=receipt.unit_digest,
        erased_at=receipt.erased_at,
        profile_revision=profile_revision,
    )


def together(receipts: Sequence[Receipt], identities: int) -> Receipt:
    """Return one receipt for all ids of a person: the first one's, with what was done for the others."""
    forced = {(one.experiment, one.versions): one for receipt in receipts for one in receipt.forced_in}
    return replace(
        receipts[0],
        deleted={**_sum([receipt.deleted for receipt in receipts]), "identities": identities},
        waiting=_sum([receipt.waiting for receipt in receipts]),
        unreadable_files=max(receipt.unreadable_files for receipt in receipts),
        forced_in=tuple(forced.values()),
    )


def _sum(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(one[name] for one in counts) for name in counts[0]}


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
