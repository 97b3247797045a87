"""A report as JSON: what is stored, hashed, served."""

from __future__ import annotations

import json
from dataclasses import fields
from math import isfinite
from typing import Any

from analysis.estimate import Report, Undefined

_NAMES: dict[type[Any], tuple[str, ...]] = {}
"""A report has thousands of values of a dozen kinds."""


def to_dict(report: Report) -> dict[str, Any]:
    """Field names as keys, tuples as lists; a number that does not exist is {"undefined": reason, "message": ...}."""
    return {field.name: _plain(getattr(report, field.name)) for field in fields(report)}


def canonical_json(report: Report) -> bytes:
    """One byte string per report, what a stored one is checked by: sorted keys, no spaces, UTF-8, shortest floats."""
    document = json.dumps(to_dict(report), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return document.encode()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        if isfinite(value):
            return value
        return {"undefined": "not_finite", "message": "Too large or too small for a number."}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Undefined):
        return {"undefined": value.reason, "message": value.message}
    return {name: _plain(getattr(value, name)) for name in _names(type(value))}


def _names(kind: type[Any]) -> tuple[str, ...]:
    found = _NAMES.get(kind)
    if found is None:
        found = _NAMES[kind] = tuple(field.name for field in fields(kind))
    return found
