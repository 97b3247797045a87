"""Bucketing version 1: a public contract. Once released it is never changed, only added to."""

from __future__ import annotations

import mmh3

BUCKETS = 10_000
"""One bucket is one basis point of units."""


def bucket(salt: str, unit_id: str) -> int:
    """Return the bucket of a unit, in [0, 10000): murmur3_x86_32 of `salt:unit_id`, scaled without a float."""
    return (mmh3.hash(f"{salt}:{unit_id}".encode(), 0, signed=False) * BUCKETS) >> 32


def traffic_salt(salt: str) -> str:
    """Return the salt that decides entry into the experiment, independent of the choice of variant."""
    return f"{salt}/traffic"


def variant_salt(salt: str) -> str:
    """Return the salt that decides the variant."""
    return f"{salt}/variant"
