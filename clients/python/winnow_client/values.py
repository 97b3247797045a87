"""JSON values as conditions compare them. Nothing here raises: a value of an unexpected kind matches nothing.

Equality is strict (`true`, `1` and `"1"` are three values, `1` and `1.0` are one). Only order reads decimal text as a
number, and counts what is missing as zero.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Test = Callable[[Any], bool]

OBJECT = (dict, Mapping)
ARRAY = (list, tuple)
_MISSING = object()
_NUMERAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_NUMERAL_CHARACTERS = 64
_VERSION_CHARACTERS = 256
_BETWEEN_PARTS = re.compile(r"[-.]")

VersionKey = tuple[tuple[int, int, str], ...]


def always(_: Any) -> bool:
    return True


def never(_: Any) -> bool:
    return False


def negated(test: Test) -> Test:
    return lambda value: not test(value)


def kind_of(value: Any) -> str:
    """Return the JSON type of a value."""
    if value is None:
        return "null"
    # In this order: Python's booleans are integers.
    for kind, types in _KINDS:
        if isinstance(value, types):
            return kind
    return "unknown"


_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("string", (str,)),
    ("boolean", (bool,)),
    ("number", (int, float)),
    ("array", ARRAY),
    ("object", OBJECT),
)


def hashed(value: Any) -> Any:
    """Return something hashable, equal where JSON scalars are; `_MISSING`, equal to nothing, for all other values."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return (value,)
    if isinstance(value, int) or (isinstance(value, float) and not math.isnan(value)):
        return value
    return _MISSING


def equals(wanted: Any) -> Test:
    """Return the test "is this JSON value", lists and objects by their parts."""
    if isinstance(wanted, ARRAY):
        return _equals_array([equals(part) for part in wanted])
    if isinstance(wanted, OBJECT):
        return _equals_object({name: equals(part) for name, part in wanted.items()})
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and value == wanted
    key = hashed(wanted)
    return never if key is _MISSING else lambda value: hashed(value) == key


def _equals_array(parts: list[Test]) -> Test:
    def test(value: Any) -> bool:
        return (
            isinstance(value, ARRAY)
            and len(value) == len(parts)
            and all(same(part) for same, part in zip(parts, value, strict=True))
        )

    return test


def _equals_object(parts: dict[str, Test]) -> Test:
    def test(value: Any) -> bool:
        return (
            isinstance(value, OBJECT)
            and len(value) == len(parts)
            and all(same(value.get(name, _MISSING)) for name, same in parts.items())
        )

    return test


def one_of(wanted: Iterable[Any]) -> Test:
    """Return the test "is one of these, or a list that holds one of these"."""
    elements = list(wanted)
    keys = frozenset(map(hashed, elements)) - {_MISSING}
    larger = [equals(element) for element in elements if isinstance(element, ARRAY + OBJECT)]

    def single(value: Any) -> bool:
        return hashed(value) in keys or any(same(value) for same in larger)

    return lambda value: any(map(single, value)) if isinstance(value, ARRAY) else single(value)


def holds_all(wanted: Iterable[Any]) -> Test:
    """Return the test "is a list that holds each of these scalars"."""
    keys = frozenset(map(hashed, wanted))
    return lambda value: isinstance(value, ARRAY) and keys <= frozenset(map(hashed, value)) - {_MISSING}


def lowered(value: Any) -> Any:
    """Return text, or the texts of a list, in lower case."""
    if isinstance(value, ARRAY):
        return [part.lower() if isinstance(part, str) else part for part in value]
    return value.lower() if isinstance(value, str) else value


def as_number(value: Any) -> int | float | None:
    """Return what order makes of a value, None for what has no order."""
    if value is None:
        return 0
    if isinstance(value, str):
        return _numeral(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _numeral(text: str) -> float | None:
    if len(text) > _NUMERAL_CHARACTERS or not _NUMERAL.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def version_key(value: Any) -> VersionKey | None:
    """Return a version's place in the order of versions (SemVer, read leniently), None for what is none."""
    if not isinstance(value, str) or len(value) > _VERSION_CHARACTERS:
        return None
    parts = tuple(map(_version_part, _BETWEEN_PARTS.split(value.removeprefix("v").partition("+")[0])))
    # A release comes after its own pre-releases, which have more parts.
    return (*parts, (2, 0, "")) if len(parts) == 3 else parts


def _version_part(part: str) -> tuple[int, int, str]:
    if part.isascii() and part.isdigit():
        digits = part.lstrip("0")
        return (0, len(digits), digits)
    return (1, 0, part)
