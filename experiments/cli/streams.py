"""The process of the change streams: started beside the server, again where it ends too early, and ended with it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

from experiments.cli.console import err

MODULE = "api.streams"
"""Named, not imported: it is a process of its own."""
AGAIN_AFTER_SECONDS = 1.0
STOP_SECONDS = 10


@contextlib.contextmanager
def stream_process(host: str) -> Iterator[None]:
    """Keep it running while the block does. It watches its parent, so that it ends even where we are killed."""
    stopping = threading.Event()
    # Here and not in the thread: a server that forks while a process is being started would hold the pipe on which
    # the start waits.
    running = [_start(host)]

    def keep_running() -> None:
        while True:
            code = running[0].wait()
            if stopping.wait(AGAIN_AFTER_SECONDS):
                return
            err().print(f"The change streams ended with code {code}; they are started again.")
            running[0] = _start(host)

    keeper = threading.Thread(target=keep_running, name="winnow-streams", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stopping.set()
        running[0].terminate()
        keeper.join(STOP_SECONDS)
        running[0].kill()


def _start(host: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, "--with-parent"],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "WINNOW_HOST": host},
    )
