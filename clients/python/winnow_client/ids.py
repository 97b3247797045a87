"""Ids: of units, as the server takes them, and of events, new ones that sort by time."""

from __future__ import annotations

import os
import re
import time
from uuid import UUID

ID_CHARACTERS = 512
_ID_BITS = 1_700
"""A whole number with more has more than 512 digits."""
_UNFIT_FOR_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_RANDOM_BITS = 80
_FIELDS = 0xF << 76 | 0b11 << 62
"""Where version and variant stand among the random bits."""
_VERSION_7 = 0x7 << 76 | 0b10 << 62
_LAST_MILLISECOND = (1 << 48) - 1


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix time in milliseconds, then random ones.

    Ids that come in the order of time meet in one place of a database's index, where random ones are all over it.
    """
    milliseconds = time.time_ns() // 1_000_000 & _LAST_MILLISECOND
    random = int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big") & ~_FIELDS
    return str(UUID(int=milliseconds << _RANDOM_BITS | _VERSION_7 | random))


def as_id(unit_id: object) -> str | None:
    """Return the id as the server would take it, None where it would not; most are printable, which is quickly seen."""
    if not isinstance(unit_id, str):
        if not isinstance(unit_id, int) or isinstance(unit_id, bool) or unit_id.bit_length() > _ID_BITS:
            return None
        # Not `str()` and not `format()` of what may be a subclass, such as an IntEnum.
        unit_id = int.__repr__(unit_id)
    if not 0 < len(unit_id) <= ID_CHARACTERS:
        return None
    return unit_id if unit_id.isprintable() or not _UNFIT_FOR_ID.search(unit_id) else None
