"""Python's collector of cycles, held back while a large batch is made: thousands of objects, and no cycle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """It would look through all of a batch again and again while the batch grows, a third of the time in all."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
