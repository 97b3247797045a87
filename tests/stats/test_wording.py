"""Percentages in sentences: the words must not say more, or other, than the number does."""

from __future__ import annotations

from decimal import Decimal
from re import sub

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.wording import number, percentage


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (1.0000000000000002, "100%"),
        (-1.0, "-100%"),
        (0.693, "69%"),
        (0.0412, "4.1%"),
        (0.0006, "0.06%"),
        (0.000043, "0.004%"),
        (0.00000004, "just over 0%"),
        (-0.00000004, "just under 0%"),
        # 0.4% against 90%: 19 of 4,000 and 3,626 of 4,000.
        (1 - 19 / 3626, "99.5%"),
        (0.9979, "99.8%"),
        (0.9906, "99.1%"),
        (0.99961, "99.96%"),
        (0.9999999, "just under 100%"),
        (1.0000001, "just over 100%"),
        (1.003, "100.3%"),
        (36.23, "3,623%"),
        (1e9, "more than 1,000,000%"),
        (float("inf"), "more than 1,000,000%"),
    ],
)
def test_percentages(fraction: float, text: str) -> None:
    assert percentage(fraction) == text


@given(st.floats(min_value=-1e4, max_value=1e4, allow_nan=False))
def test_a_percentage_is_never_0_or_100_or_of_the_other_sign_where_the_number_is_not(fraction: float) -> None:
    text = percentage(fraction)
    assert "e" not in sub("just over|just under|more than", "", text)
    if "just" in text or "more" in text:
        return
    said = Decimal(text.rstrip("%").replace(",", ""))
    exact = 100 * Decimal(fraction)
    for special in (Decimal(-100), Decimal(0), Decimal(100)):
        if abs(exact - special) > Decimal("1e-9"):
            assert (said > special) == (exact > special)
            assert said != special
    assert abs(said - exact) <= max(Decimal("0.5"), abs(exact) / 100)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.8391, "0.839"),
        (12.34, "12.3"),
        (2.0, "2"),
        (-0.908, "-0.908"),
        (1234.5, "1,234"),
        (2_600_000.0, "2,600,000"),
        (0.0000123, "0.0000123"),
        (1e-300, "just over 0"),
        (-1e-300, "just under 0"),
        (1e300, "more than 1,000,000,000,000,000"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert number(value) == text
