"""What each operator of a condition asks of an attribute, as the end of a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from experiments.domain.condition.value_words import choice_words, value_words

ANY_CASE = "(capitals do not matter)"
NO_VALUE = "no value at all"
_KINDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
    "null": "not known",
}
_PLAIN = re.compile(r"\^?[\w @&/,:;%#=-]+\$?")


def _compared(words: str) -> Callable[[Any], str]:
    return lambda operand: f"is {words} {value_words(operand)}"


def _version(words: str) -> Callable[[Any], str]:
    return lambda operand: f"is version {words}{operand}"


def _chosen(lead: str, word: str, tail: str = "") -> Callable[[Any], str]:
    return lambda operand: f"{lead} {choice_words(operand, word) or NO_VALUE}{tail}"


def _pattern(tail: str = "") -> Callable[[Any], str]:
    return lambda operand: f"{_pattern_words(str(operand))}{tail}"


def _pattern_words(pattern: str) -> str:
    """A pattern that is only a text says what it looks for; others are shown as they are."""
    if not _PLAIN.fullmatch(pattern):
        return f"matches the pattern {value_words(pattern)}"
    starts, ends = pattern.startswith("^"), pattern.endswith("$")
    text = value_words(pattern.removeprefix("^").removesuffix("$"))
    return f"{'is' if starts and ends else 'begins with' if starts else 'ends with' if ends else 'contains'} {text}"


def _group(words: str) -> Callable[[Any], str]:
    return lambda operand: f"is {words} the saved group {value_words(operand)}"


def _kind(operand: Any) -> str:
    return f"is {_KINDS.get(str(operand), str(operand))}"


def _size(operand: Any) -> str:
    if isinstance(operand, int) and not isinstance(operand, bool):
        return f"has {operand:,} {'entry' if operand == 1 else 'entries'}"
    return f"has as many entries as {value_words(operand)}"


TESTS: Mapping[str, Callable[[Any], str]] = {
    "$exists": lambda operand: "is known" if operand else "is not known",
    "$eq": lambda operand: f"is {value_words(operand)}",
    "$ne": lambda operand: "is known" if operand is None else f"is not {value_words(operand)}",
    "$gt": _compared("above"),
    "$gte": _compared("at least"),
    "$lt": _compared("below"),
    "$lte": _compared("at most"),
    "$veq": _version(""),
    "$vne": _version("other than "),
    "$vgt": _version("above "),
    "$vgte": _version("at least "),
    "$vlt": _version("below "),
    "$vlte": _version("at most "),
    "$in": _chosen("is", "or"),
    "$nin": _chosen("is none of", "and"),
    "$ini": _chosen("is", "or", f" {ANY_CASE}"),
    "$nini": _chosen("is none of", "and", f" {ANY_CASE}"),
    "$all": _chosen("has all of", "and"),
    "$alli": _chosen("has all of", "and", f" {ANY_CASE}"),
    "$regex": _pattern(),
    "$regexi": _pattern(f" {ANY_CASE}"),
    "$size": _size,
    "$type": _kind,
    "$inGroup": _group("in"),
    "$notInGroup": _group("not in"),
}
