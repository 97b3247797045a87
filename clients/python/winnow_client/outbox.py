"""Events and exposures on their way: batched, sent in the background, again with the same ids until acknowledged."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from time import monotonic
from typing import Any

from winnow_client.backoff import backoff_seconds
from winnow_client.transport import Reply, Unreachable

Item = dict[str, Any]
Post = Callable[[bytes], Reply]
Tell = Callable[[str], None]
Forget = Callable[[list[str]], None]

_AGAIN = frozenset((408, 425, 429))
_TAKEN = ("accepted", "duplicate")
_MOST_BYTES = 1_000_000
"""Of a batch, and so of an item: a server takes 2 MB, and many a proxy before it 1 MiB."""
_CAREFUL = 20
"""So many batches are taken before larger ones are tried, where a connection was cut off: each try costs a wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of items: the server's verdicts; `dropped` never reached it (full queue, refused key, the end)."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """An item as JSON, and what its sender remembers it by, if at all."""

    text: bytes
    mark: str | None


class Outbox:
    """A bounded queue and the thread that empties it. An item leaves the queue only with the server's verdict.

    `forget` is given the marks of items that the server did not take, in the thread that sends.
    """

    def __init__(
        self, post: Post, tell: Tell, forget: Forget, *, batch_size: int, interval_seconds: float, capacity: int
    ) -> None:
        self._post, self._tell, self._forget = post, tell, forget
        self._most_items, self._interval, self._capacity = batch_size, interval_seconds, capacity
        self._start()

    def _start(self) -> None:
        self._queue: deque[Queued] = deque()
        self._changed = threading.Condition()
        # Less than the most after a 413, until such batches are taken.
        self._batch_size = self._most_items
        self._careful = 0
        self._put, self._settled = 0, 0
        self._flushing, self._closed, self._overflowing = 0, False, False
        self._hurry, self._last_chance = False, False
        self._stuck = ""
        self.sent = Sent()
        self._thread = threading.Thread(target=self._run, name="winnow-outbox", daemon=True)
        self._thread.start()

    def after_fork(self) -> None:
        """Begin anew in a forked child: what was queued is its parent's to send."""
        if not self._closed:
            self._start()

    def put(self, item: Item, mark: str | None = None) -> bool:
        """Queue an item; False where it cannot be sent, where there is no room, or no more sending."""
        text = self._written(item)
        if text is None:
            return False
        with self._changed:
            if self._closed or len(self._queue) >= self._capacity:
                full = not self._overflowing
                self._overflowing = True
                self.sent = replace(self.sent, dropped=self.sent.dropped + 1)
            else:
                self._queue.append(Queued(text, mark))
                self._put += 1
                if len(self._queue) in (1, self._batch_size):
                    self._changed.notify_all()
                return True
        if full:
            self._tell(f"events are dropped: {self._capacity} wait already" if not self._closed else "closed: dropped")
        return False

    def _written(self, item: Item) -> bytes | None:
        """Return the item as JSON, None where it cannot be that or no server takes it: it would block all others."""
        try:
            text = json.dumps(item, separators=(",", ":")).encode()
            if len(text) <= _MOST_BYTES:
                return text
            problem = f"it has {len(text)} bytes"
        except (RecursionError, TypeError, ValueError) as error:
            problem = f"it cannot be written as JSON: {error}"
        with self._changed:
            self.sent = replace(self.sent, dropped=self.sent.dropped + 1)
        self._tell(f"an event was dropped, {problem}")
        return None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def flush(self, timeout_seconds: float) -> bool:
        """Send all that is queued now, at once unless the server asked for time; False where the time was too short."""
        with self._changed:
            wanted = self._put
            self._flushing += 1
            self._hurry = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._settled >= wanted, timeout_seconds)
            self._flushing -= 1
        return done

    def close(self, timeout_seconds: float) -> None:
        """Flush and end; what could not be sent is counted and told."""
        if self._closed:
            return
        with self._changed:
            self._last_chance = True
        self.flush(timeout_seconds)
        with self._changed:
            self._closed = True
            left = len(self._queue)
            self._queue.clear()
            self.sent = replace(self.sent, dropped=self.sent.dropped + left)
            self._changed.notify_all()
        if left:
            self._tell(f"{left} events could not be sent before the end")

    def _run(self) -> None:
        # What a forked child replaces is not this thread's any more.
        changed = self._changed
        failures = 0
        while batch := self._next(changed):
            try:
                waits = self._send(batch, failures)
            except Exception as problem:  # noqa: BLE001 - without this thread nothing would ever be sent
                waits = self._again(f"events wait, {type(problem).__name__}: {problem}", failures, None)
            if waits is None:
                failures = 0
            else:
                hurried = self._rest(changed, *waits)
                failures = 0 if hurried else failures + 1

    def _rest(self, changed: threading.Condition, asked_for: float, own: float) -> bool:
        """Wait before trying again, as long as the server asked and then our own time; say whether that was cut short.

        A flush cuts our own time short, the end both. Either does so once: whoever takes the next batch clears them.
        """
        with changed:
            changed.wait_for(lambda: self._closed or self._last_chance, asked_for)
            return changed.wait_for(lambda: self._closed or self._hurry, own)

    def _next(self, changed: threading.Condition) -> list[Queued]:
        """Wait for a batch: a full one, or what is there after the interval or at a flush. Empty: the end."""
        with changed:
            changed.wait_for(lambda: self._queue or self._closed)
            due = monotonic() + self._interval
            while not (self._closed or self._flushing or len(self._queue) >= self._batch_size):
                left = due - monotonic()
                if left <= 0:
                    break
                changed.wait(left)
            self._hurry, self._last_chance = False, False
            return list(self._fitting())

    def _fitting(self) -> Iterator[Queued]:
        room = _MOST_BYTES
        for queued in islice(self._queue, self._batch_size):
            room -= len(queued.text)
            if room < 0:
                return
            yield queued

    def _send(self, batch: list[Queued], failures: int) -> tuple[float, float] | None:
        """Return None when the batch is settled, or how long to wait: as the server asked, and on top of that."""
        try:
            reply = self._post(b'{"items":[%s]}' % b",".join(queued.text for queued in batch))
        except Unreachable as problem:
            if problem.cut_off and len(batch) > 1:
                # Who takes no such body may end the connection before the 413 is read.
                self._batch_size = len(batch) // 2
                self._careful = _CAREFUL
            return self._again(f"events wait, {problem}", failures, None)
        document = reply.document()
        verdicts = document.get("items") if isinstance(document, dict) else None
        if 200 <= reply.status < 300 and isinstance(verdicts, list) and verdicts:
            self._stuck = ""
            self._settle(batch[: len(verdicts)], verdicts)
        elif reply.status == 413 and len(batch) > 1:
            self._batch_size = len(batch) // 2
        elif reply.status < 400 or reply.status >= 500 or reply.status in _AGAIN:
            return self._again(f"events wait, the server answers {reply.status}", failures, reply.retry_after_seconds)
        else:
            self._settle(batch, None)
            self._tell(f"{len(batch)} events were dropped, the server answers {reply.status}")
        return None

    def _again(self, problem: str, failures: int, asked_for: float | None) -> tuple[float, float]:
        if problem != self._stuck:
            self._stuck = problem
            self._tell(problem)
        asked = asked_for or 0.0
        return asked, backoff_seconds(failures + 1, asked) - asked

    def _settle(self, batch: list[Queued], verdicts: list[Any] | None) -> None:
        found = [verdict.get("status") if isinstance(verdict, dict) else None for verdict in verdicts or ()]
        # Before anybody who waits for a flush goes on.
        self._forget(
            [
                queued.mark
                for queued, status in zip_longest(batch, found[: len(batch)])
                if queued.mark is not None and status not in _TAKEN
            ]
        )
        with self._changed:
            for _ in range(min(len(batch), len(self._queue))):
                self._queue.popleft()
            self._overflowing = False
            self._careful = max(self._careful - 1, 0)
            if not self._careful:
                self._batch_size = min(self._batch_size * 2, self._most_items)
            self._settled += len(batch)
            self.sent = Sent(
                accepted=self.sent.accepted + found.count("accepted"),
                duplicate=self.sent.duplicate + found.count("duplicate"),
                rejected=self.sent.rejected + found.count("rejected"),
                dropped=self.sent.dropped + (len(batch) if verdicts is None else 0),
            )
            self._changed.notify_all()
        if "rejected" in found:
            first = (verdicts or [])[found.index("rejected")]
            self._tell(f"{found.count('rejected')} events were rejected, the first as {first.get('code')}")
