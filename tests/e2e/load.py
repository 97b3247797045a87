"""Frontends that send without pause, and remember what was acknowledged to them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count, cycle
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from experiments.storage.engine import normalised

ITEMS = 20
VISIT = {"key": "visit", "name": "Visits", "kind": "conversion", "event_name": "visit"}
OFFER: dict[str, Any] = {
    "key": "offer",
    "name": "Offer",
    "variants": [{"key": "a", "name": "A", "is_control": True}, {"key": "b", "name": "B"}],
    "metrics": [{"metric": "visit", "role": "primary"}],
    "exposure_policy": "on_assignment",
}

_WHO: Sequence[tuple[str, dict[str, Any]]] = (
    ("attributes", {"key": "plan", "name": "Plan", "type": "text"}),
    ("segments", {"key": "gold", "name": "Gold", "condition": {"plan": "gold"}}),
    ("identify", {"anonymous_id": "device", "unit_id": "person"}),
)


class Load:
    """Some send events, batch after batch, each until it is taken; one asks what units see, which exposes them.

    Of several keys each has its turn.
    """

    def __init__(self, address: str, *keys: str, senders: int = 2) -> None:
        self._address = address
        self._headers = cycle([{"Authorization": f"Bearer {key}"} for key in keys])
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self.acknowledged: set[str] = set()
        self.attempted: set[str] = set()
        self.exposed: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.refusals: set[tuple[str, str | None]] = set()
        self.slowest_seconds = 0.0
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(senders)]
        self._threads.append(threading.Thread(target=self._ask))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def wait_for_more(self, batches: int, seconds: float = 40) -> None:
        """Wait until so many more batches are acknowledged, and a unit is exposed."""
        wanted, exposed = len(self.acknowledged) + batches * ITEMS, len(self.exposed)
        deadline = time.monotonic() + seconds
        while len(self.acknowledged) < wanted or len(self.exposed) == exposed:
            assert time.monotonic() < deadline, (len(self.acknowledged), wanted, self.answers)
            time.sleep(0.01)

    def _send(self, sender: int) -> None:
        with httpx.Client(timeout=15) as client:
            for number in count():
                ids = [f"{sender}-{number}-{item}" for item in range(ITEMS)]
                items = [{"type": "event", "event_id": i, "unit_id": i, "name": "visit", "value": 1.0} for i in ids]
                with self._lock:
                    self.attempted.update(ids)
                while not self._post(client, "/v1/events", {"items": items}, 202):
                    if self._ending.wait(0.05):
                        return
                with self._lock:
                    self.acknowledged.update(ids)
                if self._ending.wait(0.002):
                    return

    def _ask(self) -> None:
        with httpx.Client(timeout=15) as client:
            for number in count():
                unit = f"asking-{number}"
                while not self._post(client, "/v1/assignments", {"unit_id": unit, "experiment": "offer"}, 200):
                    if self._ending.wait(0.05):
                        return
                with self._lock:
                    self.exposed.add(unit)
                if self._ending.wait(0.01):
                    return

    def _post(self, client: httpx.Client, path: str, body: Any, wanted: int) -> bool:
        began = time.monotonic()
        try:
            answer = client.post(f"{self._address}{path}", json=body, headers=next(self._headers))
        except httpx.TransportError:
            with self._lock:
                self.answers["no answer"] += 1
            return False
        with self._lock:
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            self.answers[str(answer.status_code)] += 1
            if answer.status_code == 503:
                self.refusals.add((answer.json()["code"], answer.headers.get("Retry-After")))
        if answer.status_code == 202:
            refused = {one["status"] for one in answer.json()["items"]} - {"accepted", "duplicate"}
            assert not refused, answer.text
        return answer.status_code == wanted


def start_offer(address: str, key: str, *, asks_who: bool = False) -> None:
    """Start an experiment that exposes whoever asks, and wait until every process knows it."""
    headers = {"Authorization": f"Bearer {key}"}
    offer = {**OFFER, "segments": [{"segment": "gold"}]} if asks_who else OFFER
    made = (("metrics", VISIT), ("experiments", offer), ("experiments/offer/start", None))
    for path, body in (*(_WHO if asks_who else ()), *made):
        answer = httpx.post(f"{address}/v1/{path}", json=body, headers=headers, timeout=15)
        assert answer.is_success, answer.text
    known, deadline, told = 0, time.monotonic() + 60, Counter[int]()
    while known < 20:
        assert time.monotonic() < deadline, told
        asked = {"unit_id": "first", "experiment": "offer"}
        answer = httpx.post(f"{address}/v1/assignments", json=asked, headers=headers, timeout=15)
        told[answer.status_code] += 1
        known = known + 1 if answer.status_code == 200 else 0


def make_known(address: str, key: str) -> None:
    """Ask until every process has seen the key: one that has not cannot know it while the database is away.

    Each time on a new connection, so that any of two processes may take it: that one is left out has a chance of 2⁻³⁹.
    """
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(timeout=15, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        for _ in range(40):
            asked = {"unit_id": "known", "experiment": "offer"}
            answer = client.post(f"{address}/v1/assignments", json=asked, headers=headers)
            assert answer.status_code == 200, answer.text


def assert_stored_once(url: str, load: Load) -> None:
    """Acknowledged is stored, once; and nothing is stored that nobody sent."""
    engine = create_engine(normalised(url))
    try:
        with engine.connect() as connection:
            events = Counter(connection.execute(text("SELECT event_id FROM events")).scalars())
            exposed = Counter(connection.execute(text("SELECT unit_id FROM exposures")).scalars())
    finally:
        engine.dispose()
    assert load.acknowledged
    assert load.exposed
    assert load.acknowledged <= events.keys() <= load.attempted
    assert set(events.values()) == {1}
    assert load.exposed <= exposed.keys()
    assert set(exposed.values()) == {1}
