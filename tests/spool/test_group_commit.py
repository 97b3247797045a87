"""Group commit with real threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from experiments.domain.errors import Unavailable
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
