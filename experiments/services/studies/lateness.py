"""What became known of units, or unknown, only after their exposure: the treatment may have had a part in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from experiments.domain.consent import Said
from experiments.domain.erasure import unit_digest
from experiments.domain.profile import Known, Profile
from experiments.services.ports import UnitOfWork
from experiments.services.recording.ports import Watermark


class Late(StrEnum):
    """Why: its source said or took it back, the unit's consent changed, or its id was joined to that of the profile."""

    SAID = "said_after_exposure"
    CONSENT = "consent_changed_after_exposure"
    JOINED = "joined_after_exposure"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUnits:
    """Units of whom all is late; `joined`: whom an id exposed, and when, that became theirs only afterwards."""

    said: Said
    joined: Collection[tuple[str, datetime]]

    def why(self, unit_id: str, exposed_at: datetime) -> Late | None:
        """Return why all that is known of the unit is late, None where that is not so."""
        if (unit_id, exposed_at) in self.joined:
            return Late.JOINED
        return Late.CONSENT if self.said.changed_after(unit_id, exposed_at) else None


def joined_late(work: UnitOfWork, experiment: str, watermark: Watermark) -> frozenset[tuple[str, datetime]]:
    """Return whom an id exposed, and when, that became theirs only afterwards: by then another profile counted."""
    rows = work.identities.added(above=0, upto=watermark.identity_revision)
    joined = {one.unit_id: one for one in rows if one.unit_id != one.person_id}
    if not joined:
        return frozenset()
    shown = (row for batch in work.log.exposures(experiment, watermark) for row in batch)
    return frozenset(
        (one.person_id, at) for unit_id, _, _, _, at, _ in shown if (one := joined.get(unit_id)) and one.linked_at > at
    )


def said_by(work: UnitOfWork, unit_ids: Collection[str]) -> Said:
    """Read what units have said of their consent."""
    mode = work.consents.mode
    if not work.consents.revision():
        return Said(mode=mode, by_unit={})
    salt = work.consents.salt()
    digests = {unit_id: unit_digest(salt, unit_id) for unit_id in unit_ids}
    found = work.consents.some(digests.values())
    return Said(mode=mode, by_unit={unit_id: found[one] for unit_id, one in digests.items() if one in found})


def why_late(profile: Profile, known: Known | None, name: str, exposed_at: datetime) -> Late | None:
    """Say whether the value that counts was said after the exposure, or one was taken back."""
    if known is not None and known.at > exposed_at:
        return Late.SAID
    said = (one[name] for one in profile.said.values() if name in one)
    is_taken_back = any(statement.value is None and statement.at > exposed_at for statement in said)
    return Late.SAID if is_taken_back else None
