"""Who consents, as of one revision: all that is not as a matter of course, so that nobody has to be looked up.

A unit is eight bytes of its digest here. Of ten million exceptions, one in 10^12 other units is taken for one of them.
"""

from __future__ import annotations

import hmac
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from experiments.domain.consent import Consent, ConsentMode
from experiments.services.consent.ports import ConsentStore

MOST_FOLLOWED = 10_000
"""Where more units than these spoke since all were read, all are read again."""
_DIGITS = 16
_BYTES = _DIGITS // 2


class ConsentPicture:
    """`is_asked`: units have to be looked up; where it is False, everybody consents.

    `latest_grant`: before it, something may have been received of who did not consent yet; None: of nobody.
    """

    def __init__(self, mode: ConsentMode) -> None:
        self._mode = mode
        self._following = threading.Lock()
        self._keyed: hmac.HMAC | None = None
        self._held: tuple[array[int], dict[int, bool]] = (array("Q"), {})
        self._revision = 0
        self.is_asked = True
        self.latest_grant: datetime | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything was read yet."""
        return self._keyed is not None

    @property
    def units(self) -> int:
        """How many units are held."""
        return sum(map(len, self._held))

    def follow(self, store: ConsentStore) -> None:
        """Take in what was said since the last look."""
        with self._following:
            changes = store.changed_since(self._revision, most=MOST_FOLLOWED) if self.is_known else None
            if changes is None or changes.said is None or len(changes.said) + len(self._held[1]) > MOST_FOLLOWED:
                self._read_all(store)
            else:
                self._revision = changes.revision
                if not changes.said:
                    return
                self._held[1].update((number_of(one.unit_digest), self._is_exception(one)) for one in changes.said)
            exceptions, since = self._held
            self.latest_grant = store.latest_grant()
            self.is_asked = self._mode is ConsentMode.REQUIRED or bool(exceptions) or any(since.values())

    def lacks(self, unit_id: str) -> bool:
        """Say whether a unit does not consent; of a picture that is known."""
        return self.lacks_number(self.number(unit_id))

    def number(self, unit_id: str) -> int:
        """Return the first bytes of a unit's digest."""
        if self._keyed is None:
            raise RuntimeError("nothing was read yet")
        hashed = self._keyed.copy()
        hashed.update(unit_id.encode())
        return int.from_bytes(hashed.digest()[:_BYTES])

    def lacks_number(self, number: int) -> bool:
        """Say the same of a unit by its number."""
        exceptions, since = self._held
        is_exception = since.get(number)
        if is_exception is None:
            place = bisect_left(exceptions, number)
            is_exception = place < len(exceptions) and exceptions[place] == number
        return is_exception is (self._mode is ConsentMode.ASSUMED)

    def _read_all(self, store: ConsentStore) -> None:
        self._revision = store.revision()
        found = sorted(number_of(digest) for batch in store.exceptions() for digest in batch)
        self._held = array("Q", found), {}  # in one piece, as those who ask wait for nobody
        self._keyed = hmac.new(store.salt(), digestmod="sha256")

    def _is_exception(self, said: Consent) -> bool:
        return said.granted is (self._mode is ConsentMode.REQUIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStored:
    """Of which units rows are dropped: those received before an instant, or all (None)."""

    before: Mapping[str, datetime | None]

    def __bool__(self) -> bool:
        """Say whether there is such a unit."""
        return bool(self.before)

    def covers(self, unit_id: str, instant: datetime) -> bool:
        """Say whether what was received of the unit at that instant is not to be stored."""
        if unit_id not in self.before:
            return False
        since = self.before[unit_id]
        return since is None or instant < since


def not_stored(unit_ids: Iterable[str], picture: ConsentPicture, late: Mapping[int, datetime]) -> NotStored:
    """Return who of these does not consent; `late`, by number: since when those consent who did not before."""
    before: dict[str, datetime | None] = {}
    for unit_id in unit_ids:
        number = picture.number(unit_id)
        if picture.lacks_number(number):
            before[unit_id] = None
        elif number in late:
            before[unit_id] = late[number]
    return NotStored(before=before)


def number_of(digest: str) -> int:
    """Return the number of the unit whose digest it is."""
    return int(digest[:_DIGITS], 16)
