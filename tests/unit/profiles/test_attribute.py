"""What an attribute may be, and which values it takes."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.source import Source, SourceKind


def attribute(**changes: Any) -> Attribute:
    return Attribute(**{"key": "city", "name": "City", "type": AttributeType.TEXT, **changes})


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"key": "a b"}, "key_invalid", "/key"),
        ({"key": "address.city"}, "attribute_key_dotted", "/key"),
        ({"name": ""}, "text_invalid", "/name"),
        ({"sources": ("crm", "crm")}, "value_repeated", "/sources/1"),
        ({"sources": ("c r m",)}, "key_invalid", "/sources/0"),
        ({"allowed": ("Bonn", 7)}, "attribute_value_invalid", "/allowed/1"),
        ({"allowed": ("Bonn", "Bonn")}, "value_repeated", "/allowed/1"),
        ({"type": AttributeType.BOOLEAN, "allowed": (True,)}, "allowed_unwanted", "/allowed"),
        ({"type": AttributeType.TEXTS, "allowed": (["a"],)}, "attribute_value_invalid", "/allowed/0"),
        ({"allowed": tuple(map(str, range(1_001)))}, "allowed_count", "/allowed"),
        ({"fresh_days": 0}, "fresh_days_invalid", "/fresh_days"),
        ({"fresh_days": 36_501}, "fresh_days_invalid", "/fresh_days"),
    ],
)
def test_an_attribute_that_does_not_hold_cannot_be_built(changes: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        attribute(**changes)
    assert (refusal.value.code, refusal.value.path) == (code, path)


@pytest.mark.parametrize(
    ("kind", "fit", "unfit"),
    [
        ("text", ["", "Bonn", "x" * 2_000], [1, True, None, ["a"], "x" * 2_001, "a\x00", "\ud800"]),
        ("number", [0, -1.5, 2**63 - 1], ["1", True, None, 2**63, float("nan"), float("inf"), [1]]),
        ("boolean", [True, False], [0, 1, "true", None]),
        ("date", ["2026-01-31", "2024-02-29"], ["2026-02-29", "20260131", "2026-01-31T00:00", 20260131, "", None]),
        ("texts", [[], ["a", "b"], ["a"] * 100], ["a", [1], [["a"]], ["a"] * 101, ["\x00"], None, ("a",)]),
    ],
)
def test_a_value_is_of_its_type(kind: str, fit: list[Any], unfit: list[Any]) -> None:
    one = attribute(type=AttributeType(kind))
    for value in fit:
        one.check(value, "/attributes/city")
    for value in unfit:
        with pytest.raises(InvalidInput) as refusal:
            one.check(value, "/attributes/city")
        assert refusal.value.code == "attribute_value_invalid"
        assert refusal.value.path.startswith("/attributes/city")


@pytest.mark.parametrize(
    ("kind", "allowed", "fit", "unfit"),
    [
        ("text", ("Bonn", "Köln"), "Köln", "köln"),
        ("number", (1, 2.5), 1.0, 3),
        ("texts", ("news", "offers"), ["offers", "news"], ["offers", "calls"]),
        ("date", ("2026-01-01",), "2026-01-01", "2026-01-02"),
    ],
)
def test_listed_values_alone_are_taken(kind: str, allowed: tuple[Any, ...], fit: Any, unfit: Any) -> None:
    one = attribute(type=AttributeType(kind), allowed=allowed)
    one.check(fit, "")
    with pytest.raises(InvalidInput, match="allowed") as refusal:
        one.check(unfit, "/here")
    assert (refusal.value.code, refusal.value.path) == ("value_not_allowed", "/here")


def test_a_refusal_never_repeats_the_value() -> None:
    """It may be personal, and refusals are logged and shown."""
    secret = "Ada Lovelace"
    for one in (attribute(allowed=("x",)), *(attribute(type=kind) for kind in AttributeType if kind != "text")):
        with pytest.raises(InvalidInput) as refusal:
            one.check(secret, "")
        assert secret not in str(refusal.value)


def test_who_may_say_it() -> None:
    assert attribute().takes_from("anybody")
    assert attribute(sources=("crm",)).takes_from("crm")
    assert not attribute(sources=("crm",)).takes_from("shop")


@pytest.mark.parametrize("precedence", [-1, 1_000_001])
def test_a_precedence_has_bounds(precedence: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=precedence)
    assert (refusal.value.code, refusal.value.path) == ("precedence_invalid", "/precedence")
