"""PostgreSQL for tests: a server, and migrated databases of which each test gets one that is as new."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import make_url

MOST_ROWS = 20_000
"""What had more is not used again: the dead would slow down the next."""


@dataclass(frozen=True)
class PostgresServer:
    """A server on which databases can be made and dropped."""

    url: str
    admin: psycopg.Connection[tuple[object, ...]]

    def url_of(self, database: str) -> str:
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    @contextmanager
    def new_database(self, template: str = "template0") -> Iterator[str]:
        """Make a database, yield its name, and drop it whoever is still connected."""
        name = f"winnow_test_{uuid.uuid4().hex}"
        made, source = sql.Identifier(name), sql.Identifier(template)
        self.admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(made, source))
        try:
            yield name
        finally:
            self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(made))


@dataclass
class CleanDatabases:
    """Migrated databases for one test after the other: to empty one again takes a tenth of the time of another copy."""

    server: PostgresServer
    template: str
    schema: str
    seeds: dict[str, str]
    open: ExitStack
    free: list[str]

    @classmethod
    @contextmanager
    def of(cls, server: PostgresServer, template: str) -> Iterator[CleanDatabases]:
        with ExitStack() as stack:
            with psycopg.connect(server.url_of(template)) as admin:
                schema, seeds = _schema(admin), {}
                for table in _tables(admin):
                    rows = admin.execute(f"SELECT json_agg(t)::text FROM {table} t").fetchone()
                    assert rows is not None
                    seeds[table] = rows[0] or "[]"
            yield cls(server=server, template=template, schema=schema, seeds=seeds, open=stack, free=[])

    def take(self) -> str:
        if self.free:
            return self.free.pop()
        return self.open.enter_context(self.server.new_database(self.template))

    def give_back(self, name: str) -> None:
        """Empty it, whoever is still connected; what was altered is not used again."""
        gone = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = %s"
        self.server.admin.execute(gone, [name])
        with psycopg.connect(self.server.url_of(name)) as admin:
            if _schema(admin) != self.schema:
                return
            admin.execute("SET session_replication_role = replica")
            for table, rows in self.seeds.items():
                if admin.execute(f"DELETE FROM {table}").rowcount > MOST_ROWS:
                    return
                if rows != "[]":
                    restore = f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, %s)"
                    admin.execute(restore, [rows])
            admin.execute(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) "
                "FROM pg_sequences WHERE last_value IS NOT NULL"
            )
        self.free.append(name)


def _tables(admin: psycopg.Connection[tuple[str, ...]]) -> list[str]:
    return [row[0] for row in admin.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")]


def _schema(admin: psycopg.Connection[tuple[str, ...]]) -> str:
    """What there is, in words that change with any table, column, index, constraint, trigger or setting."""
    row = admin.execute(
        """
        SELECT concat_ws('|',
            (SELECT string_agg(
                concat_ws(' ', c.relname, c.relkind, a.attname, a.atttypid, a.attnotnull, a.attisdropped), ';'
                ORDER BY c.relname, a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relnamespace = 'public'::regnamespace),
            (SELECT string_agg(conname || pg_get_constraintdef(oid), ';' ORDER BY conname, oid::text) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace),
            (SELECT string_agg(tgname || tgenabled::text, ';' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal),
            (SELECT string_agg(nspname, ';' ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'),
            (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
            (SELECT string_agg(setconfig::text, ';') FROM pg_db_role_setting
                WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())))
        """
    ).fetchone()
    assert row is not None
    return row[0]
