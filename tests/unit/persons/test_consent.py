"""What units say of consent, in whatever order it arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from experiments.domain.consent import Consent, ConsentMode, ConsentState, Said, first_word

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ASSUMED, REQUIRED = ConsentMode.ASSUMED, ConsentMode.REQUIRED


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def heard(*words: tuple[bool, int]) -> Consent:
    """What holds after words of (granted, minutes after noon)."""
    (granted, first), *rest = words
    said = first_word("d", granted, at(first), "crm")
    for granted, minutes in rest:
        said = said.hear(granted, at(minutes), "crm") or said
    return said


@pytest.mark.parametrize(
    ("words", "state", "since"),
    [
        ([(True, 0)], "granted", 0),
        ([(False, 0)], "refused", 0),
        ([(True, 0), (True, 5)], "granted", 0),
        ([(False, 0), (False, 5)], "refused", 0),
        ([(True, 0), (False, 5)], "refused", 5),
        ([(False, 0), (True, 5)], "granted_again", 5),
        ([(False, 0), (True, 5), (True, 9)], "granted_again", 5),
        ([(True, 0), (False, 5), (True, 9)], "granted_again", 9),
        ([(False, 5), (True, 0)], "refused", 5),
        ([(False, 0), (False, 9), (True, 5)], "refused", 0),
        ([(True, 0), (False, 0)], "refused", 0),
        ([(False, 0), (True, 0)], "refused", 0),
    ],
)
def test_the_latest_word_counts(words: list[tuple[bool, int]], state: str, since: int) -> None:
    said = heard(*words)
    assert (said.state.value, said.since) == (state, at(since))
    assert said.granted is (state != "refused")


def test_what_does_not_say_when_follows_what_was_heard() -> None:
    refused = heard((False, 5))
    for now in (at(5), at(3)):
        said = refused.hear(True, now, "shop", just_now=True)
        assert said is not None
        assert (said.granted, said.said_at, said.said_by) == (True, at(5), "shop")


def test_the_order_of_arrival_makes_no_difference_to_what_holds() -> None:
    words = [(True, 0), (False, 3), (True, 3), (True, 5), (False, 4)]
    found = {(said.granted, said.said_at) for order in permutations(words) for said in [heard(*order)]}
    assert found == {(True, at(5))}
    found = {heard(*order).granted for order in permutations(words[:3])}
    assert found == {False}


@pytest.mark.parametrize(
    ("words", "mode", "lacks", "before", "later"),
    [
        ([], ASSUMED, False, False, False),
        ([], REQUIRED, True, True, True),
        ([(True, 0)], ASSUMED, False, False, False),
        ([(True, 0)], REQUIRED, False, True, False),
        ([(False, 0)], ASSUMED, True, True, True),
        ([(False, 0)], REQUIRED, True, True, True),
        ([(False, -9), (True, 0)], ASSUMED, False, True, False),
        ([(False, -9), (True, 0)], REQUIRED, False, True, False),
    ],
)
def test_what_is_dropped_by_when_it_was_received(
    words: list[tuple[bool, int]], mode: ConsentMode, lacks: bool, before: bool, later: bool
) -> None:
    said = Said(mode=mode, by_unit={"u": heard(*words)} if words else {})
    assert (said.lacks("u"), said.covers("u", at(-1)), said.covers("u", at(0))) == (lacks, before, later)
    assert said.covers("other", at(0)) is (mode is REQUIRED)


def test_with_an_erasure_a_grant_goes_and_a_refusal_stands() -> None:
    refused, granted = heard((False, 0)), heard((True, 0))
    assert refused.unsay(at(5)) == refused
    gone = granted.unsay(at(5))
    assert (gone.state, gone.granted) == (ConsentState.UNSAID, None)
    for mode in ConsentMode:
        assert Said(mode=mode, by_unit={"u": gone}).lacks("u") is (mode is REQUIRED)
    assert gone.hear(True, at(4), "crm") is None, "an old file does not bring a grant back"
    assert gone.hear(True, at(5), "crm") is None
    again = gone.hear(True, at(6), "crm")
    assert again is not None
    assert (again.state, again.since) == (ConsentState.GRANTED, at(6))


def test_a_refusal_that_arrives_after_the_erasure_stands_and_a_grant_does_not() -> None:
    gone = heard((True, 0)).unsay(at(5))
    assert gone.hear(True, at(3), "crm") is None
    late = gone.hear(False, at(3), "crm")
    assert late is not None
    assert (late.granted, late.since) == (False, at(5))
    assert late.hear(True, at(4), "crm") is None  # what was granted before the erasure is nobody's
    again = late.hear(True, at(6), "crm")
    assert again is not None
    assert again.granted
