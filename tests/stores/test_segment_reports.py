"""Segment reports, who was in a segment, and the weeks that were counted: in every store."""

from __future__ import annotations

import random
from array import array
from datetime import timedelta

import pytest

from experiments.domain.erasure import unit_digest
from experiments.domain.membership import MEMBERS_AT_ONCE, Members, MemberWeek, member_of, member_of_digest
from experiments.services.segments.ports import CUSTOMERS, ReportHead, SegmentReport, Taken

DAY = timedelta(days=1)
KEEP = 3


@pytest.fixture
def report(now):
    def build(segment="recent", number=1, **changes):
        parts = {
            "segment": segment,
            "number": number,
            "revision": 1,
            "made_at": now + number * DAY,
            "document": {"z": 0.1 + 0.2, "a": [{"undefined": "no_units", "message": "Niemand – nobody."}]},
        }
        return SegmentReport(**{**parts, **changes})

    return build


@pytest.fixture
def do(open_unit_of_work):
    """Ask in a transaction of its own, which is committed."""

    def ask(question):
        with open_unit_of_work() as work:
            answer = question(work.reports)
            work.commit()
        return answer

    return ask


def test_reports_come_back_equal_newest_first(do, report):
    made = [report(number=1), report(number=2, revision=2), report("web"), report(CUSTOMERS, revision=0)]
    assert [do(lambda store, one=one: store.add(one, keep=KEEP)) for one in made] == [True] * 4
    assert do(lambda store: store.history("recent")) == (made[1], made[0])
    assert list(made[1].document) == list(do(lambda store: store.newest("recent")).document) == ["z", "a"]
    assert do(lambda store: store.all_newest()) == {"recent": made[1], "web": made[2], CUSTOMERS: made[3]}
    assert do(lambda store: store.newest("nothing")) is None
    assert do(lambda store: store.heads())["recent"] == ReportHead(
        segment="recent", number=2, revision=2, made_at=made[1].made_at
    )


def test_of_two_makers_one_succeeds(do, report):
    assert do(lambda store: store.add(report(document={"by": "first"}), keep=KEEP))
    assert not do(lambda store: store.add(report(document={"by": "second"}), keep=KEEP))
    assert [one.document for one in do(lambda store: store.history("recent"))] == [{"by": "first"}]


def test_makers_at_once(do, report, at_once):
    told = at_once(lambda name: do(lambda store: store.add(report(document={"by": name}), keep=KEEP)), "abcd")
    assert sorted(told) == [False, False, False, True]
    assert do(lambda store: store.newest("recent")).document == {"by": "abcd"[told.index(True)]}


def test_of_a_day_the_last_stays_and_so_many_days(do, report, now):
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = (1, 5, 23, 25, 49, 73, 97, 98)
    for number, hour in enumerate(hours, 1):
        do(lambda store, n=number, h=hour: store.add(report(number=n, made_at=midnight + h * DAY / 24), keep=KEEP))
    assert [one.number for one in do(lambda store: store.history("recent"))] == [8, 6, 5]


def test_what_is_not_committed_never_was(open_unit_of_work, do, report, now):
    with open_unit_of_work() as work:
        work.reports.add(report(), keep=KEEP)
        work.reports.take(Members(segment="recent", taken_at=now, condition="c", hashes=array("Q", [1])))
    assert do(lambda store: store.newest("recent")) is None
    assert do(lambda store: store.taken()) == {}


def test_members_are_replaced_and_people_taken_out(do, now):
    draw = random.Random(7)
    spread = [draw.getrandbits(63) for _ in range(2 * MEMBERS_AT_ONCE + 5)]
    many = array("Q", sorted({0, 2**63 - 1, *spread}))
    some = array("Q", [5, *sorted(spread[:3])])
    do(lambda store: store.take(Members(segment="many", taken_at=now, condition="x", hashes=array("Q", [1, 2]))))
    do(lambda store: store.take(Members(segment="many", taken_at=now + DAY, condition="c", hashes=many)))
    do(lambda store: store.take(Members(segment="some", taken_at=now, condition="d", hashes=some)))
    do(lambda store: store.take(Members(segment="none", taken_at=now, condition="e", hashes=array("Q"))))
    assert do(lambda store: store.members("many")) == many
    assert do(lambda store: store.members("none")) == do(lambda store: store.members("unheard")) == array("Q")
    assert do(lambda store: store.taken()) == {
        "many": Taken(taken_at=now + DAY, condition="c"),
        "some": Taken(taken_at=now, condition="d"),
        "none": Taken(taken_at=now, condition="e"),
    }
    for member, held in ((spread[0], 2), (0, 1), (2**63 - 1, 1), (5, 1), (6, 0), (spread[0], 0)):
        assert do(lambda store, member=member: store.forget(member)) == held
    assert do(lambda store: store.members("many")) == array("Q", sorted(spread[1:]))
    assert do(lambda store: store.members("some")) == array("Q", sorted(spread[1:3]))


def test_weeks_come_back_in_order_and_the_oldest_go(do, now):
    def week(number):
        start = now + 7 * number * DAY
        return MemberWeek(
            segment="recent", starts_at=start, ends_at=start + 7 * DAY, condition="c", before=9, after=7, stayed=number
        )

    for number in (1, 2, 3, 4):
        do(lambda store, number=number: store.add_week(week(number), keep=KEEP))
    assert do(lambda store: store.weeks("recent")) == (week(2), week(3), week(4))
    assert (week(2).entered, week(2).left) == (5, 7)
    do(lambda store: store.forget_weeks("recent"))
    assert do(lambda store: store.weeks("recent")) == ()


def test_a_member_is_the_beginning_of_a_digest():
    salt = bytes(range(32))
    assert member_of(salt, "Zoë/1") == member_of_digest(unit_digest(salt, "Zoë/1"))
    assert member_of(salt, "Zoë/1") == int(unit_digest(salt, "Zoë/1"), 16) >> 193
