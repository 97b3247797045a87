"""Cells and typed values as the JSON that a frontend would send."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from experiments.domain.errors import InvalidInput
from experiments.services.lists.cells import Kind, check_types, read_cell, read_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("null", "null"),
        ("012", "012"),
        ("+49", "+49"),
        ("1.", "1."),
        (".5", ".5"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", "9223372036854775808"),
        ("1_000", "1_000"),
        ("１２", "１２"),
        (" 12", " 12"),
        ("2026-01-31", "2026-01-31"),
        ("Zoë", "Zoë"),
    ],
)
def test_an_undeclared_cell_is_what_json_would_read(text: str, value: Any) -> None:
    found = read_cell(text, "auto")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "012", "012"),
        ("text", "12", "12"),
        ("text", "", None),
        ("integer", "+012", 12),
        ("number", "12", 12),
        ("number", ".5", 0.5),
        ("boolean", "1", True),
        ("boolean", "FALSE", False),
        ("json", '["a", {"b": 1}]', ["a", {"b": 1}]),
        ("json", "null", None),
    ],
)
def test_a_declared_cell(kind: Kind, text: str, value: Any) -> None:
    found = read_cell(text, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("integer", "1.0", "not_an_integer"),
        ("integer", "9223372036854775808", "not_an_integer"),
        ("integer", "9" * 5_000, "not_an_integer"),
        ("integer", "１２", "not_an_integer"),
        ("number", "ten", "not_a_number"),
        ("number", "inf", "not_a_number"),
        ("number", "1e999", "not_a_number"),
        ("boolean", "yes", "not_a_flag"),
        ("json", "{", "not_json"),
        ("json", "[NaN]", "not_json"),
        ("json", "[" * 100_000, "not_json"),
        ("text", "a\x00", "text_invalid"),
        ("auto", "a\x00", "text_invalid"),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_refused(kind: Kind, text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_cell(text, kind)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (math.nan, None),
        (1.0, 1.0),
        (True, True),
        (Decimal("12.00"), 12),
        (Decimal("12.5"), 12.5),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        ([1, {"a": date(2026, 1, 31)}], [1, {"a": "2026-01-31"}]),
    ],
)
def test_typed_values_become_json(value: Any, wanted: Any) -> None:
    found = read_value(value)
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize("value", [math.inf, 2**63, b"x", "\x00", [math.inf]])
def test_what_the_api_would_not_take_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        read_value(value)


def test_types_are_known_ones() -> None:
    assert check_types({"a": "text"}) == {"a": "text"}
    with pytest.raises(InvalidInput) as refused:
        check_types({"a": "date"})
    assert refused.value.code == "type_unknown"
