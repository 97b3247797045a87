"""Traffic without rest, clocks that go back, a late worker with other names: followers get there all the same."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from experiments.bootstrap import Winnow
from experiments.services.following.turns import InTurn
from tests.conftest import FakeClock
from tests.unit.following.engaged import do, follower, known, rows
from tests.unit.following.test_follow import catch_up, shop

__all__ = ["shop"]

LIGHT = {"engagement_level": "light", "active_days_28": 2}


def test_an_event_between_any_two_steps_keeps_nobody_from_being_written(shop: Winnow, clock: FakeClock) -> None:
    one = follower(shop)
    do(shop, "ada", 0, 1)
    for number in range(4):
        do(shop, f"u{number}", 0)
        one.step()
        clock.advance(seconds=0.01)
    assert known(shop, "ada") == LIGHT


def test_somebody_who_signs_in_between_any_two_steps_keeps_nobody_from_being_counted(
    shop: Winnow, clock: FakeClock
) -> None:
    one = follower(shop)
    catch_up(one)
    do(shop, "ada", 0, 1)
    for number in range(6):
        shop.identifier.identify(f"device-{number}", f"person-{number}", trusted=True)
        one.step()
        clock.advance(seconds=0.01)
    assert known(shop, "ada") == LIGHT


def test_beside_one_that_always_fails_a_follower_goes_on_under_traffic(shop: Winnow, clock: FakeClock) -> None:
    def broken() -> bool:
        raise ValueError("always")

    turns = InTurn((broken, follower(shop).step))
    do(shop, "ada", 0, 1)
    for number in range(12):
        do(shop, f"u{number}", 0)
        clock.advance(seconds=2)
        with suppress(ValueError):
            while turns.step():
                pass
    assert known(shop, "ada") == LIGHT


def test_what_was_said_by_a_clock_that_was_ahead_is_corrected(shop: Winnow, clock: FakeClock) -> None:
    one = follower(shop)
    do(shop, "ada", 0)
    clock.advance(hours=3)
    catch_up(one)
    clock.now -= timedelta(hours=3)
    do(shop, "ada", 1)
    catch_up(one)
    assert known(shop, "ada") == LIGHT
    catch_up(follower(shop, ()))
    assert (known(shop, "ada"), rows(shop, "ada")) == ({}, {})


def test_who_was_late_with_other_names_counts_nothing_under_the_new_ones(shop: Winnow, clock: FakeClock) -> None:
    before, after = follower(shop, ("visit",)), follower(shop, ("login",))
    catch_up(before)
    do(shop, "ada", 0)
    late = before._todo(clock())
    assert late is not None
    catch_up(after)
    do(shop, "bob", 0, 1, name="login")
    late()
    catch_up(after)
    assert (known(shop, "ada"), known(shop, "bob")) == ({}, LIGHT)
