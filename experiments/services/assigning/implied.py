"""Exposures that an assignment implies, where asking is showing: stored once, however often is asked."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from experiments.domain.assignment import Assignment
from experiments.domain.event import ASSIGNED, Channel, assigned_digest, assigned_prefix
from experiments.services.recording.lines import Lines, implied_line, instant_text, shown_columns
from experiments.services.recording.ports import Journal

REMEMBERED = 200_000
"""How many exposures a process remembers at least; what it has forgotten is stored again, and dropped there."""

_KEY_BYTES = 16
"""Of a SHA-256: beyond all chance of two alike, and short whatever units are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implied:
    """The exposure that an answer implies, but for whose it is, when and where: made once, with the answer."""

    prefix: bytes
    columns: str


def implied_by(answer: Assignment) -> Implied:
    """Return what is the same of all units that are given an answer."""
    segment = answer.segment or ""
    return Implied(
        prefix=assigned_prefix(
            experiment=answer.experiment, epoch=answer.epoch, segment=segment, variant=answer.variant
        ),
        columns=shown_columns(
            experiment=answer.experiment,
            version=answer.version,
            epoch=answer.epoch,
            segment=segment,
            variant=answer.variant,
        ),
    )


class Fresh(msgspec.Struct, frozen=True, gc=False):
    """Exposures that are not known to be on disk: once their lines are, `keys` may be remembered."""

    lines: Lines
    keys: Collection[bytes]


class ImpliedExposures:
    """Remembers what is on disk already, so that asking again costs nothing."""

    def __init__(self, journal: Journal, *, remembered: int = REMEMBERED) -> None:
        self.journal = journal
        self._most = remembered
        self._recent: set[bytes] = set()
        self._older: set[bytes] = set()
        self._swapping = threading.Lock()

    def store(self, shown: Iterable[tuple[str, Implied]], *, now: datetime, channel: Channel | None = None) -> None:
        """Return when all of these are on disk. Raises Unavailable where the new ones were not stored.

        Of a unit that asks again, in another channel, the first one stays.
        """
        fresh = self.fresh(shown, now=now, channel=channel)
        if fresh is not None:
            self.journal.append_lines(fresh.lines)
            self.remember(fresh)

    def fresh(
        self, shown: Iterable[tuple[str, Implied]], *, now: datetime, channel: Channel | None = None
    ) -> Fresh | None:
        """Return what of these has to be stored, None where nothing has."""
        keys: set[bytes] = set()
        lines: list[str] = []
        recent, older, at = self._recent, self._older, ""
        for unit_id, implied in shown:
            digest = assigned_digest(implied.prefix, unit_id)
            key = digest[-_KEY_BYTES:]
            if key not in recent and key not in older and key not in keys:
                keys.add(key)
                at = at or instant_text(now)
                lines.append(implied_line(f"{ASSIGNED}{digest.hex()}", unit_id, implied.columns, channel, at))
        if not keys:
            return None
        return Fresh(Lines(exposures="".join(lines).encode(), exposure_rows=len(lines)), keys)

    def remember(self, fresh: Fresh) -> None:
        """Ask for these no more, now that they are stored.

        The older half is forgotten at once where there are too many: that needs no order among them.
        """
        self._recent.update(fresh.keys)
        if len(self._recent) >= self._most:
            with self._swapping:
                if len(self._recent) >= self._most:
                    self._older, self._recent = self._recent, set()
