"""Changes of the catalog, counted and waited for: PostgreSQL tells; a file of SQLite is asked again and again."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from experiments.services.ports import ChangeFeed
from experiments.storage.experiments.tables import catalog_version

CHANNEL = "winnow_catalog"


def change_feed(engine: Engine) -> ChangeFeed:
    """Return the feed of that database."""
    return PostgresFeed(engine) if engine.dialect.name == "postgresql" else PolledFeed()


def tell_change(connection: Connection) -> None:
    """Tell all who wait, once the transaction is committed; a database that cannot is asked by them."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


def bump_catalog_version(connection: Connection) -> None:
    """Count a change of the catalog; called before the change itself.

    The counter's row lock puts all writers of the catalog in one queue, so two that touch the same experiments and
    layers in different orders cannot deadlock.
    """
    connection.execute(update(catalog_version).values(number=catalog_version.c.number + 1))
    tell_change(connection)


class PolledFeed:
    """Knows of nothing: every wait ends when its time is up."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def wait(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def close(self) -> None:
        self._closed.set()


class PostgresFeed:
    """Listens on a connection of its own. While there is none, every wait ends when its time is up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._closed = threading.Event()
        self._driver: Any = None

    def wait(self, seconds: float) -> None:
        try:
            if self._driver is None:
                self._driver = self._listen()
                return  # what was told before anybody listened is made good by a look
            for _ in self._driver.notifies(timeout=seconds, stop_after=1):
                return
        except Exception:  # noqa: BLE001 - whatever the driver says, there is no connection any more
            self._hang_up()
            self._closed.wait(seconds)

    def close(self) -> None:
        self._closed.set()
        self._hang_up()

    def _listen(self) -> Any:
        pooled = self._engine.raw_connection()
        driver: Any = pooled.driver_connection
        pooled.detach()  # it listens for as long as the process lives: the pool goes on without it
        driver.autocommit = True
        driver.execute(f"LISTEN {CHANNEL}")
        return driver

    def _hang_up(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(Exception):
                driver.close()
