"""Which name may have been meant."""

from __future__ import annotations

import pytest

from experiments.domain.nearest import MAX_LENGTH, did_you_mean, nearest

KNOWN = ("checkout", "homepage-banner", "mens", "womens", "Visits", "a", "b")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("chekout", "checkout"),
        ("check-out", "checkout"),
        ("homepage_banner", "homepage-banner"),
        ("visits", "Visits"),
        ("visit", "Visits"),
        ("men", "mens"),
        ("women", "womens"),
        ("kids", None),
        ("banner", None),
        ("c", None),
        ("", None),
        ("mens", None),
        ("checkout" * MAX_LENGTH, None),
    ],
)
def test_the_closest_one_that_is_close(said: str, meant: str | None) -> None:
    assert nearest(said, KNOWN) == meant


def test_the_order_of_names_does_not_matter() -> None:
    names = ("price1", "price2", "price3")
    assert nearest("price4", names) == nearest("price4", tuple(reversed(names)))


def test_a_sentence_or_nothing() -> None:
    assert did_you_mean("chekout", KNOWN) == " Did you mean 'checkout'?"
    assert did_you_mean("kids", KNOWN) == ""
