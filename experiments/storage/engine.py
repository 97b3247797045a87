"""Engines: one set of manners per database, and connection trouble turned into `Unavailable`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, InterfaceError, InvalidatePoolError, OperationalError

from experiments.domain.errors import DomainError, InvalidInput, Unavailable

BUSY_SECONDS = 5
HUNG_SECONDS = 2
"""How long a server may take to say that it is there: one that hangs goes on acknowledging what it is sent."""
_READ_ONLY = "winnow_read_only"
_SECRET = {"password", "passfile", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
"""What the query of a PostgreSQL address may hold that nobody is told."""
_NOT_WHERE = {"host", "port", *_SECRET}
"""What the query of an address may hold that its identity does not repeat: secrets, and what it names before."""
_POSTGRES_SETTINGS = {
    "TimeZone": "UTC",
    "lock_timeout": f"{BUSY_SECONDS}s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    # Big reads are always read to their end: plan them for all of their rows, not for the first ones.
    "cursor_tuple_fraction": "1.0",
}
_ENDED_STATES = {"25P03", "25P04"}
"""Idle in a transaction for too long; a transaction for too long."""
_ONLY_READS = "25006"
"""A server that only reads, such as one that was a primary."""
_NOT_SUPPORTED = "0A000"
"""Among much else: a transaction that would write, on a server in recovery."""

_SILENT_NETWORK = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # Longer than a statement: a server that is busy may leave what it is sent unread for as long.
    "tcp_user_timeout": 35_000,
}
"""When a network swallows packets, a connection is given up on; without it that may take hours."""


def normalised(url: str) -> URL:
    """Return the address with the one driver we use per database; refuse other databases.

    A host with an @ in it begins with the end of a password that is not encoded.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise _unfit_url() from None
    if "@" in (parsed.host or ""):
        raise _unfit_url()
    match parsed.get_backend_name():
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case "sqlite" if parsed.database not in (None, "", ":memory:"):
            return parsed.set(drivername="sqlite+pysqlite")
    raise _unfit_url()


def identity(url: str) -> str:
    """Name a database by where it is: what waits for one database must never end up in another."""
    address = normalised(url)
    if address.get_backend_name() == "sqlite":
        return f"sqlite {Path(address.database or '').resolve()}"
    query = address.query
    where = f"postgresql {query.get('host', address.host)} {query.get('port', address.port or 5432)} {address.database}"
    # A service, an address behind the name, a search path: any of the rest may lead to other tables.
    rest = sorted((name, value) for name, value in query.items() if name not in _NOT_WHERE)
    return f"{where} {urlencode(rest, doseq=True)}" if rest else where


def _unfit_url() -> InvalidInput:
    return InvalidInput(
        "database_url_invalid",
        "A database address is postgresql://…, sqlite:///<file> or memory://; an @ in a password is written %40.",
        path="/database_url",
    )


def make_engine(url: str) -> Engine:
    """Return an engine that has not connected yet."""
    address = normalised(url)
    make: Callable[[URL], Engine] = _postgres if address.get_backend_name() == "postgresql" else _sqlite
    engine = make(address)
    event.listen(engine, "handle_error", partial(_translated, address), retval=True)
    return engine


def reading(engine: Engine) -> Engine:
    """Return the engine, same pool, for transactions that only read and that see a single state throughout."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(**{_READ_ONLY: True})


_strict_json = partial(json.dumps, allow_nan=False)


def _postgres(address: URL) -> Engine:
    engine = create_engine(
        address,
        json_serializer=_strict_json,
        hide_parameters=True,  # what a statement stores may be personal, and its errors end up in logs
        pool_timeout=BUSY_SECONDS,
        connect_args={"connect_timeout": BUSY_SECONDS, **_SILENT_NETWORK, **address.query},
    )
    event.listen(engine, "connect", _set_up_postgres)
    event.listen(engine, "checkout", _check_that_it_answers)
    return engine


def _check_that_it_answers(connection: Any, _record: object, _proxy: object) -> None:
    """Do what `pool_pre_ping` does, but for so long only, and outside of any transaction."""
    server = connection.pgconn
    try:
        server.send_query(b"")
        server.flush()
        _await_answer(server, time.monotonic() + HUNG_SECONDS)
    except psycopg.Error:
        raise InvalidatePoolError from None


def _await_answer(server: Any, until: float) -> None:
    with DefaultSelector() as selector:
        selector.register(server.socket, EVENT_READ)
        while True:
            while server.is_busy():
                if not selector.select(until - time.monotonic()):
                    raise psycopg.OperationalError("the server does not answer")
                server.consume_input()
            result = server.get_result()
            if result is None:
                return
            if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
                raise psycopg.OperationalError("the server ends the connection")


def _set_up_postgres(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for name, value in _POSTGRES_SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.commit()


def _sqlite(address: URL) -> Engine:
    if address.database is not None:
        with suppress(OSError):  # where the folder cannot be made, connecting says so
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        address,
        json_serializer=_strict_json,
        hide_parameters=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """WAL lets readers and the writer go on side by side; FULL makes a commit survive a power cut.

    What is deleted is zeroed: little is, and it may be of somebody who was erased.
    """
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once where writing is meant.

    A transaction that reads first and writes later fails with SQLITE_BUSY_SNAPSHOT, without waiting, as soon as
    somebody else has written in between.
    """
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _translated(address: URL, context: ExceptionContext) -> BaseException | None:
    """Let refusals through as they are, and call a database that is gone, busy or too slow unavailable."""
    if isinstance(context.original_exception, DomainError):
        return context.original_exception
    if is_gone(context.original_exception) and not _is_our_own_promise(context):
        # Nobody is there any more, or one that only reads: who comes next gets a new connection.
        context.is_disconnect = True
    elif not isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError):
        return None
    return unavailable(told(address, context.original_exception))


def is_gone(error: BaseException) -> bool:
    """Whether PostgreSQL ended the session, or turned into a server that only reads.

    The driver calls these errors internal, or not supported, as it does mistakes of ours.
    """
    state = getattr(error, "sqlstate", None)
    return state in _ENDED_STATES or state == _ONLY_READS or (state == _NOT_SUPPORTED and "recovery" in str(error))


def _is_our_own_promise(context: ExceptionContext) -> bool:
    """Writing where we said that we only read is a mistake of ours, whatever the server is."""
    if getattr(context.original_exception, "sqlstate", None) in _ENDED_STATES:
        return False
    connection = context.connection
    return connection is not None and bool(connection.get_execution_options().get("postgresql_readonly"))


def told(address: URL, error: BaseException) -> str:
    """Return what a driver says, in one line and without what its address keeps secret."""
    text = str(error).partition("\n")[0]
    for secret in _secrets(address):
        text = text.replace(secret, "***")
    return text


def _secrets(address: URL) -> list[str]:
    """The password as it is and as it stands in addresses, and what the address's query holds of that kind.

    What other databases take in a query is not known here: all of it may be secret.
    """
    is_ours = address.get_backend_name() == "postgresql"
    held = [value for name, value in address.query.items() if not is_ours or name in _SECRET]
    given = [str(address.password or "")]
    given += [value for one in held for value in ([one] if isinstance(one, str) else one)]
    return [form for one in given if one for form in (one, quote(one, safe=""), quote_plus(one))]


def unavailable(cause: str = "") -> Unavailable:
    message = "The database does not answer in time; nothing was stored."
    return Unavailable("database_unavailable", message, cause=cause)
