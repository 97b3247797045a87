"""What an author may save as a condition: the strict side, which refuses what evaluation would silently tolerate."""

import math
import re
from collections.abc import Callable, Collection, Mapping

from experiments.domain.condition.compile import LOGICAL_OPERATORS, is_operator_document
from experiments.domain.condition.limits import MAX_DEPTH, pointer, require_bounded
from experiments.domain.condition.regex_safety import regex_problem
from experiments.domain.condition.values import KINDS, MAX_VERSION_LENGTH
from experiments.domain.errors import InvalidInput

MAX_PATH_LENGTH = 200
_VERSION = re.compile(r"v?[0-9][0-9A-Za-z.+-]*")
_OPERATOR_KEY = "$"

_Groups = Collection[str]
_Check = Callable[[object, str, _Groups], None]


def check_condition(document: Mapping[str, object], *, known_groups: Collection[str] = ()) -> None:
    """Raise `InvalidInput` at the first thing in a condition that is malformed, ambiguous, too big or unsafe to run."""
    require_bounded(document)
    _document(document, "", known_groups)


def _bad_operand(message: str, path: str) -> InvalidInput:
    return InvalidInput("condition_bad_operand", message, path=path)


def _document(document: object, path: str, groups: _Groups) -> None:
    if not isinstance(document, Mapping):
        raise _bad_operand("A condition is an object.", path)
    for key, value in document.items():
        _entry(key, value, pointer(path, key), groups)


def _entry(key: object, value: object, path: str, groups: _Groups) -> None:
    if key in LOGICAL_OPERATORS:
        _LOGICAL_OPERANDS[str(key)](value, path, groups)
    elif isinstance(key, str) and key.startswith(_OPERATOR_KEY):
        raise _operator_refusal(key, path, known=OPERANDS, hint="belongs under an attribute")
    else:
        _attribute_path(key, path)
        _value(value, path, groups)


def _operator_refusal(name: str, path: str, *, known: Collection[str], hint: str) -> InvalidInput:
    if name in known:
        return InvalidInput("condition_misplaced_operator", f"{name} {hint}.", path=path)
    return InvalidInput("condition_unknown_operator", f"There is no operator {name[:50]}.", path=path)


def _attribute_path(key: object, path: str) -> None:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_PATH_LENGTH:
        raise _bad_path(f"An attribute path is a text of 1 to {MAX_PATH_LENGTH} characters.", path)
    steps = key.split(".")
    if len(steps) > MAX_DEPTH:
        raise _bad_path(f"An attribute path has at most {MAX_DEPTH} steps.", path)
    if not all(map(_is_attribute_name, steps)):
        raise _bad_path("Each step of an attribute path is printable, not empty, and without spaces around.", path)


def _is_attribute_name(step: str) -> bool:
    return bool(step) and step.isprintable() and step == step.strip() and not step.startswith(_OPERATOR_KEY)


def _bad_path(message: str, path: str) -> InvalidInput:
    return InvalidInput("condition_bad_path", message, path=path)


def _value(expected: object, path: str, groups: _Groups) -> None:
    if isinstance(expected, Mapping) and is_operator_document(expected):
        for name, operand in expected.items():
            _operator(name, operand, pointer(path, name), groups)
    elif isinstance(expected, Mapping) and not expected:
        raise _bad_operand("An empty object says nothing; to ask for one, use $eq.", path)
    else:
        _literal(expected, path, groups)


def _operator(name: str, operand: object, path: str, groups: _Groups) -> None:
    if name not in OPERANDS:
        raise _operator_refusal(name, path, known=LOGICAL_OPERATORS, hint="belongs beside attributes, not under one")
    OPERANDS[name](operand, path, groups)


def _literal(value: object, path: str, groups: _Groups) -> None:
    if isinstance(value, Mapping):
        for key, element in value.items():
            if not isinstance(key, str) or key.startswith(_OPERATOR_KEY):
                message = "Operators and attribute names do not mix in one object; use a dotted path or $and."
                raise InvalidInput("condition_misplaced_operator", message, path=pointer(path, key))
            _literal(element, pointer(path, key), groups)
    elif isinstance(value, list | tuple):
        for index, element in enumerate(value):
            _literal(element, pointer(path, index), groups)
    elif not _is_scalar(value):
        raise _bad_operand("A value is a text, a finite number, true, false, null, or a list or object of these.", path)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | bool) or _is_finite_number(value)


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _number_or_text(operand: object, path: str, _: _Groups) -> None:
    if isinstance(operand, bool) or not (_is_finite_number(operand) or (isinstance(operand, str) and operand)):
        raise _bad_operand("Compare with a finite number or a text that is not empty.", path)


def _version(operand: object, path: str, _: _Groups) -> None:
    if not isinstance(operand, str) or len(operand) > MAX_VERSION_LENGTH or _VERSION.fullmatch(operand) is None:
        raise _bad_operand("A version is a text such as 2.10.0 or 3.0.0-beta.1.", path)


def _boolean(operand: object, path: str, _: _Groups) -> None:
    if not isinstance(operand, bool):
        raise _bad_operand("Say true or false.", path)


def _kind(operand: object, path: str, _: _Groups) -> None:
    if not isinstance(operand, str) or operand not in KINDS:
        raise _bad_operand(f"A type is one of {', '.join(sorted(KINDS))}.", path)


def _scalars(operand: object, path: str, _: _Groups) -> None:
    _each(operand, path, _is_scalar, "Each element is a text, a finite number, true, false or null.")


def _texts(operand: object, path: str, _: _Groups) -> None:
    _each(operand, path, lambda element: isinstance(element, str), "Each element is a text.")


def _each(operand: object, path: str, allows: Callable[[object], bool], message: str) -> None:
    for index, element in enumerate(_list(operand, path)):
        if not allows(element):
            raise _bad_operand(message, pointer(path, index))


def _list(operand: object, path: str) -> list[object] | tuple[object, ...]:
    if not isinstance(operand, list | tuple):
        raise _bad_operand("A list is needed here.", path)
    return operand


def _elements(operand: object, path: str, groups: _Groups) -> None:
    for index, element in enumerate(_list(operand, path)):
        _value(element, pointer(path, index), groups)


def _group(operand: object, path: str, groups: _Groups) -> None:
    if not isinstance(operand, str):
        raise _bad_operand("A group is named by a text.", path)
    if operand not in groups:
        raise InvalidInput("condition_unknown_group", f"There is no group {operand[:50]!r}.", path=path)


def _size(operand: object, path: str, groups: _Groups) -> None:
    if is_operator_document(operand):
        _value(operand, path, groups)
    elif isinstance(operand, bool) or not isinstance(operand, int) or operand < 0:
        raise _bad_operand("A size is a whole number from 0 up, or an object of operators.", path)


def _element_match(operand: object, path: str, groups: _Groups) -> None:
    if not isinstance(operand, Mapping) or not operand:
        raise _bad_operand("$elemMatch takes an object of operators, or a condition on each element.", path)
    check = _value if is_operator_document(operand) else _document
    check(operand, path, groups)


def _regex(*, ignore_case: bool) -> _Check:
    def check(operand: object, path: str, _: _Groups) -> None:
        if not isinstance(operand, str) or not operand:
            raise _bad_operand("A regex is a text that is not empty.", path)
        problem = regex_problem(operand, ignore_case=ignore_case)
        if problem is not None:
            raise InvalidInput(
                f"condition_regex_{problem.kind}", f"This regex is refused: {problem.reason}.", path=path
            )

    return check


def _conditions(operand: object, path: str, groups: _Groups) -> None:
    if not _list(operand, path):
        raise _bad_operand("The list is empty, and what that would mean is easily mistaken.", path)
    for index, element in enumerate(_list(operand, path)):
        _document(element, pointer(path, index), groups)


_LOGICAL_OPERANDS: Mapping[str, _Check] = {
    "$and": _conditions,
    "$or": _conditions,
    "$nor": _conditions,
    "$not": _document,
}

OPERANDS: Mapping[str, _Check] = {
    **dict.fromkeys(("$eq", "$ne"), _literal),
    **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), _number_or_text),
    **dict.fromkeys(("$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"), _version),
    "$exists": _boolean,
    "$type": _kind,
    **dict.fromkeys(("$in", "$nin"), _scalars),
    **dict.fromkeys(("$ini", "$nini", "$alli"), _texts),
    **dict.fromkeys(("$inGroup", "$notInGroup"), _group),
    "$all": _elements,
    "$elemMatch": _element_match,
    "$size": _size,
    "$regex": _regex(ignore_case=False),
    "$regexi": _regex(ignore_case=True),
    "$not": _value,
}
