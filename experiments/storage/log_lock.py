"""The lock on PostgreSQL between those who append to the log and those who need them to have ended."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

_LOG_LOCK = 0x57_69_6E_6E_6F_77_01
"""Held shared by every transaction that appends, from before its first id is drawn until its end."""


def join_writers(connection: Connection) -> None:
    """Be one of those who append, until the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock_shared(_LOG_LOCK)))


def stop_writers(connection: Connection) -> None:
    """Wait until nobody is appending, and let nobody begin until the end of the transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(_LOG_LOCK)))
