from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from experiments.domain.errors import InvalidInput, Unavailable
from experiments.storage.columns import Instant
from experiments.storage.driver_errors import driver_errors
from experiments.storage.engine import make_engine, normalised, reading, told
from experiments.storage.memory.unit_of_work import MemoryDatabase
from experiments.storage.migrate import ROOT
from experiments.storage.unit_of_work import SqlDatabase, open_database


def _raising(state, message):
    return f"DO $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgresql://a:b@host:1/db?sslmode=require", "postgresql+psycopg://a:b@host:1/db?sslmode=require"),
        ("postgres://host/db", "postgresql+psycopg://host/db"),
        ("postgresql+psycopg2://host/db", "postgresql+psycopg://host/db"),
        ("sqlite:///var/winnow.sqlite", "sqlite+pysqlite:///var/winnow.sqlite"),
        ("sqlite:////srv/winnow.sqlite", "sqlite+pysqlite:////srv/winnow.sqlite"),
    ],
)
def test_addresses_get_our_driver(given, wanted):
    assert normalised(given).render_as_string(hide_password=False) == wanted


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "sqlite:///"),
        *("postgresql://ada:pass@host:${PGPORT}/db", "postgresql://ada:pass@[::1/db"),
        "postgresql://ada:ge@heim@127.0.0.1/db",
    ],
)
def test_other_addresses_are_refused_without_being_repeated(url):
    with pytest.raises(InvalidInput) as refusal:
        open_database(url)
    assert refusal.value.code == "database_url_invalid"
    assert not any(part in refusal.value.message for part in ("heim", "pass@", "PGPORT"))


def test_a_password_is_not_shown():
    with pytest.raises(InvalidInput) as refusal:
        open_database("mysql://ada:secret@host/db")
    assert "secret" not in str(refusal.value)


def test_memory_is_a_new_database_each_time():
    one, other = open_database("memory://"), open_database("memory://")
    assert isinstance(one, MemoryDatabase)
    assert one is not other


def test_how_sqlite_is_set_up(sqlite_url):
    engine = make_engine(sqlite_url)
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    with engine.connect() as connection:
        found = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in wanted}
    engine.dispose()
    assert found == wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read_only", "isolation"), [(False, ("read committed", "off")), (True, ("repeatable read", "on"))]
)
def test_how_postgresql_is_set_up(postgres_url, read_only, isolation):
    engine = make_engine(postgres_url)
    wanted = {
        "timezone": "UTC",
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
    }
    with (reading(engine) if read_only else engine).connect() as connection:
        found = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in wanted}
        modes = [
            connection.execute(text(f"SHOW transaction_{name}")).scalar_one() for name in ("isolation", "read_only")
        ]
    engine.dispose()
    assert found == wanted
    assert tuple(modes) == isolation


def test_the_folder_of_a_sqlite_file_is_made(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'a' / 'b' / 'winnow.sqlite'}")
    database.close()
    assert (tmp_path / "a" / "b").is_dir()


def test_naive_instants_are_refused():
    with pytest.raises(ValueError, match="no time zone"):
        Instant().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())  # noqa: DTZ001


_APPEND_AND_HANG = """
import sys, time
from datetime import UTC, datetime
from experiments.domain.event import Event
from experiments.storage.unit_of_work import open_database
now = datetime(2026, 1, 5, 9, tzinfo=UTC)
def event(event_id):
    return Event(event_id=event_id, unit_id="u", name="buy", occurred_at=now)
with open_database(sys.argv[1]).unit_of_work() as unit:
    unit.log.append_events([event(f"e{number}") for number in range(500)], received_at=now)
    unit.commit()
    unit.log.append_events([event("unacknowledged")], received_at=now)
    print("committed", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(sql_url):
    with subprocess.Popen(
        [sys.executable, "-c", _APPEND_AND_HANG, sql_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "committed\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    engine = make_engine(sql_url)
    with SqlDatabase(engine).unit_of_work(read_only=True) as unit:
        assert unit.log.watermark(now=datetime(2026, 1, 5, tzinfo=UTC)).event_id == 500
    engine.dispose()


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("127.0.0.1:1/shop", "Connection refused"),
        ("nowhere.invalid/shop", "nowhere.invalid"),
        ("nowhere.invalid/shop?sslpassword=s%40cret", "nowhere.invalid"),
    ],
    ids=["closed port", "unknown host", "secret in the query"],
)
def test_why_nobody_answers_is_told_to_who_runs_it_alone(address, cause):
    with pytest.raises(Unavailable) as refusal:
        make_engine(f"postgresql://ada:s%40cret@{address}").connect()
    assert (refusal.value.code, cause in refusal.value.cause) == ("database_unavailable", True)
    assert refusal.value.message == "The database does not answer in time; nothing was stored."


def test_what_a_driver_says_is_one_line_without_secrets():
    address = normalised("postgresql://ada:s%40cret@host/shop?sslpassword=key")
    said = ValueError('role "ada" with s@cret, s%40cret and key\nand more')
    assert told(address, said) == 'role "ada" with ***, *** and ***'


def test_what_is_no_secret_is_told():
    address = normalised("postgresql://ada@/shop?host=/tmp/pg&sslmode=require&password=hush&application_name=shop")
    said = ValueError('socket "/tmp/pg/.s.PGSQL.5432": SSL is required, hush, for shop')
    assert told(address, said) == 'socket "/tmp/pg/.s.PGSQL.5432": SSL is required, ***, for shop'


def test_of_other_databases_no_part_of_the_query_is_told():
    assert told(make_url("snowflake://ada@host/shop?token=hush"), ValueError("hush is stale")) == "*** is stale"


@pytest.mark.slow
def test_a_wrong_role_password_or_database_is_told_as_such(postgres_url):
    address = normalised(postgres_url).set(database="no_such_shop", password="s@cret")
    with pytest.raises(Unavailable) as refusal:
        make_engine(address.render_as_string(hide_password=False)).connect()
    assert ("s@cret" in refusal.value.cause, bool(refusal.value.cause)) == (False, True)


_ENDED = {
    "idle in a transaction": ("SET idle_in_transaction_session_timeout = '50ms'", "SELECT pg_sleep(0)"),
    "only reads": ("SET TRANSACTION READ ONLY", "CREATE TABLE made (id int)"),
    "transaction took too long": ("SELECT 1", _raising("25P04", "terminating connection")),
    "in recovery": ("SELECT 1", _raising("0A000", "cannot set transaction read-write mode during recovery")),
}


def _session(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()


def _until_it_is_ended(engine, before, then, through):
    with engine.connect() as connection:
        connection.execute(text(before))
        time.sleep(0.3 if "idle" in before else 0)
        if through == "engine":
            connection.execute(text(then))
        else:
            _by_driver(connection, then)


def _by_driver(connection, statement):
    with driver_errors(connection), connection.connection.driver_connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.slow
@pytest.mark.parametrize("through", ["engine", "driver"])
@pytest.mark.parametrize(("before", "then"), _ENDED.values(), ids=_ENDED)
def test_a_session_that_the_server_ended_is_a_database_that_is_unavailable(postgres_url, before, then, through):
    engine = make_engine(postgres_url)
    first = _session(engine)
    with pytest.raises(Unavailable) as refusal:
        _until_it_is_ended(engine, before, then, through)
    assert (refusal.value.code, bool(refusal.value.cause)) == ("database_unavailable", True)
    assert _session(engine) != first
    engine.dispose()


@pytest.mark.slow
def test_so_is_one_that_was_ended_while_it_only_read(postgres_url):
    engine = make_engine(postgres_url)
    with pytest.raises(Unavailable) as refusal:
        _until_it_is_ended(reading(engine), *_ENDED["idle in a transaction"], "engine")
    assert refusal.value.code == "database_unavailable"
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("opened", "mistake"),
    [
        pytest.param(reading, "CREATE TABLE made (id int)", id="writes where it only reads"),
        pytest.param(lambda engine: engine, _raising("0A000", "no such thing"), id="not supported"),
    ],
)
def test_a_mistake_of_ours_is_none_of_the_databases(postgres_url, opened, mistake):
    engine = make_engine(postgres_url)
    with pytest.raises(DBAPIError), opened(engine).connect() as connection:
        connection.execute(text(mistake))
    engine.dispose()


@pytest.mark.slow
def test_a_mistake_at_the_drivers_own_cursor_stays_what_it_is(postgres_url):
    engine = make_engine(postgres_url)
    with engine.connect() as connection, pytest.raises(psycopg.errors.FeatureNotSupported):
        _by_driver(connection, _raising("0A000", "no such thing"))
    engine.dispose()
