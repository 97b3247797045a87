"""The steps of the demo: declare, assign, report what happened, wait for results, promote."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from experiments.cli.console import Tell
from experiments.cli.demo.customers import Crowd, Customer
from experiments.cli.demo.http import Api
from experiments.cli.demo.processes import Child
from experiments.cli.demo.setup import Setup
from experiments.domain.errors import Unavailable
from experiments.spool.listing import spooled

BATCH = 1_000
THREADS = 2
RESULTS_SECONDS = 120

Items = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A customer as the experiment ended for it: in which segment, and what it saw."""

    customer: Customer
    segment: str
    variant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The experiment as it runs; `run` makes the ids of events differ from those of any other run."""

    setup: Setup
    version: int
    run: str = field(default_factory=lambda: secrets.token_hex(4))


def declare(admin: Api, setup: Setup) -> int:
    """Create everything and start; return the running version."""
    for metric in setup.metrics:
        admin.post("/v1/metrics", metric)
    for segment in setup.segments:
        admin.post("/v1/segments", segment)
    admin.post("/v1/experiments", setup.experiment)
    started = admin.post(f"/v1/experiments/{setup.key}/start")
    return int(started["version"])


def wait_for_catalog(browser: Api, key: str) -> None:
    """Wait until the server answers for the experiment: another process of it may have started it."""
    deadline = time.monotonic() + 30
    while browser.find("/v1/assignments", {"unit_id": "nobody", "experiment": key}) is None:
        if time.monotonic() > deadline:
            raise Unavailable("experiment_not_served", f"The server does not serve {key}.")
        time.sleep(0.2)


def wait_until_stored(spool: Path) -> None:
    """Wait until the database has all that was acknowledged: what is spooled cannot be counted yet."""
    deadline = time.monotonic() + 60
    while any(one.depth is None or one.depth.rows for one in spooled(spool)):
        if time.monotonic() > deadline:
            raise Unavailable("not_drained", f"What was recorded stays in {spool}.")
        time.sleep(0.1)


def live(browser: Api, running: Running, crowd: Crowd, tell: Tell) -> dict[str, Seen]:
    """Show every customer its variant, and report exposures and events; return one per segment and variant."""
    seen: dict[str, Seen] = {}
    done = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for shown in pool.map(lambda batch: _live(browser, running, crowd, batch), _batches(crowd.customers(), BATCH)):
            for entry in shown:
                seen.setdefault(f"{entry.segment} {entry.variant}", entry)
            done += len(shown)
            tell(done, crowd.count)
    return seen


def _live(browser: Api, running: Running, crowd: Crowd, batch: Sequence[Customer]) -> list[Seen]:
    shown = _shown(browser, running.setup.key, batch)
    now = datetime.now(UTC).isoformat()
    items: Items = []
    for entry in shown:
        unit_id = entry.customer.unit_id
        common = {"unit_id": unit_id, "occurred_at": now}
        exposure = {
            "experiment": running.setup.key,
            "version": running.version,
            "segment": entry.segment,
            "variant": entry.variant,
        }
        items.append({"type": "exposure", "event_id": f"{running.run}-{unit_id}", **common, **exposure})
        for name, value in crowd.outcomes(entry.customer, entry.variant):
            event_id = f"{running.run}-{unit_id}-{name}"
            items.append({"type": "event", "event_id": event_id, **common, "name": name, "value": value})
    for part in _batches(items, BATCH):
        browser.record(part)
    return shown


def _shown(browser: Api, key: str, batch: Sequence[Customer]) -> list[Seen]:
    decided = [Seen(customer=c, segment=c.shown[0], variant=c.shown[1]) for c in batch if c.shown is not None]
    if len(decided) == len(batch):
        return decided
    units = [{"unit_id": customer.unit_id, "attributes": customer.attributes} for customer in batch]
    answers = browser.post("/v1/assignments/batch", {"units": units, "experiment": key})["results"]
    return [
        Seen(customer=customer, segment=given["segment"], variant=given["variant"])
        for customer, answer in zip(batch, answers, strict=True)
        for given in answer["assignments"]
    ]


def wait_for_results(reader: Api, key: str, since: datetime, worker: Child) -> Any:
    """Wait for a snapshot that saw all that was stored before `since`. Raises Unavailable."""
    deadline = time.monotonic() + RESULTS_SECONDS
    while time.monotonic() < deadline:
        worker.check()
        found = reader.find(f"/v1/experiments/{key}/results")
        if found is not None and datetime.fromisoformat(found["snapshot"]["watermark"]["at"]) >= since:
            return found
        time.sleep(0.2)
    raise Unavailable("no_results", f"There were no results of {key} within {RESULTS_SECONDS} seconds.")


def promote(admin: Api, key: str) -> tuple[Items, Items]:
    """Promote what the policy allows; return all proposals, and the promotions made."""
    proposals: Items = admin.get(f"/v1/experiments/{key}/proposals")["items"]
    made = [
        admin.post(f"/v1/experiments/{key}/promotions", {"segment": proposal["segment"]})
        for proposal in proposals
        if proposal["decision"]["action"] == "promote"
    ]
    return proposals, made


def shown_now(browser: Api, key: str, seen: Seen) -> str:
    """Ask what a customer sees by now."""
    body = {"unit_id": seen.customer.unit_id, "attributes": seen.customer.attributes, "experiment": key}
    return str(browser.post("/v1/assignments", body)["assignments"][0]["variant"])


def incomplete(counted: int, sent: int) -> Unavailable:
    """Return what to raise where results do not count all customers."""
    return Unavailable("results_incomplete", f"The results count {counted:,} customers; {sent:,} were sent.")


def not_promoted(segment: str, winner: str) -> Unavailable:
    """Return what to raise where a promotion changes nothing."""
    return Unavailable("promotion_without_effect", f"No customer of {segment} was moved to {winner}.")


def _batches(source: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(source)
    while batch := list(islice(iterator, size)):
        yield batch
