"""Unit -> bucket. A public contract: once released, a version is never changed, only added to."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import mmh3

from experiments.domain.errors import InvalidInput

BUCKETS = 10_000
"""One bucket is one basis point of units."""

Hash = Callable[[str], int]
"""Unit id -> its place, a whole number."""

HashAll = Callable[[Sequence[str]], "array[int]"]
"""The same for many, as unsigned numbers of 32 bits and without a call of ours for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashing:
    """A version of bucketing: `salted` gives the hash of a salt, whose places lie in [0, `places`)."""

    places: int
    salted: Callable[[str], Hash]
    salted_all: Callable[[str], HashAll]

    def bucket(self, salt: str, unit_id: str) -> int:
        """Return the bucket of a unit, in [0, 10000)."""
        return self.salted(salt)(unit_id) * BUCKETS // self.places

    def edge(self, bucket: int) -> int:
        """Return the lowest place that lies in this bucket: comparing places saves turning them into buckets."""
        return -(-bucket * self.places // BUCKETS)


def murmur_prefix(salt: str) -> str:
    """Return what stands before a unit id in version 1: its place is `mmh3.hash(prefix + unit_id, 0, False)`."""
    return f"{salt}:"


def _murmur(salt: str) -> Hash:
    """Version 1: murmur3_x86_32 of `salt:unit_id` in UTF-8, seed 0, scaled without a float."""
    prefix, hashed = murmur_prefix(salt), mmh3.hash
    return lambda unit_id: hashed(prefix + unit_id, 0, False)


def _murmur_all(salt: str) -> HashAll:
    """All keys are put together, encoded and taken apart at once, which costs less than a text for each of them."""
    prefix, alone, digest = f"{salt}:", _murmur(salt), mmh3.mmh3_32_digest
    between = "\n" + prefix

    def hashed(unit_ids: Sequence[str]) -> array[int]:
        keys = (prefix + between.join(unit_ids)).encode().split(b"\n")
        if len(keys) != len(unit_ids):
            # Nobody, or ids with line breaks, which `check_id` lets nobody have; a salt may have one.
            return array("I", map(alone, unit_ids))
        places = array("I", b"".join(map(digest, keys)))
        if sys.byteorder == "big":
            places.byteswap()
        return places

    return hashed


_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def _fnv(salt: str) -> Hash:
    """Version 2: that of GrowthBook's SDKs (`hashVersion` 2), so that they can decide by themselves.

    FNV-1a of 32 bits over the UTF-16 units of salt and unit id, then over its decimal digits; modulo 10,000.
    """
    salted = _fnv_1a(salt, _FNV_OFFSET)
    return lambda unit_id: _fnv_1a(str(_fnv_1a(unit_id, salted)), _FNV_OFFSET) % BUCKETS


def _fnv_all(salt: str) -> HashAll:
    hashed = _fnv(salt)
    return lambda unit_ids: array("I", map(hashed, unit_ids))


def _fnv_1a(text: str, state: int) -> int:
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        state = (state ^ unit) * _FNV_PRIME & 0xFFFFFFFF
    return state


HASHINGS: Mapping[int, Hashing] = MappingProxyType(
    {
        1: Hashing(places=1 << 32, salted=_murmur, salted_all=_murmur_all),
        2: Hashing(places=BUCKETS, salted=_fnv, salted_all=_fnv_all),
    }
)


def check_bucketing(version: int) -> None:
    """Refuse a version that there is not."""
    if isinstance(version, bool) or version not in HASHINGS:
        raise InvalidInput("bucketing_unknown", "Bucketing is of version 1 or 2.", path="/bucketing")


def bucket(salt: str, unit_id: str, version: int = 1) -> int:
    """Return the bucket of a unit, in [0, 10000)."""
    return HASHINGS[version].bucket(salt, unit_id)


def traffic_salt(salt: str) -> str:
    """Return the salt that decides entry into the experiment, independent of the choice of variant."""
    return f"{salt}/traffic"


def variant_salt(salt: str) -> str:
    """Return the salt that decides the variant."""
    return f"{salt}/variant"
