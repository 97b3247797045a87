"""Learnt segments as JSON and back: what is stored, hashed, shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from segmentation.learnt.explain import Fidelity
from segmentation.learnt.mixture import MixtureView
from segmentation.learnt.preparation import LeftOut, Preparation, Scaled
from segmentation.learnt.reference import StructureTest
from segmentation.learnt.result import SCHEMA, Candidate, Cluster, Learning, LearntSegments


def to_document(segments: LearntSegments) -> dict[str, Any]:
    """Field names as keys, tuples as lists."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(segments), allow_nan=False))
    return document


def canonical_json(segments: LearntSegments) -> bytes:
    """One byte string per value: sorted keys, no spaces, UTF-8, shortest floats."""
    document = json.dumps(asdict(segments), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return document.encode()


def from_document(document: Mapping[str, Any]) -> LearntSegments:
    """Back from `to_document`; another schema, or a document that is none, raises `ValueError`."""
    if document.get("schema") != SCHEMA:
        raise ValueError(f"no {SCHEMA}: {document.get('schema')!r}")
    try:
        return _segments(document)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"no {SCHEMA}: {problem}") from problem


def _segments(document: Mapping[str, Any]) -> LearntSegments:
    preparation = {
        **_plain(document["preparation"]),
        "used": tuple(Scaled(**one) for one in document["preparation"]["used"]),
        "left_out": tuple(LeftOut(**one) for one in document["preparation"]["left_out"]),
        "missing": _pairs(document["preparation"]["missing"]),
    }
    values = {
        **{field.name: document[field.name] for field in fields(LearntSegments)},
        "libraries": _pairs(document["libraries"]),
        "learning": Learning(**document["learning"]),
        "preparation": Preparation(**preparation),
        "structure": StructureTest(**document["structure"]),
        "candidates": tuple(Candidate(**_plain(one)) for one in document["candidates"]),
        "mixture": None if document["mixture"] is None else MixtureView(**_plain(document["mixture"])),
        "clusters": tuple(_cluster(one) for one in document["clusters"]),
    }
    return LearntSegments(**values)


def _cluster(document: Mapping[str, Any]) -> Cluster:
    fidelity = document["fidelity"]
    return Cluster(**{**_plain(document), "fidelity": None if fidelity is None else Fidelity(**fidelity)})


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}


def _pairs(rows: list[list[Any]]) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in rows)
