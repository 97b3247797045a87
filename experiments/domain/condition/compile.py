"""Conditions compiled to closures: everything that depends on the document alone is done once, here.

Whatever is wrong with a document (an unknown operator, a malformed operand, a regex that is invalid or could run away)
makes its operator match nothing; `check_condition` is where such a document is refused.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from experiments.domain.condition.limits import require_bounded
from experiments.domain.condition.operators import SIMPLE_OPERATORS, negated
from experiments.domain.condition.values import (
    OBJECT,
    Predicate,
    always,
    equality,
    holds_all,
    is_array,
    is_object,
    membership,
    never,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Saved groups, each turned into a set the first time a condition names it."""

    members: Mapping[str, Collection[object]]
    compiled: dict[str, Predicate] = field(default_factory=dict)

    def membership(self, name: str) -> Predicate:
        if name not in self.compiled:
            self.compiled[name] = membership(self.members.get(name, ()))
        return self.compiled[name]


_Compiler = Callable[[object, _Groups], Predicate]


def compile_condition(
    document: Mapping[str, object], groups: Mapping[str, Collection[object]] | None = None
) -> Callable[[Mapping[str, object]], bool]:
    """Compile a condition to a test of attributes that never raises; later changes to the arguments do not reach it."""
    require_bounded(document)
    return _document(document, _Groups(members=groups or {}))


def attributes_of(document: Mapping[str, object]) -> frozenset[str]:
    """Name the attributes that a condition looks at; whatever else a unit has makes no difference to it."""
    found: set[str] = set()
    pending: list[object] = [document]
    while pending:
        one = pending.pop()
        if isinstance(one, list | tuple):
            pending.extend(one)
        elif isinstance(one, OBJECT):
            found.update(str(key).partition(".")[0] for key in one if key not in LOGICAL_OPERATORS)
            pending.extend(value for key, value in one.items() if key in LOGICAL_OPERATORS)
    return frozenset(found)


def is_operator_document(value: object) -> bool:
    """Tell whether a value is a non-empty object all of whose keys are operators."""
    return isinstance(value, OBJECT) and bool(value) and all(_is_operator_name(key) for key in value)


def _is_operator_name(key: object) -> bool:
    return isinstance(key, str) and key.startswith("$")


def _all_of(tests: tuple[Predicate, ...]) -> Predicate:
    match tests:
        case ():
            return always
        case (only,):
            return only
        case (first, second):
            return lambda subject: first(subject) and second(subject)

    def matches(subject: object) -> bool:
        for test in tests:  # noqa: SIM110 - a generator here costs more than the tests it runs
            if not test(subject):
                return False
        return True

    return matches


def _any_of(tests: tuple[Predicate, ...]) -> Predicate:
    return lambda subject: any(test(subject) for test in tests)


def _document(document: object, groups: _Groups) -> Predicate:
    if not isinstance(document, OBJECT):
        return never
    return _all_of(tuple(_entry(key, value, groups) for key, value in document.items()))


def _entry(key: object, value: object, groups: _Groups) -> Predicate:
    if key in LOGICAL_OPERATORS:
        return LOGICAL_OPERATORS[str(key)](value, groups)
    if isinstance(value, str) and "." not in str(key):
        return _text_at(str(key), value)
    return _at_path(str(key), _value(value, groups))


def _text_at(key: str, text: str) -> Predicate:
    """`{"country": "DE"}`, the commonest of all: one call instead of three."""
    otherwise = _at_path(key, equality(text))

    def matches(subject: object) -> bool:
        # Of all that JSON can hold only this text is equal to it.
        return subject.get(key) == text if type(subject) is dict else otherwise(subject)

    return matches


def _at_path(path: str, test: Predicate) -> Predicate:
    head, *rest = path.split(".")
    if not rest:
        return lambda subject: test(subject.get(head) if isinstance(subject, OBJECT) else None)
    steps = (head, *rest)

    def matches(subject: object) -> bool:
        for step in steps:
            if not isinstance(subject, OBJECT):
                return test(None)
            subject = subject.get(step)
        return test(subject)

    return matches


def _value(expected: object, groups: _Groups) -> Predicate:
    if isinstance(expected, OBJECT) and is_operator_document(expected):
        return _all_of(tuple(_operator(name, operand, groups) for name, operand in expected.items()))
    return equality(expected)


def _operator(name: str, operand: object, groups: _Groups) -> Predicate:
    if name in SIMPLE_OPERATORS:
        return SIMPLE_OPERATORS[name](operand)
    return NESTING_OPERATORS[name](operand, groups) if name in NESTING_OPERATORS else never


def _and(operand: object, groups: _Groups) -> Predicate:
    if not isinstance(operand, list | tuple):
        return never
    return _all_of(tuple(_document(element, groups) for element in operand))


def _or(operand: object, groups: _Groups) -> Predicate:
    if not isinstance(operand, list | tuple):
        return never
    return _any_of(tuple(_document(element, groups) for element in operand)) if operand else always


def _nor(operand: object, groups: _Groups) -> Predicate:
    return negated(_or(operand, groups)) if is_array(operand) else never


def _not_document(operand: object, groups: _Groups) -> Predicate:
    return negated(_document(operand, groups)) if is_object(operand) else never


def _not_value(operand: object, groups: _Groups) -> Predicate:
    return negated(_value(operand, groups))


def _in_group(operand: object, groups: _Groups) -> Predicate:
    return groups.membership(operand) if isinstance(operand, str) else never


def _not_in_group(operand: object, groups: _Groups) -> Predicate:
    return negated(groups.membership(operand)) if isinstance(operand, str) else never


def _all(operand: object, groups: _Groups) -> Predicate:
    if not isinstance(operand, list | tuple):
        return never
    nested = [element for element in operand if is_array(element) or is_object(element)]
    scalars = holds_all(element for element in operand if not (is_array(element) or is_object(element)))
    return _all_of((scalars, *(_some_element(_value(element, groups)) for element in nested)))


def _some_element(test: Predicate) -> Predicate:
    return lambda actual: isinstance(actual, list | tuple) and any(test(element) for element in actual)


def _element_match(operand: object, groups: _Groups) -> Predicate:
    return _some_element(_value(operand, groups) if is_operator_document(operand) else _document(operand, groups))


def _size(operand: object, groups: _Groups) -> Predicate:
    test = _value(operand, groups)
    return lambda actual: isinstance(actual, list | tuple) and test(len(actual))


LOGICAL_OPERATORS: Mapping[str, _Compiler] = {"$and": _and, "$or": _or, "$nor": _nor, "$not": _not_document}

NESTING_OPERATORS: Mapping[str, _Compiler] = {
    "$all": _all,
    "$elemMatch": _element_match,
    "$inGroup": _in_group,
    "$not": _not_value,
    "$notInGroup": _not_in_group,
    "$size": _size,
}
