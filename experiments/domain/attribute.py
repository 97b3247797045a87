"""Attributes: what may be known of a unit, registered before it is stored, so that conditions can name it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key, check_text

MAX_ALLOWED = 1_000
MAX_TEXTS = 100
MAX_SOURCES = 50
MAX_FRESH_DAYS = 36_500
MAX_WHOLE = 2**63 - 1


class AttributeType(StrEnum):
    """`date` is a calendar day as ISO text, so that the order of texts is that of days; `texts` a list of texts."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """`key` is the name that conditions use. `sources`: who may say it; none named: all.

    `allowed`: the values that it may have, for `texts` each of them; none named: any of its type. A value counts for
    `fresh_days` from when it was said (None: for ever). `personal`: it tells who somebody is or how they live.
    """

    key: str
    name: str
    type: AttributeType
    description: str = ""
    personal: bool = False
    sources: tuple[str, ...] = ()
    allowed: tuple[Any, ...] = ()
    fresh_days: int | None = None

    def __post_init__(self) -> None:
        check_key(self.key)
        if "." in self.key:
            raise InvalidInput("attribute_key_dotted", "In a condition a dot leads into an object.", path="/key")
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.description, "/description")
        self._check_sources()
        self._check_allowed()
        if self.fresh_days is not None and not 1 <= self.fresh_days <= MAX_FRESH_DAYS:
            raise InvalidInput(
                "fresh_days_invalid", f"A value stays fresh for 1 to {MAX_FRESH_DAYS:,} days.", path="/fresh_days"
            )

    def _check_sources(self) -> None:
        if len(self.sources) > MAX_SOURCES:
            raise InvalidInput("sources_count", f"An attribute names at most {MAX_SOURCES} sources.", path="/sources")
        for position, source in enumerate(self.sources):
            check_key(source, f"/sources/{position}")
            _refuse_repeated(source, self.sources[:position], f"/sources/{position}")

    def _check_allowed(self) -> None:
        if self.allowed and self.type is AttributeType.BOOLEAN:
            raise InvalidInput("allowed_unwanted", "A boolean is true or false.", path="/allowed")
        if len(self.allowed) > MAX_ALLOWED:
            raise InvalidInput("allowed_count", f"At most {MAX_ALLOWED:,} values can be listed.", path="/allowed")
        check = _check_text if self.type is AttributeType.TEXTS else _CHECKS[self.type]
        for position, value in enumerate(self.allowed):
            check(value, f"/allowed/{position}")
            _refuse_repeated(value, self.allowed[:position], f"/allowed/{position}")

    def check(self, value: object, path: str) -> None:
        """Refuse a value that the attribute cannot have. What is told never repeats the value: it may be personal."""
        _CHECKS[self.type](value, path)
        if not self.allows(value):
            raise InvalidInput("value_not_allowed", f"{self.key!r} has other allowed values.", path=path)

    def allows(self, value: object) -> bool:
        """Say whether a value of the attribute's type is one that it may have."""
        said = value if isinstance(value, list) else (value,)
        return not self.allowed or all(one in self.allowed for one in said)

    def takes_from(self, source: str) -> bool:
        """Say whether that source may tell the attribute."""
        return not self.sources or source in self.sources


def _check_text(value: object, path: str) -> None:
    try:
        check_text(value, path)
    except InvalidInput as refusal:
        raise _unfit(refusal.message, path) from None


def _check_number(value: object, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unfit("A number is wanted, no text.", path)
    if isinstance(value, float) and math.isnan(value):
        raise _unfit("It is no number.", path)
    if (isinstance(value, int) and abs(value) > MAX_WHOLE) or (isinstance(value, float) and not math.isfinite(value)):
        raise _unfit("The number is out of range.", path)


def _check_boolean(value: object, path: str) -> None:
    if not isinstance(value, bool):
        raise _unfit("true or false is wanted.", path)


def _check_date(value: object, path: str) -> None:
    try:
        fit = isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        fit = False
    if not fit:
        raise _unfit("A day is wanted as ISO 8601, such as 2026-01-31.", path)


def _check_texts(value: object, path: str) -> None:
    if not isinstance(value, list) or len(value) > MAX_TEXTS:
        raise _unfit(f"A list of at most {MAX_TEXTS} texts is wanted.", path)
    for position, text in enumerate(value):
        _check_text(text, f"{path}/{position}")


_CHECKS: Mapping[AttributeType, Callable[[object, str], None]] = {
    AttributeType.TEXT: _check_text,
    AttributeType.NUMBER: _check_number,
    AttributeType.BOOLEAN: _check_boolean,
    AttributeType.DATE: _check_date,
    AttributeType.TEXTS: _check_texts,
}


def _unfit(message: str, path: str) -> InvalidInput:
    return InvalidInput("attribute_value_invalid", message, path=path)


def _refuse_repeated(value: object, earlier: Collection[object], path: str) -> None:
    if value in earlier:
        raise InvalidInput("value_repeated", "It stands there twice.", path=path)
