"""SIGKILL in the middle of ingestion: what was acknowledged is stored, and what was sent again is stored once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from experiments.services.keys import Scope
from experiments.storage.engine import normalised
from tests.e2e.processes import Server, new_key, serving

pytestmark = pytest.mark.slow

SENDERS, BATCHES, ITEMS = 3, 120, 10
EVERY_BATCH = SENDERS * BATCHES
KILL_AFTER = (EVERY_BATCH // 5, EVERY_BATCH // 2, EVERY_BATCH * 4 // 5)


class Senders:
    """Threads that send batches and send each again until it is acknowledged, as our clients do."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"}
        self._lock = threading.Lock()
        self._acknowledged: list[str] = []
        self.sent_again = 0
        self.failures: list[str] = []
        self.threads = [threading.Thread(target=self._send_all, args=(number,)) for number in range(SENDERS)]

    @property
    def acknowledged(self) -> list[str]:
        with self._lock:
            return list(self._acknowledged)

    def _send_all(self, sender: int) -> None:
        for number in range(BATCHES):
            ids = [f"{sender}-{number}-{item}" for item in range(ITEMS)]
            items = [{"type": "event", "event_id": i, "unit_id": i, "name": "visit", "value": 1.0} for i in ids]
            self._send(items, ids)
            time.sleep(0.005)

    def _send(self, items: list[dict[str, object]], ids: list[str]) -> None:
        for _ in range(2_000):
            try:
                url = f"{self._address}/v1/events"
                answer = httpx.post(url, json={"items": items}, headers=self._headers, timeout=10)
            except httpx.TransportError:
                self._again()
                continue
            if answer.status_code == 503:
                self._again()
                continue
            verdicts = answer.json().get("items", [])
            if answer.status_code != 202 or {v["status"] for v in verdicts} - {"accepted", "duplicate"}:
                self.failures.append(f"{answer.status_code} {answer.text}")
            with self._lock:
                self._acknowledged.extend(ids)
            return
        self.failures.append("never acknowledged")

    def _again(self) -> None:
        with self._lock:
            self.sent_again += 1
        time.sleep(0.03)


def stored(url: str) -> Counter[str]:
    engine = create_engine(normalised(url))
    try:
        with engine.connect() as connection:
            return Counter(connection.execute(text("SELECT event_id FROM events")).scalars())
    finally:
        engine.dispose()


def kill_midway(server: Server, senders: Senders, url: str, after: int) -> None:
    deadline = time.monotonic() + 60
    while len(senders.acknowledged) < after * ITEMS:
        assert time.monotonic() < deadline, senders.failures
        time.sleep(0.002)
    server.kill()
    acknowledged = senders.acknowledged
    assert len(acknowledged) < EVERY_BATCH * ITEMS, "the senders had finished already: nothing was interrupted"
    server.start()
    server.wait_until_drained()
    assert not set(acknowledged) - stored(url).keys()


@pytest.mark.timeout(180)
def test_every_acknowledged_event_survives_kills_and_is_stored_once(sql_url: str, tmp_path: Path) -> None:
    with serving(sql_url, tmp_path / "server.log", workers=2) as server:
        senders = Senders(server.address, new_key(sql_url, Scope.INGEST))
        for thread in senders.threads:
            thread.start()
        for after in KILL_AFTER:
            kill_midway(server, senders, sql_url, after)
        for thread in senders.threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in senders.threads)
        server.wait_until_drained()
    everything = {f"{s}-{b}-{i}" for s in range(SENDERS) for b in range(BATCHES) for i in range(ITEMS)}
    assert senders.failures == []
    assert senders.sent_again >= len(KILL_AFTER), "no sender noticed a kill"
    assert set(senders.acknowledged) == everything
    assert stored(sql_url) == dict.fromkeys(everything, 1)
