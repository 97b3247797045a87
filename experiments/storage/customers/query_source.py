"""What a query says, in any database that SQLAlchemy has a driver for: read as it comes, and nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from experiments.domain.errors import InvalidInput, Unavailable
from experiments.storage.engine import told

MOST_PORT = 65_535


class SqlQuery:
    """A query that was sent: its columns, and its rows once, a batch at a time from a cursor of the server."""

    def __init__(self, address: URL, result: CursorResult[Any]) -> None:
        self._address = address
        self._result = result

    @property
    def columns(self) -> list[str]:
        return list(self._result.keys())

    def batches(self, rows: int) -> Iterator[Sequence[Sequence[Any]]]:
        with _told(self._address):
            yield from self._result.yield_per(rows).partitions()


@contextmanager
def open_query(url: str, sql: str) -> Iterator[SqlQuery]:
    """Send a query to the database at an address, whose password is in nothing that is raised from here.

    Raises InvalidInput for an address or a query that is unfit, Unavailable for a database that does not answer.
    PostgreSQL and SQLite refuse to write here; elsewhere what a query changes is rolled back.
    """
    address = _address(url)
    with _told(address), _understood():
        engine = create_engine(address, hide_parameters=True)
    if address.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _only_read)
    try:
        with _told(address), _understood():
            connection = engine.connect()
        with connection:
            yield SqlQuery(address, _sent(connection, address, sql))
    finally:
        engine.dispose()


@contextmanager
def _understood() -> Iterator[None]:
    """What stands in an address's query reaches the driver as it is, and each fails in its own way."""
    try:
        yield
    except (TypeError, ValueError):
        raise _unfit("Its driver does not understand what follows the question mark.") from None


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise _unfit("It is no address of a database, such as postgresql://user@host/name.") from None
    if "@" in (address.host or ""):
        # The end of a password that is not encoded, which nothing may repeat.
        raise _unfit("An @ in its password is written %40.")
    if not 0 < (address.port or 1) <= MOST_PORT:
        raise _unfit(f"A port is a number up to {MOST_PORT}.")
    backend = address.get_backend_name()
    if backend == "postgresql" and "+" not in address.drivername:
        return address.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and not (address.database and Path(address.database).is_file()):
        raise _unfit("There is no such file.")
    return address


def _only_read(connection: Any, _record: object) -> None:
    """Nor is another file made beside it: ATTACH and VACUUM INTO would, and some pragmas write into its header."""
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_allowed)


def _allowed(action: int, _name: object, value: object, *_: object) -> int:
    refused = action == sqlite3.SQLITE_ATTACH or (action == sqlite3.SQLITE_PRAGMA and value is not None)
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


def _sent(connection: Connection, address: URL, sql: str) -> CursorResult[Any]:
    """No parameters: what looks like one in the query is left to the database."""
    options: dict[str, Any] = {"stream_results": True, "no_parameters": True}
    if connection.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with _told(address):
        result = connection.execution_options(**options).exec_driver_sql(sql.strip().removesuffix(";"))
    if not result.returns_rows:
        raise InvalidInput("query_unfit", "The query returns no rows.", path="/query")
    return result


@contextmanager
def _told(address: URL) -> Iterator[None]:
    """Turn what drivers raise into refusals, without the password, and without values that may be personal."""
    try:
        yield
    except NoSuchModuleError:
        raise _unfit(f"There is no dialect {address.drivername!r}.") from None
    except ModuleNotFoundError as error:
        raise _unfit(f"Its driver is not installed: {error.name}.") from None
    except OperationalError as error:
        if error.connection_invalidated or not error.statement:
            raise Unavailable("source_unavailable", f"The database does not answer: {_line(address, error)}") from None
        raise InvalidInput("query_unfit", _line(address, error), path="/query") from None
    except DBAPIError as error:
        raise InvalidInput("query_unfit", _line(address, error), path="/query") from None
    except SQLAlchemyError as error:
        raise InvalidInput("query_unfit", f"{type(error).__name__}.", path="/query") from None


def _line(address: URL, error: DBAPIError) -> str:
    """Say what a statement, not a value of it, is unfit for; of the rest the kind alone."""
    kind = type(error.orig).__name__
    if isinstance(error, DataError | IntegrityError):
        return f"{kind}."
    return kind if error.orig is None else f"{kind}: {told(address, error.orig)}"


def _unfit(message: str) -> InvalidInput:
    return InvalidInput("source_url_invalid", message, path="/source")
