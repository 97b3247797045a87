"""A unit's place: versions 1 and 2 of Winnow's bucketing, a contract that never changes."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

try:
    from mmh3 import hash as _mmh3
except ImportError:
    _HAS_MMH3 = False
else:
    _HAS_MMH3 = True

BUCKETS = 10_000
"""One bucket is one basis point of units."""

Place = Callable[[str], int]

_WORD = 0xFFFFFFFF
_blocks = struct.Struct("<I").iter_unpack
_UTF_16 = f"utf-16-{'le' if sys.byteorder == 'little' else 'be'}"
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0, for where there is no `mmh3`."""
    state, whole = 0, len(data) & ~3
    for (block,) in _blocks(data[:whole]):
        state ^= _mixed(block)
        state = ((state << 13 | state >> 19) & _WORD) * 5 + 0xE6546B64 & _WORD
    if whole < len(data):
        state ^= _mixed(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & _WORD
    state = (state ^ state >> 13) * 0xC2B2AE35 & _WORD
    return state ^ state >> 16


def _mixed(block: int) -> int:
    block = block * 0xCC9E2D51 & _WORD
    return (block << 15 | block >> 17) * 0x1B873593 & _WORD


def fnv_1a(text: str, state: int = _FNV_OFFSET) -> int:
    """FNV-1a of 32 bits over the UTF-16 units of a text, from a state on."""
    units = text.encode() if text.isascii() else memoryview(text.encode(_UTF_16)).cast("H")
    for unit in units:
        state = (state ^ unit) * _FNV_PRIME & _WORD
    return state


def _in_plain_python(salt: str) -> Place:
    prefix = f"{salt}:"
    return lambda unit_id: murmur3((prefix + unit_id).encode())


def _in_c(salt: str) -> Place:
    prefix = f"{salt}:"
    return lambda unit_id: _mmh3(prefix + unit_id, 0, False)


def _fnv(salt: str) -> Place:
    salted = fnv_1a(salt)
    return lambda unit_id: fnv_1a(str(fnv_1a(unit_id, salted))) % BUCKETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucketing:
    """`places` gives the function from unit id to its place among `count`; comparing places saves making buckets."""

    count: int
    places: Callable[[str], Place]

    def bucket(self, salt: str, unit_id: str) -> int:
        """Return the bucket of a unit, in [0, 10000)."""
        return self.places(salt)(unit_id) * BUCKETS // self.count

    def edge(self, bucket: int) -> int:
        """Return the lowest place in this bucket."""
        return -(-bucket * self.count // BUCKETS)


BUCKETINGS = {
    1: Bucketing(count=1 << 32, places=_in_c if _HAS_MMH3 else _in_plain_python),
    2: Bucketing(count=BUCKETS, places=_fnv),
}
