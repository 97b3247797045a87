"""Rows that were accepted before, loaded in bulk: refused for good or not, beside other writers and watermarks."""

from __future__ import annotations

import threading

import pytest

from experiments.domain.errors import DomainError, RowsRefused
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.lines import Lines, to_lines
from experiments.storage.unit_of_work import open_database


@pytest.fixture
def sql_work(sql_url: str) -> OpenUnitOfWork:
    database = open_database(sql_url)
    yield database.unit_of_work
    database.close()


@pytest.fixture
def postgres_work(postgres_url: str) -> OpenUnitOfWork:
    database = open_database(postgres_url)
    yield database.unit_of_work
    database.close()


def test_of_rows_with_one_id_the_first_is_stored(sql_work, now, exposure):
    """Sorting by id must leave those with the same id as they came."""
    ids = [f"{number % 1_700:05}" for number in range(40_000)]
    lines = b"".join(
        b"%b\tu\tvisit\t%d.0\t\\N\t%b\t%b\n" % (one.encode(), place, AT, AT) for place, one in enumerate(ids)
    )
    with sql_work() as unit:
        unit.log.append_exposures([exposure("x", "u")], received_at=now)
        unit.log.load(Lines(events=lines, event_rows=len(ids)))
        unit.commit()
    with sql_work(read_only=True) as unit:
        watermark = unit.log.watermark(now=now)
        values = [row[2] for batch in unit.log.events("checkout", {"visit"}, watermark) for row in batch]
    assert sorted(values) == list(range(1_700))


AT = b"2026-01-05 09:00:00.000000"


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff\tu1\tvisit\t1.0\t\\N\t%b\t%b\n" % (AT, AT),
        b"x\tu1\tvisit\tmuch\t\\N\t%b\t%b\n" % (AT, AT),
        b"x\tu1\tvisit\t1.0\t\\N\t%b\n" % AT,
    ],
    ids=["no text", "no number", "a column missing"],
)
def test_rows_that_cannot_be_read_are_refused_for_good_and_others_go_on(sql_work, now, event, bad):
    good = to_lines([event("1")], [], received_at=now)
    with sql_work() as unit, pytest.raises(RowsRefused):
        unit.log.load(Lines(events=good.events + bad, event_rows=2))
    with sql_work() as unit:
        unit.log.load(good)
        unit.commit()
    with sql_work() as unit:
        assert unit._connection.exec_driver_sql("SELECT event_id FROM events").scalars().all() == ["1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [b"x\x00\tu1\tvisit\t1.0\t\\N\t%b\t%b\n" % (AT, AT), b"x\tu1\tvisit\t1.0\t\\N\tsoon\t%b\n" % AT],
    ids=["nul", "no instant"],
)
def test_postgres_refuses_more_than_sqlite(postgres_work, bad):
    with postgres_work() as unit, pytest.raises(RowsRefused):
        unit.log.load(Lines(events=bad, event_rows=1))


@pytest.mark.slow
def test_the_stage_orders_ids_as_all_writers_do(postgres_work, now, event):
    """Else two writers with the same ids could wait for each other: the order is that of bytes, not of a language."""
    ids = ["b", "B", "a", "é", "Z", "_"]
    with postgres_work() as unit:
        unit.log.load(to_lines([event(one) for one in ids], [], received_at=now))
        unit.commit()
        stored = unit._connection.exec_driver_sql("SELECT event_id FROM events ORDER BY id").scalars().all()
    assert list(stored) == sorted(ids)


@pytest.mark.slow
def test_loaders_and_appenders_of_the_same_ids_do_not_block_each_other_for_ever(postgres_work, now, event):
    ids = [f"e{number:03}" for number in range(200)]
    failures: list[DomainError] = []

    def write(turn: int) -> None:
        mine = [event(one) for one in (reversed(ids) if turn % 2 else ids)]
        try:
            for _ in range(5):
                with postgres_work() as unit:
                    if turn < 2:
                        unit.log.load(to_lines(mine, [], received_at=now))
                    else:
                        unit.log.append_events(mine, received_at=now)
                    unit.commit()
        except DomainError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with postgres_work() as unit:
        count = unit._connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one()
    assert count == len(ids)


@pytest.mark.slow
def test_a_watermark_waits_for_a_load_under_way(postgres_work, now, event):
    with postgres_work() as slow:
        slow.log.load(to_lines([event("slow")], [], received_at=now))
        found: list[int] = []
        waiting = threading.Thread(target=lambda: found.append(_mark(postgres_work, now)))
        waiting.start()
        waiting.join(0.3)
        assert found == []
        slow.commit()
    waiting.join(10)
    with postgres_work() as unit:
        highest = unit._connection.exec_driver_sql("SELECT max(id) FROM events").scalar_one()
    assert found == [highest]


def _mark(opened, now) -> int:
    with opened(read_only=True) as unit:
        return unit.log.watermark(now=now).event_id
