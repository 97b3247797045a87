"""JSON values as conditions see them: kinds, equality, membership, order and versions.

Nothing here raises, whatever it is given: a value of an unexpected type simply matches nothing. Equality is strict
(1 is not true, "1" is not 1); only the ordering operators turn text into numbers and count a missing value as zero.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

Predicate = Callable[[object], bool]

MAX_VERSION_LENGTH = 256
_MAX_NUMERAL_LENGTH = 64
_NUMERAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_VERSION_SEPARATOR = re.compile(r"[-.]")
_RELEASE_PARTS = 3
_ABSENT: Final = object()
_NO_KEY: Final = ("no key",)

VersionPart = tuple[int, int, str]
VersionKey = tuple[VersionPart, ...]
_RELEASE: VersionPart = (2, 0, "")


OBJECT: Final = (dict, Mapping)
"""A tuple with `dict` in front: asking for `Mapping` alone, or for a union made anew each time, costs three times as
much."""


def always(_: object) -> bool:
    """Match anything."""
    return True


def never(_: object) -> bool:
    """Match nothing."""
    return False


def is_object(value: object) -> bool:
    """Tell whether a value is a JSON object."""
    return isinstance(value, OBJECT)


def is_array(value: object) -> bool:
    """Tell whether a value is a JSON array."""
    return isinstance(value, list | tuple)


def is_number(value: object) -> bool:
    """Tell whether a value is a number; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind_of(value: object) -> str:
    """Name the JSON type of a value."""
    for kind, matches in _KINDS:
        if matches(value):
            return kind
    return "unknown"


_KINDS: tuple[tuple[str, Predicate], ...] = (
    ("null", lambda value: value is None),
    ("string", lambda value: isinstance(value, str)),
    ("boolean", lambda value: isinstance(value, bool)),
    ("number", is_number),
    ("array", is_array),
    ("object", is_object),
)
KINDS = frozenset(kind for kind, _ in _KINDS)


def lowered(value: object) -> object:
    """Give text in lower case, anything else as it is."""
    return value.lower() if isinstance(value, str) else value


def equality(expected: object) -> Predicate:
    """Compile "is exactly this JSON value"; never true for NaN or for what JSON cannot hold."""
    if isinstance(expected, list | tuple):
        return _array_equality(expected)
    if isinstance(expected, OBJECT):
        return _object_equality(expected)
    if isinstance(expected, str):
        return lambda actual: isinstance(actual, str) and actual == expected
    key = scalar_key(expected)
    if key is _NO_KEY:
        return never
    return lambda actual: scalar_key(actual) == key


def _array_equality(expected: list[object] | tuple[object, ...]) -> Predicate:
    tests = tuple(equality(element) for element in expected)
    length = len(tests)

    def matches(actual: object) -> bool:
        if not isinstance(actual, list | tuple) or len(actual) != length:
            return False
        return all(test(element) for test, element in zip(tests, actual, strict=True))

    return matches


def _object_equality(expected: Mapping[str, object]) -> Predicate:
    tests = tuple((key, equality(value)) for key, value in expected.items())

    def matches(actual: object) -> bool:
        if not isinstance(actual, OBJECT) or len(actual) != len(tests):
            return False
        return all(test(actual.get(key, _ABSENT)) for key, test in tests)

    return matches


def scalar_key(value: object) -> object:
    """Give a hashable stand-in, equal exactly where JSON scalars are: `True` and `1` differ, `1` and `1.0` do not."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, int) or (isinstance(value, float) and not math.isnan(value)):
        return value
    return _NO_KEY


def membership(elements: Iterable[object]) -> Predicate:
    """Compile "is one of these, or an array that holds one of these"."""
    keys, composites = _partition(elements)

    def holds(value: object) -> bool:
        return scalar_key(value) in keys or any(test(value) for test in composites)

    def matches(actual: object) -> bool:
        if isinstance(actual, list | tuple):
            return any(holds(element) for element in actual)
        return holds(actual)

    return matches


def _partition(elements: Iterable[object]) -> tuple[frozenset[object], tuple[Predicate, ...]]:
    kept = tuple(elements)
    keys = frozenset(scalar_key(element) for element in kept) - {_NO_KEY}
    return keys, tuple(equality(element) for element in kept if is_array(element) or is_object(element))


def holds_all(elements: Iterable[object]) -> Predicate:
    """Compile "is an array that holds each of these scalars", in one pass over the array."""
    wanted = frozenset(scalar_key(element) for element in elements)

    def matches(actual: object) -> bool:
        return isinstance(actual, list | tuple) and wanted <= {scalar_key(element) for element in actual} - {_NO_KEY}

    return matches


def as_number(value: object) -> int | float | None:
    """Read a value as a number the way ordering does: null is zero, decimal text is its number, the rest is none."""
    if value is None:
        return 0
    if isinstance(value, str):
        return _numeral(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numeral(text: str) -> float | None:
    if len(text) > _MAX_NUMERAL_LENGTH or _NUMERAL.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def version_key(value: object) -> VersionKey | None:
    """Give the sort key of a version (SemVer, read leniently), or `None` for what is no version."""
    if not isinstance(value, str) or len(value) > MAX_VERSION_LENGTH:
        return None
    core = value.removeprefix("v").partition("+")[0]
    parts = tuple(_version_part(part) for part in _VERSION_SEPARATOR.split(core))
    return (*parts, _RELEASE) if len(parts) == _RELEASE_PARTS else parts


def _version_part(part: str) -> VersionPart:
    if not (part.isascii() and part.isdigit()):
        return (1, 0, part)
    digits = part.lstrip("0")
    return (0, len(digits), digits)
