"""Operators that look at one value and hold no condition inside: operand in, test out.

A malformed operand makes its operator match nothing, negated or not.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from experiments.domain.condition.regex_safety import compile_safe
from experiments.domain.condition.values import (
    Predicate,
    VersionKey,
    as_number,
    equality,
    holds_all,
    kind_of,
    lowered,
    membership,
    never,
    version_key,
)

MAX_SUBJECT_LENGTH = 4_096

_Compiler = Callable[[object], Predicate]


def negated(test: Predicate) -> Predicate:
    """Match where the test does not."""
    return lambda subject: not test(subject)


def _unequal(operand: object) -> Predicate:
    return negated(equality(operand))


def _ordered(holds: Callable[[Any, Any], bool]) -> _Compiler:
    def compiler(operand: object) -> Predicate:
        number = as_number(operand)

        def matches(actual: object) -> bool:
            if isinstance(actual, str) and isinstance(operand, str):
                return holds(actual, operand)
            left = as_number(actual)
            return left is not None and number is not None and holds(left, number)

        return matches

    return compiler


def _version(holds: Callable[[VersionKey, VersionKey], bool]) -> _Compiler:
    def compiler(operand: object) -> Predicate:
        bound = version_key(operand)
        if bound is None:
            return never

        def matches(actual: object) -> bool:
            key = version_key(actual)
            return key is not None and holds(key, bound)

        return matches

    return compiler


def _version_unequal(operand: object) -> Predicate:
    bound = version_key(operand)
    return never if bound is None else lambda actual: version_key(actual) != bound


def _exists(operand: object) -> Predicate:
    return (lambda actual: actual is not None) if operand else (lambda actual: actual is None)


def _type(operand: object) -> Predicate:
    return (lambda actual: kind_of(actual) == operand) if isinstance(operand, str) else never


def _in_ignoring_case(elements: list[object] | tuple[object, ...]) -> Predicate:
    test = membership(map(lowered, elements))
    return lambda actual: test(_lowered_elements(actual))


def _all_ignoring_case(elements: list[object] | tuple[object, ...]) -> Predicate:
    test = holds_all(map(lowered, elements))
    return lambda actual: test(_lowered_elements(actual))


def _lowered_elements(actual: object) -> object:
    return [lowered(element) for element in actual] if isinstance(actual, list | tuple) else lowered(actual)


def _of_list(compiler: Callable[[list[object] | tuple[object, ...]], Predicate]) -> _Compiler:
    return lambda operand: compiler(operand) if isinstance(operand, list | tuple) else never


def _not_of_list(compiler: Callable[[list[object] | tuple[object, ...]], Predicate]) -> _Compiler:
    return _of_list(lambda elements: negated(compiler(elements)))


def _regex(*, ignore_case: bool) -> _Compiler:
    def compiler(operand: object) -> Predicate:
        pattern = compile_safe(operand, ignore_case=ignore_case) if isinstance(operand, str) else None
        if pattern is None:
            return never
        search = pattern.search
        return lambda actual: (
            isinstance(actual, str) and len(actual) <= MAX_SUBJECT_LENGTH and search(actual) is not None
        )

    return compiler


SIMPLE_OPERATORS: Mapping[str, _Compiler] = {
    "$eq": equality,
    "$ne": _unequal,
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$veq": _version(operator.eq),
    "$vne": _version_unequal,
    "$vgt": _version(operator.gt),
    "$vgte": _version(operator.ge),
    "$vlt": _version(operator.lt),
    "$vlte": _version(operator.le),
    "$exists": _exists,
    "$type": _type,
    "$in": _of_list(membership),
    "$nin": _not_of_list(membership),
    "$ini": _of_list(_in_ignoring_case),
    "$nini": _not_of_list(_in_ignoring_case),
    "$alli": _of_list(_all_ignoring_case),
    "$regex": _regex(ignore_case=False),
    "$regexi": _regex(ignore_case=True),
}
