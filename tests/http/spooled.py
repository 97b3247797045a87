"""An app with a spool that nobody drains."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from api.app import create_app
from experiments.bootstrap import Winnow, build
from experiments.services.assigning.assign import Assigner
from experiments.services.assigning.implied import ImpliedExposures
from experiments.services.recording.record import Recorder
from experiments.spool.spool import Spool
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http.api_client import EVENT, Caller
from tests.http.conftest import SETTINGS, run_banner
from tests.http.lanes import Answer, Lanes

EVENTS = "/v1/events"


@dataclass(frozen=True)
class Spooled:
    """An app that spools, and what lies in its spool: nobody drains it."""

    caller: Caller
    lanes: Lanes
    spool: Spool
    winnow: Winnow

    def rows(self, before: int) -> list[tuple[Any, ...]]:
        """What was stored after a request, line by line."""
        with sqlite3.connect(self.spool._file.hold.path) as other:
            found = other.execute("SELECT events, exposures FROM requests WHERE id > ?", (before,)).fetchall()
        return [(sorted(events.split(b"\n")), sorted(exposures.split(b"\n"))) for events, exposures in found]

    def same(self, body: bytes) -> Answer:
        """Assert that both lanes say and store the same, and return what the fast one says."""
        path, start = EVENTS, self.spool._file.last_id
        plain = self.lanes.plain(path, body)
        middle = self.spool._file.last_id
        fast = self.lanes.fast(path, body)
        assert (fast.status, fast.headers, fast.body) == (plain.status, plain.headers, plain.body)
        both = self.rows(start)
        assert both[: middle - start] == both[middle - start :]
        return fast


@contextmanager
def spooled_app(folder: Path, clock: FakeClock) -> Iterator[Spooled]:
    opened = MemoryDatabase().unit_of_work
    plain = build(SETTINGS, open_unit_of_work=opened, clock=clock)
    spool = Spool(folder, opened)
    winnow = replace(
        plain,
        spool=spool,
        recorder=Recorder(plain.catalog, opened, spool, clock, plain.caches),
        assigner=Assigner(plain.sight, ImpliedExposures(spool), clock, plain.caches),
    )
    key = winnow.keys.create("root", frozenset({"admin"}), actor="test").text
    caller = run_banner(Caller(client=create_app(winnow=winnow).test_client(), winnow=winnow, key=key))
    lanes = Lanes.of(caller)
    lanes.plain(EVENTS, json.dumps({"items": [EVENT]}).encode())
    lanes.fast(EVENTS, json.dumps({"items": [EVENT]}).encode())
    yield Spooled(caller=caller, lanes=lanes, spool=spool, winnow=winnow)
    spool.close(within_seconds=0)
