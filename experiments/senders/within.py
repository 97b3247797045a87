"""Attempts that take so long and no longer, whatever resolvers and servers do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, attempt: Callable[[], T]) -> T:
    """Return what the attempt returns, or raise what it raises; TimeoutError where it is not done by then.

    It has a thread of its own: nothing ends the wait for a name, or for a line that comes byte by byte. An attempt that
    is not waited for any more goes on alone. (A process waits at its end for names that asyncio still looks up.)
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(attempt())
        except Exception as trouble:  # noqa: BLE001 - it is raised where the answer is waited for
            answer.set_exception(trouble)

    threading.Thread(target=run, name="winnow-attempt", daemon=True).start()
    return answer.result(timeout=seconds)
