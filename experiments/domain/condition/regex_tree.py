"""A regex as a small tree of our own: the only module that knows Python's private regex parser."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from experiments.domain.condition import regex_charset as charset


class UnsupportedConstruct(Exception):
    """The regex uses a construct whose cost is not examined."""


@dataclass(frozen=True, slots=True)
class Char:
    """One character out of a set."""

    mask: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """A test of the position, which reads nothing; `at_start` holds only where the subject begins."""

    at_start: bool


@dataclass(frozen=True, slots=True)
class Repeat:
    """`body` at least `minimum` and at most `maximum` times; `None` is without limit."""

    minimum: int
    maximum: int | None
    body: "Sequence"


@dataclass(frozen=True, slots=True)
class Branch:
    """One of several sequences."""

    options: tuple["Sequence", ...]


Node = Char | Anchor | Repeat | Branch
Sequence = tuple[Node, ...]

_CATEGORIES: Mapping[str, int] = {
    "CATEGORY_DIGIT": charset.DIGITS,
    "CATEGORY_NOT_DIGIT": charset.EVERYTHING & ~charset.DIGITS,
    "CATEGORY_WORD": charset.WORDS,
    "CATEGORY_NOT_WORD": charset.EVERYTHING & ~charset.WORDS,
    "CATEGORY_SPACE": charset.SPACES,
    "CATEGORY_NOT_SPACE": charset.EVERYTHING & ~charset.SPACES,
}
_STARTS = frozenset({"AT_BEGINNING", "AT_BEGINNING_STRING"})
_REFUSED: Mapping[str, str] = {
    "ASSERT": "look-around; use several conditions under $and instead",
    "ASSERT_NOT": "negative look-around; use $not instead",
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a conditional group",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repeat",
}


def parse(pattern: str, *, ignore_case: bool = False) -> Sequence:
    """Turn a pattern into a tree; raises what Python's parser raises, or `UnsupportedConstruct`."""
    flags = int(re.IGNORECASE) if ignore_case else 0
    parsed = _parser.parse(pattern, flags)
    if parsed.state.flags & ~(flags | int(re.UNICODE)):
        raise UnsupportedConstruct("flags inside the pattern; to ignore case use $regexi")
    return _sequence(parsed, ignore_case)


def _sequence(parsed: Any, ignore_case: bool) -> Sequence:
    return tuple(node for op, argument in parsed for node in _nodes(str(op), argument, ignore_case))


def _nodes(op: str, argument: Any, ignore_case: bool) -> Sequence:
    if op not in _LOWERINGS:
        raise UnsupportedConstruct(_REFUSED.get(op, op.lower()))
    return _LOWERINGS[op](argument, ignore_case)


def _literal(code: int, ignore_case: bool) -> Sequence:
    mask = charset.single(code)
    return (Char(charset.ignoring_case(mask) if ignore_case else mask),)


def _not_literal(code: int, ignore_case: bool) -> Sequence:
    return _all_but(charset.ascii_span(code, code), ignore_case)


def _all_but(excluded: int, ignore_case: bool) -> Sequence:
    return (Char(charset.EVERYTHING & ~(charset.both_cases(excluded) if ignore_case else excluded)),)


def _any(_argument: None, _: bool) -> Sequence:
    return (Char(charset.ANY_BUT_NEWLINE),)


def _set(items: list[tuple[Any, Any]], ignore_case: bool) -> Sequence:
    if str(items[0][0]) == "NEGATE":
        return _all_but(charset.union(_surely_held(items[1:])), ignore_case)
    held = charset.union(_possibly_held(items))
    return (Char(charset.ignoring_case(held) if ignore_case else held),)


def _possibly_held(items: list[tuple[Any, Any]]) -> Iterator[int]:
    for op, argument in items:
        match str(op):
            case "LITERAL":
                yield charset.single(argument)
            case "RANGE":
                yield charset.span(*argument)
            case _:
                yield _CATEGORIES[str(argument)]


def _surely_held(items: list[tuple[Any, Any]]) -> Iterator[int]:
    for op, argument in items:
        match str(op):
            case "LITERAL":
                yield charset.ascii_span(argument, argument)
            case "RANGE":
                yield charset.ascii_span(*argument)
            case _:
                yield _CATEGORIES[str(argument)]


def _anchor(where: Any, _: bool) -> Sequence:
    return (Anchor(at_start=str(where) in _STARTS),)


def _group(argument: tuple[int | None, int, int, Any], ignore_case: bool) -> Sequence:
    _, added_flags, removed_flags, body = argument
    if added_flags or removed_flags:
        raise UnsupportedConstruct("flags inside the pattern; to ignore case use $regexi")
    return _sequence(body, ignore_case)


def _branch(argument: tuple[None, list[Any]], ignore_case: bool) -> Sequence:
    return (Branch(tuple(_sequence(option, ignore_case) for option in argument[1])),)


def _repeat(argument: tuple[int, int, Any], ignore_case: bool) -> Sequence:
    minimum, maximum, body = argument
    limit = None if maximum is _parser.MAXREPEAT else int(maximum)
    return (Repeat(int(minimum), limit, _sequence(body, ignore_case)),)


_LOWERINGS: Mapping[str, Callable[[Any, bool], Sequence]] = {
    "LITERAL": _literal,
    "NOT_LITERAL": _not_literal,
    "ANY": _any,
    "IN": _set,
    "AT": _anchor,
    "SUBPATTERN": _group,
    "BRANCH": _branch,
    "MAX_REPEAT": _repeat,
    "MIN_REPEAT": _repeat,
}
