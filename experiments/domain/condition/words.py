"""A segment's condition as sentences: what people read in place of a document, on pages and in commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.domain.condition.compile import compile_condition
from experiments.domain.condition.operator_words import TESTS
from experiments.domain.condition.value_words import value_words
from experiments.domain.wording import listed

Doc = Mapping[str, Any]

EVERYBODY = "Everybody: there is no condition."
MOST_LEVELS = 6
NO_NAMES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One line; what stands below it, its `parts`, belongs to it."""

    text: str
    parts: tuple[Clause, ...] = ()


def condition_clauses(condition: Doc, names: Mapping[str, str] = NO_NAMES) -> tuple[Clause, ...]:
    """Return lines that all have to hold; `names` of attributes by key, for those that have one."""
    if not condition:
        return (Clause(text=EVERYBODY),)
    return tuple(_document(condition, names, 0))


def condition_sentence(condition: Doc, names: Mapping[str, str] = NO_NAMES) -> str:
    """Return the lines as one text, for where there is no room for a list."""
    return "; ".join(map(_flat, condition_clauses(condition, names)))


def _flat(clause: Clause) -> str:
    if not clause.parts:
        return clause.text
    return f"{clause.text} ({'; '.join(map(_flat, clause.parts))})"


def _document(document: Doc, names: Mapping[str, str], level: int) -> Iterator[Clause]:
    for key, value in document.items():
        if key in _GROUPS:
            yield from _GROUPS[key](value, names, level)
        else:
            yield Clause(text=_attribute(key, value, names))


def _all_of(value: Sequence[Doc], names: Mapping[str, str], level: int) -> Iterator[Clause]:
    """Lines beside one another all have to hold as they are."""
    for one in value:
        yield from _document(one, names, level)


def _any_of(value: Sequence[Doc], names: Mapping[str, str], level: int) -> Iterator[Clause]:
    if len(value) == 1:
        yield from _document(value[0], names, level)
    else:
        yield _headed("At least one of these is so:", value, names, level)


def _none_of(value: Sequence[Doc], names: Mapping[str, str], level: int) -> Iterator[Clause]:
    title = "This is not so:" if len(value) == 1 else "None of these is so:"
    yield _headed(title, value, names, level)


def _not(value: Doc, names: Mapping[str, str], level: int) -> Iterator[Clause]:
    yield _headed("This is not so:", (value,), names, level)


_GROUPS: Mapping[str, Callable[[Any, Mapping[str, str], int], Iterator[Clause]]] = {
    "$and": _all_of,
    "$or": _any_of,
    "$nor": _none_of,
    "$not": _not,
}


def _headed(title: str, parts: Sequence[Doc], names: Mapping[str, str], level: int) -> Clause:
    if level >= MOST_LEVELS:
        return Clause(text=f"{title} see the condition as it is written")
    return Clause(text=title, parts=tuple(_joined(part, names, level + 1) for part in parts))


def _joined(document: Doc, names: Mapping[str, str], level: int) -> Clause:
    lines = tuple(_document(document, names, level))
    if len(lines) == 1:
        return lines[0]
    if len(lines) == 2 and not any(line.parts for line in lines):
        return Clause(text=", and ".join(line.text for line in lines))
    return Clause(text="All of these are so:", parts=lines)


def _attribute(path: str, test: Any, names: Mapping[str, str]) -> str:
    said = f"{_name(path, names)} {test_words(test)}"
    return f"{said} (or is not known)" if _holds_for_nothing(test) else said


def test_words(test: Any) -> str:
    """What an attribute has to be: `is “web”`, `is known and at least 500`."""
    if not (isinstance(test, Mapping) and test and all(str(key).startswith("$") for key in test)):
        return f"is {value_words(test)}"
    return listed([_operator(name, operand) for name, operand in _ordered(test)])


def _ordered(test: Doc) -> list[tuple[str, Any]]:
    """Whether it is there at all comes first."""
    return sorted(test.items(), key=lambda pair: pair[0] != "$exists")


def _operator(name: str, operand: Any) -> str:
    if name == "$not":
        return _denied(test_words(operand))
    if name == "$size" and isinstance(operand, Mapping):
        return f"has a number of entries that {test_words(operand)}"
    if name == "$elemMatch":
        return f"has an entry that {_entry(operand)}"
    if name in TESTS:
        return TESTS[name](operand)
    return f"{name} {value_words(operand)}"


def _denied(words: str) -> str:
    is_simple = words.startswith("is ") and " and " not in words
    return f"is not {words.removeprefix('is ')}" if is_simple else f"does not fit this: {words}"


def _entry(operand: Any) -> str:
    if isinstance(operand, Mapping) and not all(str(key).startswith("$") for key in operand):
        return f"fits this: {condition_sentence(operand)}"
    return test_words(operand)


def _holds_for_nothing(test: Any) -> bool:
    """Say whether customers of whom the attribute is not known are in, where the words do not say so themselves."""
    if isinstance(test, Mapping) and ("$exists" in test or any(map(_names_nothing, test.values()))):
        return False
    return test is not None and compile_condition({"attribute": test})({})


def _names_nothing(operand: Any) -> bool:
    """Say whether `not known` is among the values that an operator names, and so told already."""
    return operand is None or (isinstance(operand, list | tuple) and None in operand)


def _name(path: str, names: Mapping[str, str]) -> str:
    head, *rest = path.split(".")
    return ", ".join((names.get(head, head), *rest))
