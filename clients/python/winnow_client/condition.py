"""Segment conditions, compiled once to closures that never raise.

The language is Winnow's (its ADR 3): MongoDB-like documents on attributes. Authors' conditions were checked by the
server; whatever is wrong with one all the same makes its operator match nothing.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from winnow_client.values import (
    ARRAY,
    OBJECT,
    Test,
    always,
    as_number,
    equals,
    holds_all,
    kind_of,
    lowered,
    negated,
    never,
    one_of,
    version_key,
)

Groups = Mapping[str, Collection[Any]]
_Compile = Callable[[Any, Groups], Test]

_SUBJECT_CHARACTERS = 4_096
_LEADING_ANY = re.compile(r"\.([*+])\??(?![*+?{])")


def compile_condition(document: Any, groups: Groups | None = None) -> Test:
    """Return the test of attributes that a condition describes."""
    return _document(document, groups or {})


def _document(document: Any, groups: Groups) -> Test:
    if not isinstance(document, OBJECT):
        return never
    return _all([_entry(name, value, groups) for name, value in document.items()])


def _entry(name: str, value: Any, groups: Groups) -> Test:
    if name in _LOGICAL:
        return _LOGICAL[name](value, groups)
    first, *rest = name.split(".")
    if rest:
        return _at((first, *rest), _value(value, groups))
    if isinstance(value, str):
        return _text(name, value)
    test = _value(value, groups)
    return lambda subject: test(subject.get(name) if isinstance(subject, OBJECT) else None)


def _text(name: str, text: str) -> Test:
    """`{"country": "DE"}` is the commonest condition of all: one call."""
    same = text.__eq__
    return lambda subject: isinstance(subject, OBJECT) and same(subject.get(name)) is True


def _at(steps: tuple[str, ...], test: Test) -> Test:
    def found(subject: Any) -> bool:
        for step in steps:
            if not isinstance(subject, OBJECT):
                return test(None)
            subject = subject.get(step)
        return test(subject)

    return found


def _value(wanted: Any, groups: Groups) -> Test:
    if not _is_operators(wanted):
        return equals(wanted)
    return _all([_operator(name, operand, groups) for name, operand in wanted.items()])


def _is_operators(value: Any) -> bool:
    return isinstance(value, OBJECT) and bool(value) and all(name.startswith("$") for name in value)


def _operator(name: str, operand: Any, groups: Groups) -> Test:
    if name in _ON_LISTS and not isinstance(operand, ARRAY):
        return never
    compiler = _OPERATORS.get(name)
    return never if compiler is None else compiler(operand, groups)


def _all(tests: list[Test]) -> Test:
    match tests:
        case []:
            return always
        case [only]:
            return only
        case [first, second]:
            return lambda value: first(value) and second(value)
    return lambda value: all(test(value) for test in tests)


def _any(tests: list[Test]) -> Test:
    return lambda value: any(test(value) for test in tests)


def _and(operand: Any, groups: Groups) -> Test:
    return _all([_document(part, groups) for part in operand]) if isinstance(operand, ARRAY) else never


def _or(operand: Any, groups: Groups) -> Test:
    if not isinstance(operand, ARRAY):
        return never
    return _any([_document(part, groups) for part in operand]) if operand else always


def _nor(operand: Any, groups: Groups) -> Test:
    return negated(_or(operand, groups)) if isinstance(operand, ARRAY) else never


def _not(operand: Any, groups: Groups) -> Test:
    return negated(_document(operand, groups)) if isinstance(operand, OBJECT) else never


_LOGICAL: Mapping[str, _Compile] = {"$and": _and, "$or": _or, "$nor": _nor, "$not": _not}


def _ordered(holds: Callable[[Any, Any], bool]) -> _Compile:
    def compiler(operand: Any, _: Groups) -> Test:
        bound = as_number(operand)

        def test(value: Any) -> bool:
            if isinstance(value, str) and isinstance(operand, str):
                return holds(value, operand)
            number = as_number(value)
            return number is not None and bound is not None and holds(number, bound)

        return test

    return compiler


def _versions(holds: Callable[[Any, Any], bool]) -> _Compile:
    def compiler(operand: Any, _: Groups) -> Test:
        bound = version_key(operand)
        if bound is None:
            return never

        def test(value: Any) -> bool:
            key = version_key(value)
            return key is not None and holds(key, bound)

        return test

    return compiler


def _other_version(operand: Any, _: Groups) -> Test:
    bound = version_key(operand)
    return never if bound is None else lambda value: version_key(value) != bound


def _exists(operand: Any, _: Groups) -> Test:
    return (lambda value: value is not None) if operand else (lambda value: value is None)


def _type(operand: Any, _: Groups) -> Test:
    return (lambda value: kind_of(value) == operand) if isinstance(operand, str) else never


def _one_of_lowered(operand: Any, _: Groups) -> Test:
    test = one_of(lowered(operand))
    return lambda value: test(lowered(value))


def _holds_all_lowered(operand: Any, _: Groups) -> Test:
    test = holds_all(lowered(operand))
    return lambda value: test(lowered(value))


def _group(operand: Any, groups: Groups) -> Test:
    return one_of(groups.get(operand, ())) if isinstance(operand, str) else never


def _not_group(operand: Any, groups: Groups) -> Test:
    return negated(_group(operand, groups)) if isinstance(operand, str) else never


def _holds_each(operand: Any, groups: Groups) -> Test:
    scalars = holds_all(part for part in operand if not isinstance(part, ARRAY + OBJECT))
    larger = [_some(_value(part, groups)) for part in operand if isinstance(part, ARRAY + OBJECT)]
    return _all([scalars, *larger])


def _some(test: Test) -> Test:
    return lambda value: isinstance(value, ARRAY) and any(map(test, value))


def _element(operand: Any, groups: Groups) -> Test:
    return _some(_value(operand, groups) if _is_operators(operand) else _document(operand, groups))


def _size(operand: Any, groups: Groups) -> Test:
    test = _value(operand, groups)
    return lambda value: isinstance(value, ARRAY) and test(len(value))


def _regex(flags: int) -> _Compile:
    def compiler(operand: Any, _: Groups) -> Test:
        try:
            search = re.compile(_search_form(operand), flags).search
        except (re.error, OverflowError, RecursionError, TypeError, ValueError):
            return never
        return lambda value: isinstance(value, str) and len(value) <= _SUBJECT_CHARACTERS and search(value) is not None

    return compiler


def _search_form(pattern: str) -> str:
    """Leave out a leading `.*`: "anywhere?" has the same answer, and a time that does not grow with the square."""
    leading = _LEADING_ANY.match(pattern)
    if leading is None:
        return pattern
    return ("." if leading[1] == "+" else "") + pattern[leading.end() :]


_ON_LISTS = frozenset(("$in", "$nin", "$ini", "$nini", "$all", "$alli"))

_OPERATORS: Mapping[str, _Compile] = {
    "$eq": lambda operand, _: equals(operand),
    "$ne": lambda operand, _: negated(equals(operand)),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$veq": _versions(operator.eq),
    "$vne": _other_version,
    "$vgt": _versions(operator.gt),
    "$vgte": _versions(operator.ge),
    "$vlt": _versions(operator.lt),
    "$vlte": _versions(operator.le),
    "$exists": _exists,
    "$type": _type,
    "$in": lambda operand, _: one_of(operand),
    "$nin": lambda operand, _: negated(one_of(operand)),
    "$ini": _one_of_lowered,
    "$nini": lambda operand, groups: negated(_one_of_lowered(operand, groups)),
    "$inGroup": _group,
    "$notInGroup": _not_group,
    "$all": _holds_each,
    "$alli": _holds_all_lowered,
    "$elemMatch": _element,
    "$size": _size,
    "$regex": _regex(0),
    "$regexi": _regex(re.IGNORECASE),
    "$not": lambda operand, groups: negated(_value(operand, groups)),
}
