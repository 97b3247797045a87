"""Parameters of a segment template: what an author may fill in, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from experiments.domain.condition import check_condition
from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_text, pointer

MAX_VALUES = 1_000
MAX_VALUE_LENGTH = 500
MAX_WHOLE = 2**63 - 1
"""Beyond it whole numbers cannot be stored."""


class ParameterType(StrEnum):
    """`attribute`: the name of one; `attributes`: of several; `values`: 1 to 1,000 texts, numbers, true or false."""

    ATTRIBUTE = "attribute"
    ATTRIBUTES = "attributes"
    VALUES = "values"
    NUMBER = "number"
    WHOLE = "whole"
    VERSION = "version"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`least` and `most` bound numbers, both inclusive; `options` are those of a choice.

    Without a default it may be left out only where it is `optional`, and is None then.
    """

    name: str
    type: ParameterType
    description: str
    default: Any = None
    optional: bool = False
    least: float | None = None
    most: float | None = None
    options: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Say whether an author has to fill it in."""
        return self.default is None and not self.optional

    def read(self, given: Mapping[str, object]) -> Any:
        """Return the argument, or the default. Raises InvalidInput at `/name`."""
        value = given.get(self.name)
        if value is None:
            if self.required:
                raise InvalidInput("parameter_missing", f"{self.name} is wanted: {self.description}", path=self._path)
            return self.default
        return _READERS[self.type](self, value)

    def from_text(self, text: str) -> object:
        """Read what somebody typed: a JSON list, or its values with commas between; `read` has the last word."""
        if self.type in (ParameterType.VALUES, ParameterType.ATTRIBUTES):
            listed = _json(text)
            one = _text if self.type is ParameterType.ATTRIBUTES else _scalar
            return listed if isinstance(listed, list) else [one(part.strip()) for part in text.split(",")]
        if self.type in (ParameterType.NUMBER, ParameterType.WHOLE):
            return _scalar(text)
        return text

    @property
    def _path(self) -> str:
        return pointer(self.name)

    def _invalid(self, message: str) -> InvalidInput:
        return InvalidInput("parameter_invalid", f"{self.name}: {message}", path=self._path)

    def _attribute(self, value: object) -> str:
        if not isinstance(value, str) or value.startswith("$"):
            raise self._invalid("The name of an attribute is a text that does not start with $.")
        try:
            check_condition({value: {"$exists": True}})
        except InvalidInput as refusal:
            raise self._invalid(refusal.message) from None
        return value

    def _attributes(self, value: object) -> tuple[str, ...]:
        return tuple(map(self._attribute, self._listed(value)))

    def _values(self, value: object) -> tuple[Any, ...]:
        found = self._listed(value)
        for one in found:
            self._check_scalar(one)
        return found

    def _listed(self, value: object) -> tuple[object, ...]:
        if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_VALUES:
            raise self._invalid(f"A list of 1 to {MAX_VALUES} values is wanted.")
        if len({(type(one), repr(one)) for one in value}) < len(value):
            raise self._invalid("A value stands there twice.")
        return tuple(value)

    def _check_scalar(self, value: object) -> None:
        if isinstance(value, str):
            try:
                check_text(value, self._path, least=1, most=MAX_VALUE_LENGTH)
            except InvalidInput as refusal:
                raise self._invalid(refusal.message) from None
        elif isinstance(value, int):
            self._check_storable(value)
        elif not (isinstance(value, float) and math.isfinite(value)):
            raise self._invalid("A value is a text, a finite number, true or false.")

    def _check_storable(self, value: int) -> None:
        if abs(value) > MAX_WHOLE:
            message = f"{self.name}: Whole numbers have 64 bits at most."
            raise InvalidInput("parameter_out_of_range", message, path=self._path)

    def _number(self, value: object) -> float:
        if isinstance(value, int):
            self._check_storable(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._invalid("A finite number is wanted.")
        if not (self.least is None or value >= self.least) or not (self.most is None or value <= self.most):
            bounds = _bounds(self.least, self.most)
            raise InvalidInput("parameter_out_of_range", f"{self.name} is {bounds}.", path=self._path)
        return value

    def _whole(self, value: object) -> int:
        if not isinstance(value, int):
            raise self._invalid("A whole number is wanted.")
        return int(self._number(value))

    def _version(self, value: object) -> str:
        try:
            check_condition({"version": {"$vgte": value}})
        except InvalidInput as refusal:
            raise self._invalid(refusal.message) from None
        return str(value)

    def _choice(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise self._invalid(f"One of {', '.join(self.options)} is wanted.")
        return value


_READERS: Mapping[ParameterType, Callable[[Parameter, object], Any]] = {
    ParameterType.ATTRIBUTE: Parameter._attribute,
    ParameterType.ATTRIBUTES: Parameter._attributes,
    ParameterType.VALUES: Parameter._values,
    ParameterType.NUMBER: Parameter._number,
    ParameterType.WHOLE: Parameter._whole,
    ParameterType.VERSION: Parameter._version,
    ParameterType.CHOICE: Parameter._choice,
}


def _bounds(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return f"at least {least:g}" if least is not None else f"at most {most:g}"
    return f"between {least:g} and {most:g}"


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _scalar(text: str) -> object:
    """`12`, `true` and `"12"` in quotes are what they are in JSON, everything else is text."""
    value = _json(text)
    return value if isinstance(value, str | int | float) else text


def _text(text: str) -> object:
    return text
