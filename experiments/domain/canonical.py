"""The one JSON text of a value, so that equal values have equal hashes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any


def canonical_json(value: Any) -> str:
    """Return sorted, compact JSON with instants in ISO 8601. Raises TypeError for what is no JSON otherwise."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_instant)


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} is no JSON")
