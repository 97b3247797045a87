"""What goes wrong at the driver's own cursor, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection

from experiments.domain.errors import RowsRefused
from experiments.storage.engine import told, unavailable


@contextmanager
def driver_errors(connection: Connection) -> Iterator[None]:
    """Do for the driver's own cursor what the engine does for statements (`engine.py`)."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise RowsRefused(str(error).partition("\n")[0]) from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        connection.invalidate()
        raise unavailable(told(connection.engine.url, error)) from None
