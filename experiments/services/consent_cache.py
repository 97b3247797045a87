"""Who consents, in the memory of a process: all that is not as a matter of course, so that nobody is looked up.

A unit is eight bytes of its digest here. Of ten million exceptions, one in 10^12 other units is taken for one of them;
what is stored is decided by whole digests, in the database.
"""

from __future__ import annotations

import hmac
import threading
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from experiments.domain.consent import Consent, ConsentMode
from experiments.domain.errors import Unavailable
from experiments.services.ports import OpenUnitOfWork, UnitOfWork

MOST_FOLLOWED = 10_000
"""Where more units than these spoke since all were read, all are read again."""
AWAY_SECONDS = 2.0
_DIGITS = 16
_BYTES = _DIGITS // 2


class ConsentCache:
    """`is_asked`: units have to be looked up; where it is False, everybody consents, and requests pay nothing."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, mode: ConsentMode) -> None:
        self._open = open_unit_of_work
        self._mode = mode
        self._following = threading.Lock()
        self._keyed: hmac.HMAC | None = None
        self._held: tuple[array[int], dict[int, bool]] = (array("Q"), {})
        self._revision = 0
        self._away_until = 0.0
        self.is_asked = True

    def numbers(self) -> Mapping[str, float]:
        """Return for the metrics how many units are held in memory."""
        return {"consents_held": sum(map(len, self._held))}

    def lacks(self, unit_id: str) -> bool:
        """Say whether the unit gets what everybody gets, and nothing of it is kept.

        Before anything was read, and while that cannot be done, nobody is known to consent.
        """
        if self._keyed is None and not self._first_look():
            return True
        return self.is_asked and self._decide(unit_id)

    def is_known_to_lack(self, unit_id: str) -> bool:
        """Say the same for what is to be recorded: what is not known here is decided on its way into the database."""
        return self._keyed is not None and self.is_asked and self._decide(unit_id)

    def _decide(self, unit_id: str) -> bool:
        keyed = self._keyed
        assert keyed is not None  # who asks has looked
        hashed = keyed.copy()
        hashed.update(unit_id.encode())
        number = int.from_bytes(hashed.digest()[:_BYTES])
        exceptions, since = self._held
        is_exception = since.get(number)
        if is_exception is None:
            place = bisect_left(exceptions, number)
            is_exception = place < len(exceptions) and exceptions[place] == number
        return is_exception is (self._mode is ConsentMode.ASSUMED)

    def follow(self) -> None:
        """Hear what was said since the last look. Raises Unavailable: what was heard before goes on to count."""
        with self._following, self._open(read_only=True) as work:
            changes = None if self._keyed is None else work.consents.changed_since(self._revision, most=MOST_FOLLOWED)
            if changes is None or changes.said is None or len(changes.said) + len(self._held[1]) > MOST_FOLLOWED:
                self._read_all(work)
            else:
                self._held[1].update((_number(one.unit_digest), self._is_exception(one)) for one in changes.said)
                self._revision = changes.revision
            exceptions, since = self._held
            self.is_asked = self._mode is ConsentMode.REQUIRED or bool(exceptions) or any(since.values())

    def catch_up(self) -> None:
        """Hear of a change of our own: it is stored already, so trouble now is the next look's business."""
        with suppress(Unavailable):
            self.follow()

    def _first_look(self) -> bool:
        if monotonic() >= self._away_until:
            self.catch_up()
            if self._keyed is None:
                self._away_until = monotonic() + AWAY_SECONDS
        return self._keyed is not None

    def _read_all(self, work: UnitOfWork) -> None:
        revision = work.profiles.revision()
        found = sorted(_number(digest) for batch in work.consents.exceptions() for digest in batch)
        self._held = array("Q", found), {}  # in one piece, as those who ask wait for nobody
        self._revision = revision
        self._keyed = hmac.new(work.erasures.salt(), digestmod="sha256")

    def _is_exception(self, said: Consent) -> bool:
        if self._mode is ConsentMode.REQUIRED:
            return said.granted is True
        return said.granted is False


def _number(digest: str) -> int:
    return int(digest[:_DIGITS], 16)
