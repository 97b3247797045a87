"""Findings of a schema: messages that carry a code, and the JSON pointer of where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow.exceptions import SCHEMA, ValidationError

from experiments.domain.errors import DomainError


class Coded(str):
    """A message that knows its code, so that it survives marshmallow's own bookkeeping of errors."""

    __slots__ = ("code", "is_refusal")
    code: str
    is_refusal: bool

    def __new__(cls, code: str, message: str, *, is_refusal: bool = False) -> Coded:
        made = super().__new__(cls, message)
        made.code = code
        made.is_refusal = is_refusal
        return made

    def __deepcopy__(self, memo: object) -> Coded:
        return self  # nothing in it changes, and flask-smorest copies whole schemas

    def format(self, *args: object, **kwargs: object) -> Coded:
        """Fill in, and keep the code."""
        return Coded(self.code, super().format(*args, **kwargs), is_refusal=self.is_refusal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with an input; `is_refusal` where the domain said so."""

    path: str
    code: str
    message: str
    is_refusal: bool = False


def refused(refusal: DomainError) -> ValidationError:
    """Turn a refusal of the domain into marshmallow's error at the same place, so that nesting prefixes its path."""
    message: Any = [Coded(refusal.code, refusal.message, is_refusal=True)]
    for step in reversed(refusal.path.split("/")[1:]):
        message = {_unescaped(step): message}
    return ValidationError(message)


def findings(messages: object, path: str = "") -> Iterator[Finding]:
    """Flatten marshmallow's nested messages."""
    if isinstance(messages, Mapping):
        for step, below in messages.items():
            yield from findings(below, path if step == SCHEMA else f"{path}/{_escaped(str(step))}")
    elif isinstance(messages, list):
        for message in messages:
            yield from findings(message, path)
    elif isinstance(messages, Coded):
        yield Finding(path=path, code=messages.code, message=str(messages), is_refusal=messages.is_refusal)
    else:
        yield Finding(path=path, code="invalid", message=str(messages))


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
