"""A segment template: a question that marketing asks again and again, its blanks, and the condition it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.domain.condition import check_condition
from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key, pointer
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates.parameter import Parameter

Document = dict[str, Any]
Build = Callable[..., Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Arguments on columns that somebody really has, and what they pick out there."""

    sentence: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTemplate:
    """`build` takes the arguments by name, all of them read, and returns the condition."""

    key: str
    kind: SegmentKind
    name: str
    sentence: str
    parameters: tuple[Parameter, ...]
    build: Build
    example: Example

    def __post_init__(self) -> None:
        check_key(self.key)
        self.condition(self.example.parameters)

    def filled(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return all arguments, defaults included. Raises InvalidInput: parameter_unknown, …_missing, …_invalid."""
        known = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in known:
                message = f"{self.key} has no such parameter; it has {', '.join(known)}."
                raise InvalidInput("parameter_unknown", message, path=pointer(name))
        return {parameter.name: parameter.read(given) for parameter in self.parameters}

    def condition(self, given: Mapping[str, object]) -> Document:
        """Return the condition that the arguments make, checked as an author's is. Raises InvalidInput."""
        made = self.build(**self.filled(given))
        check_condition(made)
        return made

    def from_texts(self, texts: Mapping[str, str]) -> dict[str, object]:
        """Return arguments as somebody typed them; unknown ones stay, to be refused by `filled`."""
        known = {parameter.name: parameter for parameter in self.parameters}
        return {name: known[name].from_text(text) if name in known else text for name, text in texts.items()}
