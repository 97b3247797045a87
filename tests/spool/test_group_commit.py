"""Group commit with real threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from experiments.domain.errors import DomainError, Unavailable
from experiments.services.recording.lines import Lines
from experiments.spool.group_commit import GroupCommit


def line(number: int) -> Lines:
    return Lines(events=b"%d\n" % number, event_rows=1)


def test_who_comes_during_a_commit_shares_the_next() -> None:
    groups: list[int] = []
    first_entered, go_on = threading.Event(), threading.Event()

    def write(batches: Sequence[Lines]) -> None:
        groups.append(len(batches))
        first_entered.set()
        assert go_on.wait(10)

    group = GroupCommit(write)
    threads = [threading.Thread(target=group.commit, args=(line(n),)) for n in range(10)]
    threads[0].start()
    assert first_entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(group._waiting) < 9:
        pass
    go_on.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert groups == [1, 9]


def test_nobody_returns_before_its_batch_is_written() -> None:
    written: set[bytes] = set()
    early: list[int] = []

    def write(batches: Sequence[Lines]) -> None:
        written.update(lines.events for lines in batches)

    group = GroupCommit(write)

    def send(sender: int) -> None:
        for number in range(300):
            one = line(sender * 1_000 + number)
            group.commit(one)
            if one.events not in written:
                early.append(number)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert early == []
    assert len(written) == 8 * 300


def test_a_refusal_reaches_the_whole_group_and_the_next_one_goes_on() -> None:
    full = True

    def write(batches: Sequence[Lines]) -> None:
        if full:
            raise Unavailable("spool_full", "No room.")

    group = GroupCommit(write)
    with pytest.raises(Unavailable, match="No room"):
        group.commit(line(1))
    full = False
    group.commit(line(2))


def test_a_fault_of_ours_is_raised_and_blocks_nobody() -> None:
    def write(batches: Sequence[Lines]) -> None:
        raise ZeroDivisionError

    group = GroupCommit(write)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            group.commit(line(1))


class Told:
    """Who has gone on, and is told."""

    def __init__(self) -> None:
        self.refusals: list[DomainError | None] = []
        self.came = threading.Event()

    def __call__(self, refusal: DomainError | None) -> None:
        self.refusals.append(refusal)
        self.came.set()


def test_who_goes_on_is_told_after_the_commit_and_not_before() -> None:
    written: list[bytes] = []
    entered, go_on = threading.Event(), threading.Event()

    def write(batches: Sequence[Lines]) -> None:
        entered.set()
        assert go_on.wait(10)
        written.extend(lines.events for lines in batches)

    group, told = GroupCommit(write), [Told() for _ in range(20)]
    group.commit_later(line(0), told[0])
    assert entered.wait(10)
    for number, one in enumerate(told[1:], 1):
        group.commit_later(line(number), one)
    assert not any(one.refusals for one in told)
    go_on.set()
    assert all(one.came.wait(10) for one in told)
    assert written == [b"%d\n" % number for number in range(20)]
    assert [one.refusals for one in told] == [[None]] * 20


def test_who_waits_and_who_goes_on_share_commits_and_hand_over_to_each_other() -> None:
    groups: list[int] = []
    written: set[bytes] = set()
    wrong: list[int] = []
    told: list[Told] = []

    def write(batches: Sequence[Lines]) -> None:
        groups.append(len(batches))
        written.update(lines.events for lines in batches)

    group = GroupCommit(write)

    def waits(sender: int) -> None:
        for number in range(500):
            one = line(sender * 1_000 + number)
            group.commit(one)
            if one.events not in written:
                wrong.append(number)

    def goes_on(sender: int) -> None:
        for number in range(500):
            told.append(Told())
            group.commit_later(line(sender * 1_000 + number), told[-1])

    threads = [threading.Thread(target=waits if sender % 2 else goes_on, args=(sender,)) for sender in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert all(one.came.wait(10) for one in told)
    assert wrong == []
    assert [one.refusals for one in told] == [[None]] * 1_500
    assert sum(groups) == len(written) == 3_000


def test_a_refusal_is_told_to_all_who_went_on_and_the_next_are_stored() -> None:
    full = True

    def write(batches: Sequence[Lines]) -> None:
        if full:
            raise Unavailable("spool_full", "No room.")

    group, refused, stored = GroupCommit(write), Told(), Told()
    group.commit_later(line(1), refused)
    assert refused.came.wait(10)
    full = False
    group.commit_later(line(2), stored)
    assert stored.came.wait(10)
    assert [one.code for one in refused.refusals if one is not None] == ["spool_full"]
    assert stored.refusals == [None]


def test_faults_while_writing_or_telling_stop_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    def write(batches: Sequence[Lines]) -> None:
        if broken:
            raise ZeroDivisionError

    def untellable(refusal: DomainError | None) -> None:
        raise KeyError

    group, first, second = GroupCommit(write), Told(), Told()
    group.commit_later(line(1), first)
    assert first.came.wait(10)
    broken = False
    group.commit_later(line(2), untellable)
    group.commit_later(line(3), second)
    assert second.came.wait(10)
    assert [one.code for one in first.refusals if one is not None] == ["spool_broken"]
    assert second.refusals == [None]
    assert "could not be told" in caplog.text
