"""Ids of events: new ones that sort by time."""

from __future__ import annotations

import os
import time
from uuid import UUID

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
