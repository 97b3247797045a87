"""The conditions that rules make, as a line that people read. Anything else stays the JSON that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ORDER = {"$gt": ">", "$lte": "≤"}
_LISTS = {"$in": "one of", "$nin": "none of"}


def rule_words(condition: Mapping[str, Any]) -> str:
    """Say what `segmentation.rules` asks: `orders > 3 and recency_days ≤ 90`."""
    try:
        return _either(condition)
    except (KeyError, AttributeError, TypeError):
        return json.dumps(condition, ensure_ascii=False)


def _either(condition: Mapping[str, Any]) -> str:
    """Leaves stand side by side; within one of them an `or` is about one attribute that may be missing."""
    if set(condition) != {"$or"}:
        return _all(condition)
    return " or ".join(f"({told})" if " and " in (told := _all(one)) else told for one in condition["$or"])


def _all(leaf: Mapping[str, Any]) -> str:
    parts = []
    for name, asked in leaf.items():
        if name == "$and":
            parts += [_all(one) for one in asked]
        elif name == "$or":
            parts.append(f"({' or '.join(_all(one) for one in asked)})")
        else:
            parts += _bounds(name, asked)
    return " and ".join(parts)


def _bounds(name: str, asked: Any) -> list[str]:
    if asked is None:
        return [f"{name} is not known"]
    if not isinstance(asked, Mapping):
        return [f"{name} is {json.dumps(asked, ensure_ascii=False)}"]
    told = [_bound(name, operator, operand) for operator, operand in asked.items() if operator != "$exists"]
    return told or [f"{name} is known"]


def _bound(name: str, operator: str, operand: Any) -> str:
    if operator in _ORDER:
        return f"{name} {_ORDER[operator]} {operand:,}"
    return f"{name} is {_LISTS[operator]} {', '.join(json.dumps(one, ensure_ascii=False) for one in operand)}"
