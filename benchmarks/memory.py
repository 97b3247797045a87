"""How much memory a side needs at its peak, in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


def peak_mib(prepare: Callable[[], Any]) -> float:
    """Peak resident memory of a fresh process that prepares and runs the work once, its interpreter included."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(prepare, there))
    process.start()
    there.close()
    try:
        peak = float(here.recv())
    finally:
        process.join()
    return peak


def _report(prepare: Callable[[], Any], answer: Connection) -> None:
    prepare().run()
    answer.send(_peak_of_this_process())


def _peak_of_this_process() -> float:
    """Not `ru_maxrss` where there is a choice: on Linux a child inherits its parent's."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024
