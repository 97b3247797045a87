"""Keeps the catalog up to date in the background, and the last good one whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from winnow_client.backoff import backoff_seconds
from winnow_client.catalog import EMPTY, Catalog, CatalogError, compile_catalog
from winnow_client.transport import Reply, Transport, Unreachable

_WANTED = {
    401: ", the key is unknown or revoked; a secret key with the scope `assign` is wanted",
    403: ", the key may not read the catalog; a secret key with the scope `assign` is wanted, not one for browsers",
}


class Follower:
    """Asks for the catalog again and again, with the ETag of the one it has."""

    def __init__(
        self, transport: Transport, tell: Callable[[str], None], *, poll_seconds: float, file: Path | None
    ) -> None:
        self._transport, self._tell = transport, tell
        self._poll_seconds, self._file = poll_seconds, file
        self._etag = ""
        self._problem = ""
        self._answered_at: float | None = None
        self.catalog: Catalog = EMPTY
        self.listeners: list[Callable[[Catalog], None]] = []
        self._read_file()
        self._start()

    def _start(self) -> None:
        self._ending = threading.Event()
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._ending,), name="winnow-catalog", daemon=True)
        self._thread.start()

    def after_fork(self) -> None:
        """Go on in a forked child, with the catalog that its parent had."""
        if not self._ending.is_set():
            self._start()

    @property
    def age_seconds(self) -> float | None:
        """Seconds since the server last said that this is the catalog; None where it never did."""
        answered_at = self._answered_at
        return None if answered_at is None else monotonic() - answered_at

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the first attempt to be over; say whether there is a catalog."""
        if self.catalog is EMPTY:
            self._asked.wait(timeout_seconds)
        return self.catalog is not EMPTY

    def close(self) -> None:
        self._ending.set()

    def _run(self, ending: threading.Event) -> None:
        failures = 0
        while not ending.is_set():
            asked_for = self._poll()
            failures = 0 if not self._problem else failures + 1
            self._asked.set()
            wait = backoff_seconds(failures, asked_for) if failures else self._poll_seconds * random.uniform(0.9, 1.1)
            ending.wait(wait)

    def _poll(self) -> float | None:
        """Ask once; return for how long the server wants to be left alone, if it said so."""
        try:
            reply = self._transport.get("/v1/catalog", {"If-None-Match": self._etag} if self._etag else {})
            if reply.status == 200:
                self._take(reply)
            elif reply.status != 304:
                self._fail(f"the server answers {reply.status}{_WANTED.get(reply.status, '')}")
                return reply.retry_after_seconds
            self._problem = ""
            self._answered_at = monotonic()
        except (Unreachable, CatalogError) as problem:
            self._fail(str(problem))
        except Exception as problem:  # noqa: BLE001 - without this thread the catalog would never be another one
            self._fail(f"{type(problem).__name__}: {problem}")
        return None

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            so = "there is none yet" if self.catalog is EMPTY else "the last one stays in use"
            self._tell(f"the catalog could not be read, {so}: {problem}")

    def _take(self, reply: Reply) -> None:
        self._swap(compile_catalog(reply.document()))
        self._etag = reply.headers.get("ETag", "")
        self._write_file(reply.body)

    def _swap(self, catalog: Catalog) -> None:
        for key, why in catalog.skipped.items():
            if key not in self.catalog.skipped:
                self._tell(f"experiment {key} cannot be decided by this client: {why}")
        self.catalog = catalog
        for listener in self.listeners:
            listener(catalog)

    def _read_file(self) -> None:
        if self._file is None:
            return
        try:
            self._swap(compile_catalog(json.loads(self._file.read_bytes())))
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError, CatalogError) as problem:
            self._tell(f"the stored catalog could not be read: {problem}")

    def _write_file(self, body: bytes) -> None:
        if self._file is None:
            return
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        try:
            # It holds unit ids of testers and contents of experiments: nobody else's to read.
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(body)
            fresh.replace(self._file)
        except OSError as problem:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            self._tell(f"the catalog could not be stored: {problem}")
