"""Membership: who was in a segment at an instant, without names, so that who comes and goes can be counted.

A member is 63 bits of its unit's digest: nobody can be found by it who does not know the unit and the database's salt.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from experiments.domain.canonical import canonical_json

_BYTES = 8
_DIGITS = 2 * _BYTES
MEMBERS_AT_ONCE = 16_384
"""Members in one piece of a set: whoever takes one person out of millions rewrites so many."""


def member_of(salt: bytes, unit_id: str) -> int:
    """Return what stands for a unit in a set of members: the first 63 bits of its digest."""
    return int.from_bytes(hmac.digest(salt, unit_id.encode(), "sha256")[:_BYTES]) >> 1


def member_of_digest(unit_digest: str) -> int:
    """Return the same for somebody of whom only the digest is known."""
    return int(unit_digest[:_DIGITS], 16) >> 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Who was in a segment; `hashes` rise. `condition`: digest of the condition that they fulfilled."""

    segment: str
    taken_at: datetime
    condition: str
    hashes: array[int] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberWeek:
    """Members at the beginning and the end of a week; who was in at both ends stayed, whatever happened in between."""

    segment: str
    starts_at: datetime
    ends_at: datetime
    condition: str
    before: int
    after: int
    stayed: int

    @property
    def entered(self) -> int:
        return self.after - self.stayed

    @property
    def left(self) -> int:
        return self.before - self.stayed


def condition_digest(condition: Mapping[str, Any]) -> str:
    """Return what tells whether two sets were taken by the same condition."""
    return hashlib.sha256(canonical_json(condition).encode()).hexdigest()


def pieces(hashes: array[int]) -> Iterator[array[int]]:
    """Cut a set of members into pieces of bounded size; of nobody there is one empty piece."""
    for start in range(0, max(1, len(hashes)), MEMBERS_AT_ONCE):
        yield hashes[start : start + MEMBERS_AT_ONCE]


def pack(hashes: array[int]) -> bytes:
    """Return sorted members as they rest: byte by byte in columns, the high ones of which hardly change."""
    raw = _big_endian(hashes).tobytes()
    return zlib.compress(b"".join(raw[place::_BYTES] for place in range(_BYTES)), level=1)


def unpack(packed: bytes) -> array[int]:
    """Return what was packed."""
    columns = zlib.decompress(packed)
    count = len(columns) // _BYTES
    raw = bytearray(len(columns))
    for place in range(_BYTES):
        raw[place::_BYTES] = columns[place * count : (place + 1) * count]
    return _big_endian(array("Q", bytes(raw)))


def without(hashes: array[int], member: int) -> array[int]:
    """Return the set without a member, whether it was in or not."""
    place = bisect_left(hashes, member)
    if place == len(hashes) or hashes[place] != member:
        return hashes
    return hashes[:place] + hashes[place + 1 :]


def _big_endian(hashes: array[int]) -> array[int]:
    """Swap where the machine is little-endian: its own inverse."""
    swapped = array("Q", hashes)
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped
