"""What the cells of a list mean: JSON values, as a frontend would send them to the API.

CSV knows no types. A column whose type is declared holds that type; in any other, a cell that reads like a JSON number
or like true or false is one, and everything else is text: 12 and 1.5 are numbers, 012 and 12a are texts. This is told
cell by cell, never by what other rows hold. An empty cell is an attribute that is absent, whatever the type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from experiments.domain.errors import InvalidInput

Kind = Literal["auto", "text", "integer", "number", "boolean", "json"]
KINDS: tuple[Kind, ...] = ("auto", "text", "integer", "number", "boolean", "json")

_MAX_WHOLE = 2**63 - 1
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


def check_types(types: Mapping[str, str]) -> dict[str, Kind]:
    """Refuse a type that there is not."""
    kinds: dict[str, Kind] = {}
    for column, name in types.items():
        kind = next((kind for kind in KINDS if kind == name), None)
        if kind is None:
            raise InvalidInput(
                "type_unknown", f"Column {column!r}: there is no type {name!r}, only {', '.join(KINDS)}."
            )
        kinds[column] = kind
    return kinds


def read_cell(text: str, kind: Kind) -> Any:
    """Return the JSON value of a cell of a CSV file, None where it is empty. Raises InvalidInput."""
    return _READ[kind](text) if text else None


def read_value(value: Any) -> Any:
    """Return the JSON value of a value that has a type already (Parquet): dates as ISO 8601. Raises InvalidInput."""
    if value is None or isinstance(value, bool):
        return value
    for kinds, read in _TYPED:
        if isinstance(value, kinds):
            return read(value)
    raise InvalidInput("value_unfit", f"JSON has no {type(value).__name__}.")


def kinds_of(values: Iterable[Any]) -> set[str]:
    """Name the kinds of value that there are, for people."""
    return {_NAMES.get(type(value), "json") for value in values if value is not None}


_NAMES = {str: "text", bool: "boolean", int: "number", float: "number"}


def _auto(text: str) -> Any:
    if text in ("true", "false"):
        return _FLAGS[text]
    if _INTEGER.fullmatch(text):
        value = int(text) if len(text) <= 20 else _MAX_WHOLE + 1
        return value if abs(value) <= _MAX_WHOLE else _text(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return _text(text)


def _text(text: Any) -> str:
    if not isinstance(text, str) or "\x00" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise InvalidInput("text_invalid", "The text holds a character that cannot be stored.")
    return text


def _integer(text: str) -> int:
    if len(text) > 20 or not re.fullmatch(r"[+-]?[0-9]+", text):
        raise InvalidInput("not_an_integer", f"{text[:80]!r} is no whole number of 64 bits.")
    return _whole(int(text))


def _whole(value: int) -> int:
    if abs(value) > _MAX_WHOLE:
        raise InvalidInput("not_an_integer", f"{value} has more than 64 bits.")
    return value


def _number(text: str) -> int | float:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if len(text) > 80 or not re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", text):
        raise InvalidInput("not_a_number", f"{text[:80]!r} is no number.")
    return _finite(float(text))


def _finite(value: float | Decimal) -> int | float:
    if not math.isfinite(value):
        raise InvalidInput("not_a_number", "JSON has no infinite numbers.")
    is_whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return _whole(int(value)) if is_whole else float(value)


def _boolean(text: str) -> bool:
    found = _FLAGS.get(text.lower())
    if found is None:
        raise InvalidInput("not_a_flag", f"{text[:80]!r} is neither 0 or 1 nor true or false.")
    return found


def _json(text: str) -> Any:
    try:
        return read_value(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError):
        raise InvalidInput("not_json", f"{text[:80]!r} is no JSON.") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


_TYPED: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, _text),
    (int, _whole),
    (float, lambda value: None if math.isnan(value) else _finite(value)),
    (Decimal, lambda value: None if value.is_nan() else _finite(value)),
    (date, lambda value: value.isoformat()),
    (list, lambda value: [read_value(one) for one in value]),
    (dict, lambda value: {_text(key): read_value(one) for key, one in value.items()}),
)

_READ: Mapping[Kind, Callable[[str], Any]] = {
    "auto": _auto,
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "json": _json,
}
