"""Numbers and words as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.dashboard import format as say
from api.dashboard.table_csv import guarded
from experiments.domain.wording import shortened


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.168968, "16.9%"),
        (0.099813, "9.98%"),
        (0.00573, "0.573%"),
        (0.0000123, "0.0012%"),
        (0.99996, "99.996%"),
        (1.0, "100.0%"),
        (0.0, "0.0%"),
    ],
)
def test_shares_have_three_digits(value: float, text: str) -> None:
    assert say.share(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0742, "conversion", "+7.42 points"),
        (-0.135, "conversion", "−13.5 points"),
        (0.0005, "conversion", "+0.050 points"),
        (0.0, "conversion", "0.0 points"),
        (1.5, "mean", "+1.500"),
        (-12_345.6, "mean", "−12,346"),
        (0.0, "mean", "0"),
    ],
)
def test_differences_have_a_sign_and_rates_are_in_points(value: float, kind: str, text: str) -> None:
    assert say.difference(value, kind).replace(say.NO_BREAK, " ") == text


def test_a_range_says_its_unit_once() -> None:
    assert say.difference_range(-0.02, 0.0301, "conversion").replace(say.NO_BREAK, " ") == "−2.00 to +3.01 points"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0046, "conversion", "0.46 points"),
        (0.135, "conversion", "13.5 points"),
        (0.000099, "conversion", "under 0.01 points"),
        (0.0018049, "mean", "0.0018"),
        (0.00000024, "mean", "under 0.0001"),
        (0.0, "mean", "0"),
        (12_345.0, "mean", "12,000"),
    ],
)
def test_costs_have_two_digits(value: float, kind: str, text: str) -> None:
    assert say.cost(value, kind).replace(say.NO_BREAK, " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "over 99.9%"), (0.0, "under 0.1%"), (0.742, "74%"), (0.97, "97.0%"), (0.031, "3.1%")],
)
def test_nothing_is_certain(value: float, text: str) -> None:
    assert say.chance(value) == text


@pytest.mark.parametrize(("value", "text"), [(12_345, "13,000"), (5.2, "6"), (0.3, "1"), (990, "990"), (991, "1,000")])
def test_what_is_to_come_is_rounded_up_to_two_digits(value: float, text: str) -> None:
    assert say.rounded_up(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "less than a day"), (1.2, "about a day"), (5.2, "about 6 days"), (5_649, "more than a year")],
)
def test_days_in_words(value: float, text: str) -> None:
    assert say.days(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "text"), [(0.08, "conversion", "+8"), (-0.005, "conversion", "−0.5"), (0.0, "mean", "0")]
)
def test_ticks_are_bare(value: float, kind: str, text: str) -> None:
    assert say.tick(value, kind) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.693, "+69.3%"),
        (-0.1064, "−10.6%"),
        (-0.0042, "−0.42%"),
        (0.0, "0.0%"),
        (0.000001, "+0.0001%"),
        (-0.99961, "−99.96%"),
        (-1.0, "−100.0%"),
        (12.345, "+1,234%"),
        (1.0806, "+108.1%"),
    ],
)
def test_lifts_have_a_sign(value: float, text: str) -> None:
    assert say.lift(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.4226, "1.423"),
        (12.3456, "12.35"),
        (1.18, "1.180"),
        (12_345.6, "12,346"),
        (3.0, "3"),
        (0.012345, "0.01235"),
        (-2.5, "−2.500"),
    ],
)
def test_plain_numbers_have_four_digits(value: float, text: str) -> None:
    assert say.plain_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00003, "p < 0.0001"), (0.0012, "p = 0.0012"), (0.0449, "p = 0.045"), (0.21, "p = 0.21"), (1.0, "p = 1.00")],
)
def test_p_values_never_claim_to_be_zero(value: float, text: str) -> None:
    assert say.p_value(value).replace(say.NO_BREAK, " ") == text


def test_intervals_are_words() -> None:
    assert say.between(-0.023, 0.263) == "between −2.3% and +26.3%"


@pytest.mark.parametrize(
    ("weight", "text"), [(9500, "95%"), (3334, "33.3%"), (5, "0.05%"), (9_996, "99.96%"), (10_000, "100%")]
)
def test_splits_are_short_but_never_round_to_nothing(weight: int, text: str) -> None:
    assert say.basis_points(weight) == text


def test_instants_are_told_in_utc() -> None:
    at = datetime(2026, 11, 21, 16, 5, tzinfo=timezone(timedelta(hours=2)))
    assert say.instant(at) == "21 Nov 2026, 14:05 UTC"
    assert say.day(datetime(2026, 3, 1, tzinfo=UTC)) == "1 Mar 2026"


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_ages_use_the_largest_unit(age: timedelta, text: str) -> None:
    assert say.ago(age) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "customer", "1 customer"),
        (64_000, "customer", "64,000 customers"),
        (2, "company", "2 companies"),
        (2, "day", "2 days"),
        (0, "address", "0 addresses"),
    ],
)
def test_amounts_agree_with_their_noun(number: int, noun: str, text: str) -> None:
    assert say.amount(number, noun) == text


@pytest.mark.parametrize(
    ("clause", "text"), [("37 saw two", "37 saw two."), ("they left", "They left."), ("Done.", "Done."), (" ", "")]
)
def test_clauses_become_sentences(clause: str, text: str) -> None:
    assert say.sentence(clause) == text


def test_long_texts_are_cut_with_an_ellipsis() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcde fgh", 7) == "abcde…"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_cells_never_start_a_formula(text: str) -> None:
    assert guarded(text) == f"'{text}"


def test_harmless_cells_stay_as_they_are() -> None:
    assert guarded("Men’s e-mail = best") == "Men’s e-mail = best"
