"""Following the log: how much units do, by day, beside the library's group-by."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.bootstrap import Winnow, build
from experiments.services.consent.consents import ConsentWord
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from segmentation.behaviour.engagement import engagement
from tests.conftest import FakeClock
from tests.customers.builders import purchases as table_of
from tests.customers.builders import rows_of
from tests.unit.following.engaged import EPOCH, do, follower, known, rows, told, told_on, visit
from tests.unit.following.test_follow import DAY, IN_MEMORY, catch_up, record, revision, shop

__all__ = ["shop"]


def test_events_become_engagement(shop: Winnow) -> None:
    """Of bob's days one is before the window; eve's are both."""
    do(shop, "ada", 0, 1, *range(15, 27))
    do(shop, "bob", 28, 29)
    do(shop, "eve", 29, 400)
    do(shop, "cyd", *[3] * 7, 20, 21, 22)
    do(shop, "dan", *[3] * 6, 20, 21, 22)
    do(shop, "ann", 0, name="purchase")
    catch_up(follower(shop))
    assert known(shop, "ada") == {"engagement_level": "heavy", "active_days_28": 15, "engagement_trend": "falling"}
    assert known(shop, "bob") == {"engagement_level": "light", "active_days_28": 1}
    assert known(shop, "cyd") == {"engagement_level": "regular", "active_days_28": 5, "engagement_trend": "steady"}
    assert known(shop, "dan") == {"engagement_level": "regular", "active_days_28": 5}
    assert known(shop, "eve") == known(shop, "ann") == {}
    today = (shop.clock() - EPOCH).days
    assert rows(shop, "bob", "cyd", "eve", "ann") == {
        "bob": {today - 28: 1},
        "cyd": {today - 3: 7, today - 20: 1, today - 21: 1, today - 22: 1},
    }


_story = st.lists(
    st.tuples(
        st.integers(0, 7 * 24),
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40 * 24)), max_size=12),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=12)
@given(_story)
def test_live_is_the_same_as_counting_anew(story: list[tuple[int, list[tuple[str, int]]]]) -> None:
    """Hours pass, events come in, some of them late: profiles say what the library's group-by finds."""
    clock = FakeClock()
    shop = build(Settings(), open_unit_of_work=MemoryDatabase().unit_of_work, clock=clock)
    following, happened = follower(shop), []
    for hours, events in story:
        clock.advance(hours=hours)
        new = [(unit_id, clock() - timedelta(hours=late)) for unit_id, late in events]
        happened += new
        record(shop, [visit(unit_id, at) for unit_id, at in new])
        catch_up(following)
        found = rows_of(engagement(table_of((unit_id, at, None) for unit_id, at in happened), clock()))
        expected = {unit: told(row["days_active"], row["recent"], row["earlier"]) for unit, row in found.items()}
        assert {unit: known(shop, unit) for unit in "abc" if known(shop, unit)} == expected


@IN_MEMORY
def test_nobody_is_touched_but_when_something_changes(shop: Winnow, clock: FakeClock) -> None:
    """Looked at before and after each midnight: as many transactions as days on which it says something else."""
    following, chance = follower(shop), random.Random(4)
    do(shop, "ada", *(chance.randrange(28) for _ in range(30)))
    catch_up(following)
    [by_day] = rows(shop, "ada").values()
    first = today = (clock() - EPOCH).days
    wrote, changed = [], []
    while today < first + 40:
        for clock.now in (EPOCH + (today + 1) * DAY - timedelta(microseconds=1), EPOCH + (today + 1) * DAY):
            wrote += [(clock() - EPOCH).days] * catch_up(following)
            assert known(shop, "ada") == told_on(by_day, (clock() - EPOCH).days)
        today += 1
        changed += [today] if told_on(by_day, today) != told_on(by_day, today - 1) else []
    assert wrote == changed
    assert (rows(shop, "ada"), len(changed) > 5, known(shop, "ada")) == ({}, True, {})


@IN_MEMORY
def test_days_that_no_window_needs_are_dropped_when_a_row_is_written(shop: Winnow, clock: FakeClock) -> None:
    following, today = follower(shop), (clock() - EPOCH).days
    do(shop, "ada", 20, 0)
    do(shop, "bob", 20, 19, 0)
    catch_up(following)
    clock.advance(days=10)
    do(shop, "ada", 0)
    catch_up(following)
    assert rows(shop, "ada", "bob") == {"ada": {today: 1, today + 10: 1}, "bob": {today: 1}}


@IN_MEMORY
def test_who_does_the_same_again_is_not_written_again(shop: Winnow) -> None:
    following = follower(shop)
    do(shop, "ada", 0, 1)
    do(shop, "bob", 0)
    catch_up(following)
    before = {unit_id: revision(shop, unit_id) for unit_id in ("ada", "bob")}
    do(shop, "ada", 0, 1)
    assert catch_up(following) == 2
    assert {unit_id: revision(shop, unit_id) for unit_id in ("ada", "bob")} == before
    assert list(rows(shop, "ada")["ada"].values()) == [2, 2]


@IN_MEMORY
def test_an_event_ahead_of_the_clock_counts_from_its_day_on(shop: Winnow, clock: FakeClock) -> None:
    clock.now = EPOCH + 20_000 * DAY - timedelta(minutes=1)
    record(shop, [visit("ada", clock() + timedelta(minutes=4))])
    following = follower(shop)
    catch_up(following)
    assert known(shop, "ada") == {}
    clock.advance(minutes=1)
    catch_up(following)
    assert known(shop, "ada") == {"engagement_level": "light", "active_days_28": 1}


def test_other_events_count_now_and_profiles_say_what_they_said_meanwhile(shop: Winnow) -> None:
    do(shop, "ada", 1, 2, 3, 4)
    do(shop, "bob", 0, name="login")
    catch_up(follower(shop))
    following = follower(shop, ("login",))
    assert following.step()
    assert known(shop, "ada")["engagement_level"] == "regular"
    catch_up(following)
    assert known(shop, "bob")["engagement_level"] == "light"
    assert known(shop, "ada") == {}
    catch_up(follower(shop, ("login", "visit")))
    assert known(shop, "ada")["engagement_level"] == "regular"
    catch_up(follower(shop, ()))
    assert (known(shop, "ada"), known(shop, "bob"), rows(shop, "ada", "bob")) == ({}, {}, {})


@IN_MEMORY
def test_what_every_id_does_is_the_persons(shop: Winnow, clock: FakeClock) -> None:
    shop.catalog.refresh()
    following, today = follower(shop), (clock() - EPOCH).days
    do(shop, "dev", 1, 2)
    do(shop, "ann", 2)
    catch_up(following)
    shop.identifier.identify("dev", "ann", trusted=True)
    shop.identifier.identify("tab", "cyd", trusted=True)
    do(shop, "dev", 0)
    do(shop, "tab", 0)
    catch_up(following)
    assert rows(shop, "ann", "cyd", "dev", "tab") == {
        "ann": {today: 1, today - 1: 1, today - 2: 2},
        "cyd": {today: 1},
    }
    assert known(shop, "ann") == {"engagement_level": "light", "active_days_28": 3}
    assert known(shop, "dev") == {}


@IN_MEMORY
def test_ids_that_were_joined_before_are_known_from_the_start(shop: Winnow) -> None:
    """They are not gone through one by one: a place, the events, a profile, and joins from then on."""
    shop.catalog.refresh()
    shop.identifier.identify("dev", "ann", trusted=True)
    do(shop, "dev", 0)
    following = follower(shop)
    assert catch_up(following) == 3
    shop.identifier.identify("tab", "ann", trusted=True)
    assert catch_up(following) == 1
    assert list(rows(shop, "ann", "dev")) == ["ann"]


@IN_MEMORY
def test_who_does_not_consent_is_left_alone(shop: Winnow, clock: FakeClock) -> None:
    """Nothing is counted, said or taken back, until they consent again."""

    def consent(*, granted: bool) -> None:
        clock.advance(seconds=1)
        shop.consents.say(ConsentWord(unit_id="ada", granted=granted), by="test")
        clock.advance(seconds=1)

    following = follower(shop)
    do(shop, "ada", 0, 1)
    do(shop, "bob", 0)
    catch_up(following)
    do(shop, "ada", 2)
    consent(granted=False)
    before, held = revision(shop, "ada"), rows(shop, "ada")
    catch_up(following)
    assert (revision(shop, "ada"), rows(shop, "ada")) == (before, held)
    clock.advance(days=40)
    catch_up(following)
    assert (revision(shop, "ada"), rows(shop, "ada", "bob")) == (before, {"ada": {}})
    consent(granted=True)
    clock.advance(days=1)
    catch_up(following)
    assert (known(shop, "ada"), rows(shop, "ada")) == ({}, {})
    do(shop, "ada", 0)
    catch_up(following)
    assert known(shop, "ada") == {"engagement_level": "light", "active_days_28": 1}


@IN_MEMORY
def test_who_is_erased_is_gone(shop: Winnow, clock: FakeClock) -> None:
    following = follower(shop)
    do(shop, "ada", 0)
    catch_up(following)
    clock.advance(seconds=1)
    receipt = shop.eraser.erase("ada", actor="test")
    assert receipt.deleted["activity"] == 1
    catch_up(following)
    assert (rows(shop, "ada"), known(shop, "ada")) == ({}, {})
