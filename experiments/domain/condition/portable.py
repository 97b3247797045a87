"""Conditions rewritten so that GrowthBook's SDKs, in JavaScript as in Python, find them true exactly where we do.

The language is theirs, but each SDK compares values in its own way: in JavaScript a missing value equals 0 and "1"
equals 1, in Python neither. So equality is said by operators that are strict everywhere, and order is tied to a type.
What no rewriting makes equal is refused; `docs/growthbook.md` has the list.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from experiments.domain.condition.compile import is_operator_document
from experiments.domain.condition.values import as_number

Document = dict[str, Any]

_EXACT = 1 << 53
"""Whole numbers beyond this are not themselves in JavaScript."""
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_OF_OBJECTS = frozenset(
    (
        "constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty", "isPrototypeOf",
        "propertyIsEnumerable", "__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__",
        "__lookupSetter__",
    )
)  # fmt: skip
_OF_ARRAYS = frozenset(
    (
        "length", "at", "concat", "copyWithin", "entries", "every", "fill", "filter", "find", "findIndex", "findLast",
        "findLastIndex", "flat", "flatMap", "forEach", "includes", "indexOf", "join", "keys", "lastIndexOf", "map",
        "pop", "push", "reduce", "reduceRight", "reverse", "shift", "slice", "some", "sort", "splice", "toReversed",
        "toSorted", "toSpliced", "unshift", "values", "with",
    )
)  # fmt: skip


class NotPortable(Exception):
    """Something that a GrowthBook SDK would decide otherwise; the message says what, for people."""


def portable(document: Mapping[str, Any]) -> Document:
    """Return an equal condition that SDKs agree on. Raises NotPortable."""
    return _all([_entry(key, value) for key, value in document.items()])


def _all(documents: list[Document]) -> Document:
    if len(documents) == 1:
        return documents[0]
    return {"$and": documents} if documents else {}


def _entry(key: str, value: Any) -> Document:
    if key in ("$and", "$or", "$nor"):
        return {key: [portable(part) for part in value]}
    if key == "$not":
        return {key: portable(value)}
    _require_plain(key)
    return _value(key, value)


def _require_plain(path: str) -> None:
    """Steps that JavaScript finds in every object or array, though nobody put them there, mean something else there."""
    first, *rest = path.split(".")
    if first in _OF_OBJECTS or any(step in _OF_OBJECTS | _OF_ARRAYS or step.isdigit() for step in rest):
        raise NotPortable(f"the attribute {path!r} has a name that JavaScript gives a meaning of its own")


def _value(path: str, expected: Any) -> Document:
    if is_operator_document(expected):
        return _all([_operator(path, name, operand) for name, operand in expected.items()])
    return {path: {"$eq": _scalar(path, expected)}}


def _operator(path: str, name: str, operand: Any) -> Document:
    if name == "$not":
        return {name: _value(path, operand)}
    if name in _ORDER:
        return _order(path, name, operand)
    return {path: _test(path, name, operand)}


def _test(path: str, name: str, operand: Any) -> Document:
    match name:
        case "$eq" | "$ne":
            return {name: _scalar(path, operand)}
        case "$in" | "$nin":
            return {name: [_scalar(path, element) for element in operand]}
        case "$ini" | "$nini" if all(element.isascii() for element in operand):
            return {name: list(operand)}
        case "$exists" | "$type":
            return {name: operand}
        case "$size" if isinstance(operand, int):
            return {name: operand}
    raise NotPortable(f"{name} of {path!r} is not decided alike by all SDKs")


def _order(path: str, name: str, operand: Any) -> Document:
    if isinstance(operand, str):
        if as_number(operand) is not None or any(character >= "\ud800" for character in operand):
            raise NotPortable(f"the order of {path!r} and {operand!r} is not decided alike by all SDKs")
        return {path: {"$type": "string", name: operand}}
    among_numbers: Document = {path: {"$type": "number", name: _scalar(path, operand)}}
    # A missing value counts as 0 here.
    return {"$or": [among_numbers, {path: {"$exists": False}}]} if _ORDER[name](0, operand) else among_numbers


def _scalar(path: str, value: Any) -> Any:
    if isinstance(value, Mapping | list | tuple):
        raise NotPortable(f"{path!r} is compared with a list or an object")
    if isinstance(value, int) and abs(value) > _EXACT:
        raise NotPortable(f"{path!r} is compared with a number that JavaScript cannot hold")
    return value
