from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine, event, inspect, text

from experiments.cli import main
from experiments.storage import migrate
from experiments.storage.columns import Key
from experiments.storage.engine import make_engine
from experiments.storage.model import SCHEMA_REVISION, metadata
from experiments.storage.unit_of_work import open_database


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _tables(url: str) -> set[str]:
    with _connected(url) as connection:
        return set(inspect(connection).get_table_names())


def test_the_model_names_the_newest_script():
    assert migrate.head() == SCHEMA_REVISION


def test_migrations_lead_to_the_model(empty_sql_url):
    migrate.upgrade(empty_sql_url)
    assert migrate.check(empty_sql_url) == ()
    assert _tables(empty_sql_url) == {*metadata.tables, "alembic_version"}


def test_down_leaves_nothing_and_up_works_again(empty_sql_url):
    migrate.upgrade(empty_sql_url)
    migrate.downgrade(empty_sql_url, "base")
    assert _tables(empty_sql_url) - {"sqlite_sequence"} == {"alembic_version"}
    migrate.upgrade(empty_sql_url)
    assert migrate.check(empty_sql_url) == ()


def test_upgrading_twice_changes_nothing(sql_url):
    with _connected(sql_url) as connection:
        connection.execute(text("UPDATE catalog_version SET number = 41"))
    migrate.upgrade(sql_url)
    with _connected(sql_url) as connection:
        assert connection.execute(text("SELECT id, number FROM catalog_version")).all() == [(1, 41)]


def test_check_of_an_empty_database(empty_sql_url):
    (problem,) = migrate.check(empty_sql_url)
    assert "The database is empty; " in problem
    assert "winnow db upgrade" in problem
    assert _tables(empty_sql_url) == set()


def test_check_names_a_difference(sql_url):
    with _connected(sql_url) as connection:
        connection.execute(text("DROP INDEX ix_events_name_id"))
        connection.execute(text("ALTER TABLE leases ADD COLUMN colour TEXT"))
    problems = migrate.check(sql_url)
    assert len(problems) == 2
    assert any("ix_events_name_id" in problem for problem in problems)
    assert any("colour" in problem for problem in problems)


def test_indexes_and_keys_are_those_of_the_model(sql_url):
    with _connected(sql_url) as connection:
        found = inspect(connection)
        for name, table in metadata.tables.items():
            assert {index["name"] for index in found.get_indexes(name)} - _unique_names(found, name) == {
                index.name for index in table.indexes
            }
            if not table.dialect_options["sqlite"]["autoincrement"]:  # SQLite has no name for such a key
                assert found.get_pk_constraint(name)["name"] == table.primary_key.name


@pytest.mark.slow
def test_keys_sort_by_code_point_on_postgresql(postgres_url):
    with _connected(postgres_url) as connection:
        for name, table in metadata.tables.items():
            found = {column["name"]: column["type"] for column in inspect(connection).get_columns(name)}
            for column in table.c:
                if isinstance(column.type, Key):
                    model = column.type.load_dialect_impl(connection.dialect)
                    assert found[column.name].collation == model.collation == "C"


def _unique_names(found, table: str) -> set[str | None]:
    return {constraint["name"] for constraint in found.get_unique_constraints(table)}


@pytest.mark.slow
def test_two_processes_may_upgrade_at_once(empty_sql_url):
    command = "import sys; from experiments.storage import migrate; migrate.upgrade(sys.argv[1])"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", command, empty_sql_url], cwd=migrate.ROOT, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors
    assert migrate.check(empty_sql_url) == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "limit"),
    [((), "5min"), (("--statement-seconds", "7200"), "2h"), (("--statement-seconds", "0"), "0")],
    ids=["by default", "longer", "as long as it takes"],
)
def test_how_long_an_index_may_take(empty_postgres_url, arguments, limit):
    found = []

    def look(_connection, cursor, statement, *_):
        if "ix_exposures_unit_id" in statement:
            found.append(cursor.connection.execute("SHOW statement_timeout").fetchone()[0])

    event.listen(Engine, "before_cursor_execute", look)
    try:
        done = CliRunner().invoke(main, ["db", "upgrade", *arguments], env={"WINNOW_DATABASE_URL": empty_postgres_url})
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert (done.exit_code, found) == (0, [limit])


def test_a_failed_migration_leaves_nothing_behind(empty_sql_url):
    """The last table is in the way; the ones created before it must go again."""
    with _connected(empty_sql_url) as connection:
        connection.execute(text("CREATE TABLE catalog_version (id INTEGER)"))
    with pytest.raises(Exception, match=r"catalog_version|does not answer"):
        migrate.upgrade(empty_sql_url)
    assert _tables(empty_sql_url) == {"catalog_version"}


def test_alembic_stays_out_of_the_way_of_the_library():
    scripts = Path(migrate.ROOT) / "alembic"
    assert list(scripts.rglob("__init__.py")) == []


def test_keys_of_before_tags_go_on_seeing_all(empty_sql_url):
    migrate.upgrade(empty_sql_url, "0003")
    with _connected(empty_sql_url) as connection:
        connection.execute(
            text(
                "INSERT INTO api_keys (id, name, secret_sha256, scopes, created_at)"
                " VALUES ('k', 'Shop', 'x', '[]', '2026-01-05 09:00:00')"
            )
        )
    migrate.upgrade(empty_sql_url)
    with open_database(empty_sql_url).unit_of_work(read_only=True) as work:
        assert work.keys.get("k").tags == frozenset()
