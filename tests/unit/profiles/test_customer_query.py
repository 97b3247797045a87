"""What a query of another database returns becomes profiles, row by row; the other database stays as it is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from experiments.bootstrap import Winnow, build
from experiments.cli import main
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import DomainError, InvalidInput, Unavailable
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.customer_file import CustomerImporter, Imported, ImportWish
from experiments.settings import Settings
from experiments.storage.customers.query_source import open_query

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAIVE = datetime(2026, 1, 31)  # noqa: DTZ001 -- as drivers return it
TYPES = {"city": "text", "orders": "number", "vip": "boolean", "since": "date", "channels": "texts"}
ALL = "SELECT unit_id, city, orders, vip, since, channels, shoe FROM customers ORDER BY place"
ROWS = [
    ("7", "Bonn", 3, 1, "2026-01-31", "mail|app", 43),
    ("u2", "", 1.5, 0, None, '["app"]', 44),
    ("u3", "Ulm", "many", None, None, None, 45),
    ("", "Ulm", 1, None, None, None, 46),
    ("u5", "Ulm", 1, 7, None, None, 47),
    ("u6", None, None, None, None, None, 48),
]


@pytest.fixture
def winnow(sqlite_url: str) -> Winnow:
    made = build(Settings(database_url=sqlite_url))
    made.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0), actor="test")
    for key, kind in TYPES.items():
        made.author.attributes.create(Attribute(key=key, name=key, type=AttributeType(kind)), actor="test")
    return made


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """Return the address of the other database."""
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE customers (place INTEGER PRIMARY KEY, unit_id, city, orders, vip, since, channels, shoe)"
        )
        connection.executemany(
            "INSERT INTO customers (unit_id, city, orders, vip, since, channels, shoe) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ROWS,
        )
    return f"sqlite:///{path}"


class Rows:
    """A query that has been sent."""

    def __init__(self, columns: list[str], *rows: tuple[Any, ...]) -> None:
        self.columns = columns
        self._rows = rows

    def batches(self, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        for start in range(0, len(self._rows), rows):
            yield self._rows[start : start + rows]


def run(winnow: Winnow, query: Any, **wish: Any) -> Imported:
    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    return importer.run(ImportWish(**{"query": query, "source": "crm", "at": AT, **wish}))


def attributes(winnow: Winnow, unit_id: str) -> dict[str, Any]:
    return dict(winnow.profiles.get(unit_id).laid.attributes)


def test_cells_are_read_as_the_registry_says_and_unfit_rows_told(winnow: Winnow, shop: str) -> None:
    with open_query(shop, ALL) as query:
        done = run(winnow, query)
    assert (done.rows, done.accepted, done.unchanged, done.outdated, done.rejected) == (6, 2, 1, 0, 3)
    assert [(row.line, row.column, row.code) for row in done.bad_rows] == [
        (3, "orders", "attribute_value_invalid"),
        (4, "unit_id", "id_invalid"),
        (5, "vip", "attribute_value_invalid"),
    ]
    assert (done.attributes, done.left_out) == (tuple(TYPES), ("shoe",))
    assert attributes(winnow, "7") == {
        "city": "Bonn",
        "orders": 3,
        "vip": True,
        "since": "2026-01-31",
        "channels": ["mail", "app"],
    }
    assert attributes(winnow, "u2") == {"orders": 1.5, "vip": False, "channels": ["app"]}
    assert winnow.profiles.get("7").laid.known["city"].at == AT


def test_what_drivers_return(winnow: Winnow) -> None:
    unit = UUID("12345678123456781234567812345678")
    query = Rows(
        ["unit_id", "city", "orders", "since", "channels"],
        (7, unit, Decimal("2.50"), date(2026, 1, 31), ["mail"]),
        (Decimal(8), "Bonn", Decimal(3), NAIVE, None),
        (unit, b"Bonn", None, None, None),
        ("u4", None, None, NAIVE + timedelta(hours=1), None),
        ("u5", None, float("nan"), None, None),
    )
    done = run(winnow, query)
    assert [(row.line, row.column) for row in done.bad_rows] == [(3, "city"), (4, "since")]
    assert (done.accepted, done.unchanged) == (2, 1)
    assert attributes(winnow, "7") == {
        "city": str(unit),
        "orders": 2.5,
        "since": "2026-01-31",
        "channels": ["mail"],
    }
    assert attributes(winnow, "8") == {"city": "Bonn", "orders": 3, "since": "2026-01-31"}
    with pytest.raises(InvalidInput) as refusal:
        run(winnow, Rows(["unit_id", "city"], (b"7", "Bonn")))
    assert refusal.value.code == "id_column_type"


@pytest.mark.parametrize(
    "sql",
    ["ATTACH DATABASE '{beside}' AS beside", "VACUUM INTO '{beside}'", "PRAGMA journal_mode = WAL"],
    ids=["attach", "vacuum", "pragma"],
)
def test_a_query_makes_no_file_beside_the_other_database(shop: str, tmp_path: Path, sql: str) -> None:
    files, before = set(tmp_path.iterdir()), (tmp_path / "shop.sqlite").read_bytes()
    with pytest.raises(InvalidInput) as refusal, open_query(shop, sql.format(beside=tmp_path / "beside")) as query:
        list(query.batches(10))
    assert refusal.value.code == "query_unfit"
    assert set(tmp_path.iterdir()) == files
    assert (tmp_path / "shop.sqlite").read_bytes() == before


def test_numbers_that_no_json_has_are_rows_errors(winnow: Winnow) -> None:
    """PostgreSQL's numeric has infinities, and numbers of thousands of digits."""
    unfit = (Decimal("Infinity"), Decimal("-Infinity"), Decimal("1e5000"), Decimal("1e300"))
    rows = [(f"u{place}", number) for place, number in enumerate((Decimal(3), *unfit))]
    done = run(winnow, Rows(["unit_id", "orders"], *rows))
    assert (done.accepted, done.rejected) == (1, 4)
    assert {(row.column, row.code) for row in done.bad_rows} == {("orders", "attribute_value_invalid")}
    for unit_id in (*unfit[:3], Decimal("sNaN")):
        with pytest.raises(InvalidInput) as refusal:
            run(winnow, Rows(["unit_id", "orders"], (unit_id, 1)))
        assert refusal.value.code == "id_column_type"


def test_a_run_that_was_ended_goes_on(winnow: Winnow, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order the rows come then: what is stored is known again by itself."""
    monkeypatch.setattr("experiments.services.profiles.customer_file.BATCH", 5)
    rows = [(f"u{number}", number) for number in range(20)]

    def killed(done: int, _total: int | None) -> None:
        if done == 10:
            raise KeyboardInterrupt

    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    with pytest.raises(KeyboardInterrupt):
        importer.run(ImportWish(query=Rows(["unit_id", "orders"], *rows), source="crm", at=AT), killed)
    done = run(winnow, Rows(["unit_id", "orders"], *reversed(rows)))
    assert (done.accepted, done.unchanged) == (10, 10)
    assert [attributes(winnow, f"u{number}")["orders"] for number in range(20)] == list(range(20))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customers",
        "DELETE FROM customers RETURNING unit_id",
        "CREATE TABLE more (a)",
        "DROP TABLE customers",
    ],
)
def test_nothing_is_written_there(shop: str, sql: str) -> None:
    with pytest.raises(InvalidInput) as refusal, open_query(shop, sql) as query:
        list(query.batches(9))
    assert refusal.value.code == "query_unfit"
    with open_query(shop, ALL) as query:
        assert sum(map(len, query.batches(4))) == len(ROWS)


@pytest.mark.slow
def test_postgres_is_read_by_a_cursor_that_cannot_write(winnow: Winnow, empty_postgres_url: str) -> None:
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute(
            "CREATE TABLE customers (id bigint, city text, vip boolean, tags text[], spent numeric(9, 2))"
        )
        connection.execute(
            "INSERT INTO customers VALUES (7, 'Bonn 100%', true, '{mail,app}', 2.50), (8, null, false, '{}', 1)"
        )
    sql = "SELECT id, city, vip, tags AS channels, spent AS orders FROM customers"
    sql += " WHERE city LIKE 'B%' OR id = 8 ORDER BY 1;"
    with open_query(empty_postgres_url, sql) as query:
        done = run(winnow, query, id_column="id")
    assert (done.accepted, done.rejected) == (2, 0)
    assert attributes(winnow, "7") == {"city": "Bonn 100%", "vip": True, "channels": ["mail", "app"], "orders": 2.5}
    assert attributes(winnow, "8") == {"vip": False, "channels": [], "orders": 1}
    with (
        pytest.raises(InvalidInput) as refusal,
        open_query(empty_postgres_url, "DELETE FROM customers RETURNING id") as query,
    ):
        list(query.batches(9))
    assert refusal.value.code == "query_unfit"
    with (
        pytest.raises(InvalidInput) as refusal,
        open_query(empty_postgres_url, "SELECT city::int FROM customers") as query,
    ):
        list(query.batches(9))
    assert "Bonn" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "error", "code"),
    [
        ("postgresql://ada:hush%21@127.0.0.1:1/shop", Unavailable, "source_unavailable"),
        ("postgresql://ada:hush%21@127.0.0.1:1/shop?connect_timeout=hush!", DomainError, None),
        ("nosuch://ada:hush%21@host/shop", InvalidInput, "source_url_invalid"),
        ("mysql+nosuch://ada:hush%21@host/shop", InvalidInput, "source_url_invalid"),
        ("oracle+cx_oracle://ada:hush%21@host/shop", InvalidInput, "source_url_invalid"),
        ("postgresql://ada:hush%21@host:port/shop", InvalidInput, "source_url_invalid"),
        ("hush!", InvalidInput, "source_url_invalid"),
        ("sqlite:///nowhere/hush%21.sqlite", InvalidInput, "source_url_invalid"),
        ("postgresql://ada:ge@hush@127.0.0.1/shop", InvalidInput, "source_url_invalid"),
        ("postgresql://ada:hush%21@127.0.0.1:65536/shop", InvalidInput, "source_url_invalid"),
        (f"sqlite:///{__file__}?timeout=hush!", InvalidInput, "source_url_invalid"),
    ],
)
def test_a_password_is_told_to_nobody(url: str, error: type[DomainError], code: str | None) -> None:
    with pytest.raises(error) as refusal, open_query(url, "SELECT 1"):
        pass
    assert code in (None, refusal.value.code)
    chain: list[BaseException | None] = [refusal.value, refusal.value.__cause__]
    assert not refusal.value.__context__ or refusal.value.__suppress_context__
    assert all("hush" not in f"{one} {one!r}" for one in chain)


def test_what_is_wrong_with_a_query_is_told(shop: str) -> None:
    with pytest.raises(InvalidInput) as refusal, open_query(shop, "SELECT nothing FROM customers"):
        pass
    assert (refusal.value.code, "nothing" in refusal.value.message) == ("query_unfit", True)


def test_the_command(winnow: Winnow, shop: str, sqlite_url: str) -> None:
    environment = {"WINNOW_DATABASE_URL": sqlite_url}

    def command(*arguments: str, **more: str) -> Any:
        return CliRunner().invoke(main, ["import", "customers", *arguments], env={**environment, **more})

    done = command("--query", ALL, "--source", shop, "--as", "crm")
    assert done.exit_code == 3
    assert (
        "the query: 6 rows of city, orders, vip, since, channels: 2 stored, 1 known, 0 outdated, 3 rejected."
        in done.output
    )
    assert "row 3: attribute_value_invalid: orders: A number is wanted, no text." in done.output
    assert "many" not in done.output
    [told] = [line for line in done.stderr.splitlines() if "--at" in line]
    at = told.partition("--at ")[2].split()[0]
    again = command("--query", ALL, "--as", "crm", "--at", at, "--json", WINNOW_IMPORT_URL=shop)
    report = json.loads(again.stdout)
    assert (report["accepted"], report["unchanged"], report["rejected"]) == (0, 3, 3)
    broken = command("--query", "SELECT 1", "--source", "postgresql://ada:hush@127.0.0.1:1/shop", "--as", "crm")
    assert (broken.exit_code, "source_unavailable" in broken.output, "hush" in broken.output) == (1, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("FILE", "--query", "SELECT 1", "--source", "sqlite:///x", "--as", "crm"),
        ("FILE",),
        ("FILE", "--source", "crm", "--as", "crm"),
        ("FILE", "--source", "sqlite:///x"),
        ("--query", "SELECT 1", "--as", "crm"),
        ("--query", "SELECT 1", "--source", "crm", "--as", "crm"),
        ("--query", "SELECT 1", "--source", "sqlite:///x"),
    ],
)
def test_what_the_command_wants(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("unit_id,city\nu1,Bonn\n")
    given = [str(path) if one == "FILE" else one for one in arguments]
    assert CliRunner().invoke(main, ["import", "customers", *given]).exit_code == 2


def test_a_file_by_either_name_of_the_option(winnow: Winnow, tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("unit_id,city\nu1,Bonn\n")
    environment = {"WINNOW_DATABASE_URL": sqlite_url, "WINNOW_IMPORT_URL": "sqlite:///elsewhere"}
    for option, stored in (("--as", "1 stored"), ("--source", "1 known")):
        done = CliRunner().invoke(main, ["import", "customers", str(path), option, "crm"], env=environment)
        assert (done.exit_code, stored in done.output) == (0, True)


def test_ids_of_a_query_that_came_as_floats(winnow: Winnow) -> None:
    done = run(winnow, Rows(["unit_id", "orders"], (12.0, 1), (None, 2), (float("nan"), 3)))
    assert (done.accepted, [(row.line, row.code) for row in done.bad_rows]) == (
        1,
        [(2, "id_invalid"), (3, "id_invalid")],
    )
    assert attributes(winnow, "12") == {"orders": 1}
    for unit_id, code in ((7.5, "id_not_whole"), (2.0**53 + 2, "id_not_exact")):
        with pytest.raises(InvalidInput) as refusal:
            run(winnow, Rows(["unit_id", "orders"], (7, 1), (unit_id, 2)))
        assert refusal.value.code == code
    with winnow.open_unit_of_work(read_only=True) as work:
        assert [one.profile.unit_id for one in work.profiles.page(after=None, limit=9)] == ["12"]
