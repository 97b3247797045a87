"""The client: decides from the catalog in memory, reports in the background, never raises because of the server."""

from __future__ import annotations

import atexit
import hashlib
import logging
import math
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from winnow_client.assignment import Assignment, Attributes
from winnow_client.catalog import Catalog
from winnow_client.follower import Follower
from winnow_client.ids import ID_CHARACTERS, as_id, new_id
from winnow_client.outbox import Item, Outbox, Sent
from winnow_client.transport import Transport

UnitId = str | int

_log = logging.getLogger("winnow_client")
_REMEMBERED = 100_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What the server takes for the name of an event."""
CHANNELS = ("email", "web", "app", "store", "call_centre", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How the client is doing. `catalog_version` is -1 before there is a catalog."""

    catalog_version: int
    catalog_age_seconds: float | None
    waiting: int
    sent: Sent


class Client:
    """One per process and key; threads share it, and a forked child goes on with threads of its own."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        catalog_file: str | Path | None = None,
        poll_seconds: float = 5.0,
        timeout_seconds: float = 5.0,
        batch_size: int = 500,
        interval_seconds: float = 1.0,
        capacity: int = 10_000,
        close_seconds: float = 5.0,
        channel: str | None = None,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        """`catalog_file` is read at the start and written after each change, so that a start needs no server.

        `channel` goes on all that is reported: email, web, app, store, call_centre or other.
        `on_problem` is told in words what went wrong; without it the logger `winnow_client` warns.
        """
        self._on_problem = on_problem
        self._close_seconds = close_seconds
        if channel is not None and channel not in CHANNELS:
            raise ValueError(f"A channel is one of {', '.join(CHANNELS)}.")
        self._where: Item = {} if channel is None else {"channel": channel}
        self._exposed: set[str] = set()
        self._exposing = threading.Lock()
        transport = Transport(url, key, timeout_seconds=timeout_seconds)
        self._outbox = Outbox(
            lambda body: transport.post("/v1/events", body),
            self._tell,
            self._forget,
            batch_size=batch_size,
            interval_seconds=interval_seconds,
            capacity=capacity,
        )
        self._follower = Follower(
            transport, self._tell, poll_seconds=poll_seconds, file=Path(catalog_file) if catalog_file else None
        )
        self._told_unfit = False
        _open.add(self)
        _close_with_multiprocessing([self])

    def ready(self, timeout_seconds: float = 5.0) -> bool:
        """Wait for the first catalog; say whether there is one. Nobody has to: until then answers are `unknown`."""
        return self._follower.wait(timeout_seconds)

    def assign(self, unit_id: UnitId, attributes: Attributes, experiment: str) -> Assignment:
        """Return what the unit sees. Where the experiment exposes on assignment, this reports the exposure.

        The unit is a text of 1 to 512 characters or a whole number: 12345 and "12345" are one unit. Anything else is
        `unknown`, which is told once.
        """
        decide = self._follower.catalog.assigns.get(experiment)
        unit = as_id(unit_id)
        if decide is None or unit is None:
            if unit is None:
                self._tell_unfit(unit_id)
            return Assignment(experiment=experiment)
        answer = decide(unit, attributes)
        if answer.exposes:
            self._expose_once(unit, answer)
        return answer

    def assign_all(self, unit_id: UnitId, attributes: Attributes = None) -> list[Assignment]:
        """Return the answers of all running experiments."""
        unit = as_id(unit_id)
        if unit is None:
            self._tell_unfit(unit_id)
            return []
        answers = [decide(unit, attributes) for decide in self._follower.catalog.running]
        for answer in answers:
            if answer.exposes:
                self._expose_once(unit, answer)
        return answers

    def content(self, unit_id: UnitId, attributes: Attributes, experiment: str, default: Any) -> Any:
        """Return the content that the unit sees, `default` where Winnow has nothing to say."""
        answer = self.assign(unit_id, attributes, experiment)
        return default if answer.variant is None else answer.content

    def expose(self, unit_id: UnitId, shown: Assignment, *, occurred_at: datetime | None = None) -> bool:
        """Report that the unit was shown its variant. False where that does not count, or there is no room."""
        unit = as_id(unit_id)
        if unit is None:
            self._tell_unfit(unit_id)
        if not shown.counted or unit is None:
            return False
        return self._outbox.put({**_exposure(unit, shown, new_id(), occurred_at), **self._where})

    def track(
        self,
        unit_id: UnitId,
        name: str,
        value: float | None = None,
        *,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """Report an event. An `event_id` of your own (an order number) makes it idempotent beyond this process."""
        at, unit = _instant(occurred_at), as_id(unit_id)
        fit = unit is not None and _is_value(value) and _is_name(name) and _is_event_id(event_id)
        if not fit or at is None:
            self._tell(f"event {name!r:.100} was not taken: its unit id, name, event id, value or time is unfit")
            return False
        item: Item = {"type": "event", "event_id": event_id or new_id(), "unit_id": unit, "name": name}
        if value is not None:
            item["value"] = value
        return self._outbox.put({**item, **self._where, "occurred_at": at})

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Send what is queued, at once unless the server asked for time; say whether all of it was settled in time."""
        return self._outbox.flush(timeout_seconds)

    def stats(self) -> Stats:
        follower = self._follower
        return Stats(
            catalog_version=follower.catalog.version,
            catalog_age_seconds=follower.age_seconds,
            waiting=self._outbox.waiting,
            sent=self._outbox.sent,
        )

    def on_catalog(self, listener: Callable[[Catalog], None]) -> None:
        """Call the listener, in a thread of the client's, whenever another catalog came."""

        def call(catalog: Catalog) -> None:
            try:
                listener(catalog)
            except Exception:  # noqa: BLE001 - as above
                _log.exception("a listener failed on a new catalog")

        self._follower.listeners.append(call)

    def close(self) -> None:
        """Send what is queued, for some seconds at most, and end. It also happens when the process ends by itself.

        The first try is at once, however long the server asked to be left alone.
        """
        self._follower.close()
        self._outbox.close(self._close_seconds)
        _open.discard(self)

    def after_fork(self) -> None:
        """Go on in a forked child; called by itself."""
        self._exposing = threading.Lock()
        self._outbox.after_fork()
        self._follower.after_fork()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _expose_once(self, unit_id: str, answer: Assignment) -> None:
        """Report what asking implies, with the id that the server gives to the same exposure: so it is stored once."""
        parts = (answer.experiment, str(answer.epoch), answer.segment or "", answer.variant or "", unit_id)
        text = "\x1f".join(parts)
        with self._exposing:
            if text in self._exposed:
                return
            if len(self._exposed) >= _REMEMBERED:
                self._exposed.clear()
            self._exposed.add(text)
        event_id = "assigned-" + hashlib.sha256(text.encode()).hexdigest()
        if not self._outbox.put({**_exposure(unit_id, answer, event_id, None), **self._where}, text):
            self._forget([text])

    def _forget(self, exposures: list[str]) -> None:
        """Let exposures that the server did not take be reported when they are implied again."""
        with self._exposing:
            self._exposed.difference_update(exposures)

    def _tell_unfit(self, unit_id: object) -> None:
        """Tell of an unfit id, once: whoever sends one sends many."""
        if self._told_unfit:
            return
        self._told_unfit = True
        self._tell(
            f"a unit id is unfit ({type(unit_id).__name__}), its answers are the default: a text of 1 to "
            f"{ID_CHARACTERS} characters without control characters, or a whole number, is wanted"
        )

    def _tell(self, problem: str) -> None:
        if self._on_problem is None:
            _log.warning("%s", problem)
            return
        try:
            self._on_problem(problem)
        except Exception:  # noqa: BLE001 - other people's code must not end our threads
            _log.exception("on_problem failed on: %s", problem)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _is_event_id(event_id: object) -> bool:
    return isinstance(event_id, str | None) and (not event_id or as_id(event_id) is not None)


def _is_value(value: object) -> bool:
    if value is None:
        return True
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _exposure(unit_id: str, shown: Assignment, event_id: str, occurred_at: datetime | None) -> Item:
    return {
        "type": "exposure",
        "event_id": event_id,
        "unit_id": unit_id,
        "experiment": shown.experiment,
        "version": shown.version,
        "segment": shown.segment,
        "variant": shown.variant,
        "occurred_at": _instant(occurred_at) or _instant(None),
    }


def _instant(given: datetime | None) -> str | None:
    """Return the time in UTC, None for what is none; without a time zone it is the machine's, as ever in Python."""
    try:
        return (datetime.now(UTC) if given is None else given.astimezone(UTC)).isoformat()
    except (AttributeError, OverflowError, ValueError):
        return None


_open: weakref.WeakSet[Client] = weakref.WeakSet()


def _close_all() -> None:
    for client in list(_open):
        client.close()


def _after_fork() -> None:
    for client in list(_open):
        client.after_fork()
    # A child of multiprocessing begins by clearing all finalizers: they are made after that.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(_open, _close_with_multiprocessing)


def _close_with_multiprocessing(clients: Iterable[Client]) -> None:
    """In a child of multiprocessing, close when it ends: it runs finalizers, but where it was forked nothing of atexit.

    A process that has not imported multiprocessing is no such child, and needs no import here.
    """
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is None or util is None or process.parent_process() is None:
        return
    for client in list(clients):
        util.Finalize(client, _close, (weakref.ref(client),), exitpriority=0)


def _close(client_or_gone: weakref.ref[Client]) -> None:
    client = client_or_gone()
    if client is not None:
        client.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
