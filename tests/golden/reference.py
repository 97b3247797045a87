"""A second implementation of bucketing, written from the specifications alone: pure Python, no library.

It makes new golden vectors (`python tests/golden/reference.py VERSION > FILE` for a *new* file; a released one is never
edited) and checks the old ones. It shares no code with the product.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any

MASK = 0xFFFFFFFF


def murmur3_x86_32(data: bytes, seed: int = 0) -> int:
    """Austin Appleby's MurmurHash3_x86_32, in the public domain, as specified in SMHasher."""
    h = seed
    length = len(data)
    for start in range(0, length - length % 4, 4):
        h ^= _mix(int.from_bytes(data[start : start + 4], "little"))
        h = (_rotate(h, 13) * 5 + 0xE6546B64) & MASK
    tail = data[length - length % 4 :]
    if tail:
        h ^= _mix(int.from_bytes(tail, "little"))
    h ^= length
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
    return h ^ (h >> 16)


def _rotate(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & MASK


def _mix(block: int) -> int:
    return (_rotate((block * 0xCC9E2D51) & MASK, 15) * 0x1B873593) & MASK


def fnv1a_32(text: str) -> int:
    """FNV-1a over UTF-16 code units, as a loop over `charCodeAt` in JavaScript does it: GrowthBook's `hashFnv32a`."""
    h = 0x811C9DC5
    for character in text:
        for unit in _utf16_units(ord(character)):
            h = ((h ^ unit) * 0x01000193) & MASK
    return h


def _utf16_units(code_point: int) -> list[int]:
    if code_point < 0x10000:
        return [code_point]
    above = code_point - 0x10000
    return [0xD800 + (above >> 10), 0xDC00 + (above & 0x3FF)]


def bucket(salt: str, unit_id: str, version: int = 1) -> int:
    if version == 2:
        return fnv1a_32(str(fnv1a_32(salt + unit_id))) % 10_000
    return (murmur3_x86_32(f"{salt}:{unit_id}".encode()) * 10_000) >> 32


def assign(experiment: dict[str, Any], unit_id: str, segment: str) -> dict[str, Any]:
    """The rules of the design in their plainest form; the segment is given, conditions have vectors of their own."""
    control, version = experiment["control"], experiment.get("bucketing", 1)
    if unit_id in experiment.get("forced", {}):
        return {"variant": experiment["forced"][unit_id], "reason": "forced"}
    layer = experiment.get("layer")
    if layer:
        place = bucket(layer["salt"], unit_id, layer.get("bucketing", 1))
        if place >= 10_000 - layer["holdout_bp"]:
            return {"variant": control, "reason": "holdout"}
        if not any(slot["start"] <= place < slot["end"] for slot in layer["slots"]):
            return {"variant": control, "reason": "other_experiment"}
    plan = next(plan for plan in experiment["segments"] if plan["segment"] == segment)
    if bucket(experiment["salt"] + "/traffic", unit_id, version) >= plan["traffic_bp"]:
        return {"variant": control, "reason": "not_in_traffic"}
    place = bucket(experiment["salt"] + "/variant", unit_id, version)
    shown = next(piece for piece in plan["ranges"] if piece["start"] <= place < piece["end"])
    return {"variant": shown["variant"], "reason": "assigned"}


def unit_with_bucket(salt: str, wanted: int, version: int = 1) -> str:
    """The first of boundary-0, boundary-1, … that falls into a bucket."""
    first, numbers = _firsts(salt, version)
    while wanted not in first:
        unit = f"boundary-{next(numbers)}"
        first.setdefault(bucket(salt, unit, version), unit)
    return first[wanted]


@cache
def _firsts(salt: str, version: int) -> tuple[dict[int, str], Iterator[int]]:
    """The first unit of each bucket so far, and the numbers that were not looked at."""
    return {}, count()


IDS = {
    "short": "1",
    "plain": "customer-42",
    "space": "with space",
    "colon": "a:b:c",
    "empty-looking": " ",
    "umlaut": "Müller",
    "decomposed umlaut": "Mu\u0308ller",
    "japanese": "顧客-七",
    "emoji": "👩‍👩‍👧",
    "arabic": "عميل",
    "astral": "𝒳-1",
    "e-mail": "someone@example.com",
    "uuid": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "three bytes": "abc",
    "four bytes": "abcd",
    "five bytes": "abcde",
    "very long": "x" * 512,
    "very long non-ASCII": "ü" * 512,
}

EXPERIMENTS: dict[str, dict[str, Any]] = {
    "halves": {
        "salt": "halves",
        "control": "a",
        "variants": ["a", "b"],
        "segments": [
            {
                "segment": "everyone",
                "traffic_bp": 10_000,
                "ranges": [{"start": 0, "end": 5_000, "variant": "a"}, {"start": 5_000, "end": 10_000, "variant": "b"}],
            }
        ],
    },
    "thirds-tenth": {
        "salt": "thirds/ünï",
        "control": "none",
        "variants": ["none", "mens", "womens"],
        "segments": [
            {
                "segment": "both",
                "traffic_bp": 1_000,
                "ranges": [
                    {"start": 0, "end": 3_334, "variant": "none"},
                    {"start": 3_334, "end": 6_667, "variant": "mens"},
                    {"start": 6_667, "end": 10_000, "variant": "womens"},
                ],
            },
            {
                "segment": "everyone",
                "traffic_bp": 10_000,
                "ranges": [
                    {"start": 0, "end": 1, "variant": "mens"},
                    {"start": 1, "end": 9_999, "variant": "none"},
                    {"start": 9_999, "end": 10_000, "variant": "womens"},
                ],
            },
        ],
    },
    "layered": {
        "salt": "layered",
        "control": "a",
        "variants": ["a", "b"],
        "forced": {"tester-1": "b"},
        "layer": {"salt": "layer-1", "holdout_bp": 500, "slots": [{"start": 0, "end": 4_000}]},
        "segments": [
            {
                "segment": "everyone",
                "traffic_bp": 5_000,
                "ranges": [{"start": 0, "end": 2_500, "variant": "a"}, {"start": 2_500, "end": 10_000, "variant": "b"}],
            }
        ],
    },
}


EXPERIMENTS_2: dict[str, dict[str, Any]] = {
    **{key: {**experiment, "bucketing": 2} for key, experiment in EXPERIMENTS.items()},
    "layered": {
        **EXPERIMENTS["layered"],
        "bucketing": 2,
        "layer": {**EXPERIMENTS["layered"]["layer"], "bucketing": 2},
    },
    "in a layer of version 1": {**EXPERIMENTS["layered"], "bucketing": 2},
}


def boundary_units(experiments: dict[str, dict[str, Any]]) -> dict[str, str]:
    units = dict(IDS)
    for edge in (0, 1, 2_499, 2_500, 3_333, 3_334, 4_999, 5_000, 6_666, 6_667, 9_998, 9_999):
        for key, experiment in experiments.items():
            version = experiment.get("bucketing", 1)
            units[f"{key}, bucket {edge}"] = unit_with_bucket(experiment["salt"] + "/variant", edge, version)
    units["tester"] = "tester-1"
    return units


def assignments(experiments: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "experiment": key,
            "unit_id": unit,
            "segment": plan["segment"],
            **assign(experiment, unit, plan["segment"]),
        }
        for name, unit in boundary_units(experiments).items()
        for key, experiment in experiments.items()
        for plan in experiment["segments"]
    ]


def vectors_2() -> dict[str, Any]:
    return {
        "spec": "winnow.assignment/2",
        "about": "Bucketing version 2. Once released, a vector is never edited, only added to.",
        "hashes": [
            {
                "name": name,
                "salt": salt,
                "unit_id": unit,
                "hash": fnv1a_32(salt + unit),
                "bucket": bucket(salt, unit, 2),
            }
            for name, unit in IDS.items()
            for salt in ("", "salt", "sält/variant", "𝒳")
        ],
        "experiments": EXPERIMENTS_2,
        "assignments": assignments(EXPERIMENTS_2),
    }


def vectors() -> dict[str, Any]:
    return {
        "spec": "winnow.assignment/1",
        "about": "Bucketing version 1. Once released, a vector is never edited, only added to.",
        "hashes": [
            {"name": name, "salt": salt, "unit_id": unit, "hash": hashed, "bucket": (hashed * 10_000) >> 32}
            for name, unit in IDS.items()
            for salt in ("", "salt", "sält/variant")
            for hashed in (murmur3_x86_32(f"{salt}:{unit}".encode()),)
        ],
        "experiments": EXPERIMENTS,
        "assignments": assignments(EXPERIMENTS),
    }


if __name__ == "__main__":
    made = {"1": vectors, "2": vectors_2}[sys.argv[1]]()
    json.dump(made, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
