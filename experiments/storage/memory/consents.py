"""Consent in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from experiments.domain.consent import Consent, ConsentMode, Said
from experiments.domain.erasure import unit_digest
from experiments.services.consent.ports import ConsentChanges
from experiments.storage.customers.consent_store import EXCEPTIONS, GRANTS
from experiments.storage.memory.state import State


class MemoryConsentStore:
    def __init__(self, state: State, mode: ConsentMode) -> None:
        self._state = state
        self.mode = mode

    def lacking(self, unit_ids: Collection[str]) -> frozenset[str]:
        said = self.said_by(unit_ids)
        return frozenset(unit_id for unit_id in unit_ids if said.lacks(unit_id))

    def said_by(self, unit_ids: Collection[str]) -> Said:
        """Return what these units have said."""
        if not self._state.consents:
            return Said(mode=self.mode, by_unit={})
        found = {unit_id: self.get(unit_digest(self._state.erasure_salt, unit_id)) for unit_id in unit_ids}
        return Said(mode=self.mode, by_unit={unit_id: one for unit_id, one in found.items() if one is not None})

    def get(self, digest: str) -> Consent | None:
        found = self._state.consents.get(digest)
        return None if found is None else found[1]

    def some(self, unit_digests: Collection[str]) -> Mapping[str, Consent]:
        return {digest: one for digest in unit_digests if (one := self.get(digest)) is not None}

    def to_change(self, unit_digests: Collection[str]) -> Mapping[str, Consent]:
        return self.some(unit_digests)

    def put(self, said: Sequence[Consent]) -> None:
        self._state.profile_revision += 1
        for one in said:
            self._state.consents[one.unit_digest] = (self._state.profile_revision, one)

    def exceptions(self) -> Iterator[Sequence[str]]:
        wanted = EXCEPTIONS[self.mode]
        yield sorted(digest for digest, (_, one) in self._state.consents.items() if one.state in wanted)

    def salt(self) -> bytes:
        return self._state.erasure_salt

    def revision(self) -> int:
        return max((number for number, _ in self._state.consents.values()), default=0)

    def latest_grant(self) -> datetime | None:
        said = (one for _, one in self._state.consents.values())
        return max((one.since for one in said if one.state in GRANTS[self.mode]), default=None)

    def changed_since(self, revision: int, *, most: int) -> ConsentChanges:
        said = tuple(one for number, one in self._state.consents.values() if number > revision)
        return ConsentChanges(revision=max(revision, self.revision()), said=said if len(said) <= most else None)
