from __future__ import annotations

import pytest
from sqlalchemy import text

from experiments.domain.errors import NotFound, Unavailable
from experiments.storage import engine as engine_module
from experiments.storage.engine import make_engine
from experiments.storage.memory import unit_of_work as memory_module
from experiments.storage.unit_of_work import SqlDatabase, open_database
from tests.stores.promotions import promotion


class OfItsOwn(Exception):
    pass


def test_without_commit_nothing_is_stored(open_unit_of_work, experiment):
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment())
        assert unit.experiments.get("checkout") == experiment()
    with open_unit_of_work(read_only=True) as unit, pytest.raises(NotFound):
        unit.experiments.get("checkout")


def test_an_error_rolls_back_and_goes_on(open_unit_of_work, experiment, now):
    with pytest.raises(OfItsOwn), open_unit_of_work() as unit:  # noqa: PT012
        unit.experiments.add(experiment())
        unit.leases.acquire("x", holder="a", now=now, ttl_seconds=5)
        raise OfItsOwn
    with open_unit_of_work() as unit:
        with pytest.raises(NotFound):
            unit.experiments.get("checkout")
        assert unit.leases.acquire("x", holder="b", now=now, ttl_seconds=5)


def test_everything_in_one_commit(open_unit_of_work, experiment, event, now):
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment())
        unit.promotions.add(promotion())
        unit.log.append_events([event("1")], received_at=now)
        unit.commit()
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.get("checkout") == experiment()
        assert unit.promotions.get("p1") == promotion()
        assert unit.log.watermark(now=now).event_id == 1


def test_after_a_commit_another_transaction_begins(open_unit_of_work, experiment):
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment("one"))
        unit.commit()
        unit.experiments.add(experiment("two"))
    with open_unit_of_work(read_only=True) as unit:
        assert [one.key for one in unit.experiments.page(after=None, limit=5).items] == ["one"]


def test_a_read_only_unit_cannot_commit(open_unit_of_work):
    with open_unit_of_work(read_only=True) as unit, pytest.raises(RuntimeError, match="read-only"):
        unit.commit()


def test_the_catalog_version_counts_experiments(open_unit_of_work, experiment, now, event):
    with open_unit_of_work() as unit:
        first = unit.catalog_version()
        unit.experiments.add(experiment())
        unit.experiments.save(experiment().start(now), expected_revision=1)
        unit.commit()
    with open_unit_of_work() as unit:
        assert unit.catalog_version() == first + 2
        unit.log.append_events([event("1")], received_at=now)
        unit.promotions.add(promotion())
        unit.commit()
    with open_unit_of_work(read_only=True) as unit:
        assert unit.catalog_version() == first + 2


def test_a_rolled_back_change_does_not_count(open_unit_of_work, experiment):
    with open_unit_of_work() as unit:
        first = unit.catalog_version()
        unit.experiments.add(experiment())
    with open_unit_of_work(read_only=True) as unit:
        assert unit.catalog_version() == first


def test_ping_of_a_sound_database(open_unit_of_work):
    with open_unit_of_work(read_only=True) as unit:
        unit.ping()


def test_ping_of_an_empty_database(empty_sql_url):
    database = open_database(empty_sql_url)
    with (
        database.unit_of_work(read_only=True) as unit,
        pytest.raises(Unavailable, match="winnow db upgrade") as refusal,
    ):
        unit.ping()
    assert refusal.value.code == "database_not_migrated"
    database.close()


def test_ping_of_a_database_of_an_earlier_release(sql_url):
    engine = make_engine(sql_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with SqlDatabase(engine).unit_of_work() as unit, pytest.raises(Unavailable, match="0001") as refusal:
        unit.ping()
    assert refusal.value.code == "database_not_migrated"
    engine.dispose()


def test_a_database_that_a_later_release_has_migrated_is_sound(sql_url):
    """Processes are replaced one after the other: none that still works says that it is not ready."""
    engine = make_engine(sql_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with SqlDatabase(engine).unit_of_work() as unit:
        unit.ping()
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://nobody@127.0.0.1:1/none", id="nobody listens"),
        pytest.param("sqlite:////dev/null/no/such/winnow.sqlite", id="no such folder"),
    ],
)
def test_a_database_that_is_not_there(url):
    with pytest.raises(Unavailable) as refusal, open_database(url).unit_of_work() as unit:
        unit.ping()
    assert refusal.value.code == "database_unavailable"


def test_a_database_that_goes_away_and_comes_back(postgres_url, experiment):
    database = open_database(postgres_url)
    with database.unit_of_work() as unit:
        unit.experiments.add(experiment())
        _hang_up_on_others(postgres_url)
        with pytest.raises(Unavailable):
            unit.experiments.get("checkout")
    with database.unit_of_work() as unit:
        unit.experiments.add(experiment())
        unit.commit()
    database.close()


def _hang_up_on_others(url):
    engine = make_engine(url)
    with engine.connect() as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
    engine.dispose()


def test_a_writer_that_waits_too_long(sql_url, experiment, monkeypatch):
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.2)
    monkeypatch.setitem(engine_module._POSTGRES_SETTINGS, "lock_timeout", "200ms")
    database = open_database(sql_url)
    with database.unit_of_work() as first:
        first.experiments.add(experiment("one"))
        with database.unit_of_work() as second, pytest.raises(Unavailable) as refusal:
            second.experiments.add(experiment("two"))
        first.commit()
    assert refusal.value.code == "database_unavailable"
    with database.unit_of_work() as third:
        third.experiments.add(experiment("three"))
        third.commit()
    database.close()


def test_a_writer_in_memory_that_waits_too_long(monkeypatch):
    monkeypatch.setattr(memory_module, "BUSY_SECONDS", 0.05)
    database = open_database("memory://")
    with database.unit_of_work(), pytest.raises(Unavailable) as refusal, database.unit_of_work():
        pass
    assert refusal.value.code == "database_unavailable"
    with database.unit_of_work():
        pass


def test_more_units_at_once_than_connections(sql_url, monkeypatch):
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.2)
    database = open_database(sql_url)
    units = [database.unit_of_work(read_only=True) for _ in range(16)]
    for unit in units[:15]:
        unit.__enter__()
    with pytest.raises(Unavailable), units[15]:
        pass
    for unit in units[:15]:
        unit.__exit__(None, None, None)
    with units[15] as unit:
        unit.ping()
    database.close()
