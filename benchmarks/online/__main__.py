"""`make bench-online`: its cases and what they promise."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from benchmarks.command import Tick, main
from benchmarks.harness import Case, Promise, Side, Sweep, Work
from benchmarks.online import decisions, http, ingestion, lane, sdks, unleash_server
from benchmarks.online.databases import POSTGRES, Ground
from benchmarks.online.house import SHOWN
from benchmarks.online.ingestion import IN_ORDER, RANDOM, Ids
from benchmarks.online.question import KEY
from benchmarks.online.wrk import CONNECTIONS, WRK

PACKAGES = (
    "granian",
    "msgspec",
    "mmh3",
    "psycopg",
    "eppo-server-sdk",
    "statsig-python-core",
    "growthbook",
    "launchdarkly-server-sdk",
    "optimizely-sdk",
    "UnleashClient",
)
DEFAULT_GROW = 10_000_000

_CORES = (
    "The server has one core to itself (its spool's thread included); what asks it and PostgreSQL, with its defaults "
    "and `fsync` on, have the other."
)
_WHICH_IDS = (
    "Ids begin with the time, as our clients make them; where a title says so they are random, and of as many digits."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineSuite:
    """The cases; `grow`: the most events that are stored before the last of them."""

    name: str = "bench-online"
    packages: tuple[str, ...] = PACKAGES
    table_ticks: int = 0
    grow: int = DEFAULT_GROW

    def make_tables(self, folder: Path, *, quick: bool, tick: Tick) -> None:
        """Each case makes what it needs."""

    def cases(self, folder: Path, *, quick: bool) -> tuple[Case | Sweep, ...]:
        sizes = (0, 2_000) if quick else (0, *(size for size in (self.grow // 10, self.grow) if size))
        return (
            _one_decision(quick),
            _all_experiments(quick),
            _bulk(quick),
            _lane(quick),
            _assignment(folder, quick),
            _exposure(folder, quick),
            _wait(folder, quick),
            *(_into_postgres(folder, quick, stored) for stored in sizes),
            _into_postgres(folder, quick, sizes[:2][-1], RANDOM),
            *(_into_sqlite(folder, quick, stored) for stored in sizes[quick:]),
        )


def _one_decision(quick: bool) -> Case:
    fast, slow = (2_000, 200) if quick else (50_000, 5_000)
    peers = (
        Side(name="Eppo", prepare=partial(sdks.eppo, fast), requires=(sdks.EPPO,)),
        Side(name="Statsig", prepare=partial(sdks.statsig, slow), requires=(sdks.STATSIG,)),
        Side(name="GrowthBook", prepare=partial(sdks.growthbook, slow), requires=(sdks.GROWTHBOOK,)),
        Side(name="LaunchDarkly", prepare=partial(sdks.launchdarkly, slow), requires=(sdks.LAUNCHDARKLY,)),
        Side(name="Optimizely", prepare=partial(sdks.optimizely, slow), requires=(sdks.OPTIMIZELY,)),
        Side(name="Unleash", prepare=partial(sdks.unleash, slow), requires=(sdks.UNLEASH,)),
    )
    return Case(
        name="one-decision",
        title="One decision in process: one condition, two variants",
        unit="decision",
        memory=False,
        rounds=2 if quick else 15,
        sides=(
            Side(name="winnow", prepare=partial(decisions.winnow, fast)),
            *peers,
            Side(name="bare hash", prepare=partial(decisions.bare_hash, fast)),
        ),
        promises=(
            Promise(
                name="one-decision",
                fast=tuple(side.name for side in peers),
                slow=("winnow",),
                operator="<=",
                bound=0.5,
            ),
        ),
        note=(
            "A loop in one thread over the same ids. What a peer's user or context has to be made for each decision is "
            "made; nobody logs exposures. Agreement: how many of 2,000 units were inside the condition, their split "
            "in tenths, and nobody treated elsewhere. PlanOut 0.6 does not import on Python 3.10 or newer."
        ),
    )


def _all_experiments(quick: bool) -> Case:
    count = 20 if quick else 2_000
    return Case(
        name="all-experiments",
        title="All of 100 live experiments for one unit, beside 200 bare hashes",
        unit="unit",
        memory=False,
        rounds=2 if quick else 15,
        sides=(
            Side(name="winnow", prepare=partial(decisions.all_experiments, count)),
            Side(name="200 bare hashes", prepare=partial(decisions.bare_hashes, count)),
        ),
        promises=(
            Promise(
                name="all-experiments-over-hashes",
                fast="200 bare hashes",
                slow=("winnow",),
                operator="<=",
                bound=5,
            ),
        ),
        note="Each experiment has a condition, a traffic share and two variants. The texts to hash are ready.",
    )


def _bulk(quick: bool) -> Case:
    count = 5_000 if quick else 200_000
    return Case(
        name="bulk",
        title="One decision of a whole list, beside one bare hash",
        unit="decision",
        memory=False,
        rounds=2 if quick else 15,
        sides=(
            Side(name="winnow", prepare=partial(decisions.bulk, count), requires=(decisions.BULK,)),
            Side(name="winnow, one by one", prepare=partial(decisions.one_by_one, count)),
            Side(name="bare hash", prepare=partial(decisions.bare_hash, count)),
        ),
        promises=(Promise(name="bulk-over-hash", fast="bare hash", slow=("winnow",), operator="<=", bound=3),),
        note=(
            "What `winnow assign` does with a part of its file, reading and writing left out: half of the units are "
            "inside the condition. The hash is called in a Python loop over the same ids."
        ),
    )


def _lane(quick: bool) -> Case:
    count = 500 if quick else 20_000
    sides: dict[str, Callable[[int], Work]] = {
        "winnow": lane.whole_call,
        "… of that: who asks": lane.caller,
        "… of that: body, decision, answer": lane.handler,
        "… … of that: reading the body": lane.body,
        "bare function": lane.bare_call,
        "making the environ": lane.no_call,
    }
    return Case(
        name="lane",
        title="Where our time goes: the WSGI call of one assignment in process",
        unit="request",
        memory=False,
        rounds=2 if quick else 15,
        sides=tuple(Side(name=name, prepare=partial(make, count)) for name, make in sides.items()),
        note="What the server hands over is made anew for each call: in both calls, and alone in the last row.",
    )


def _assignment(folder: Path, quick: bool) -> Case:
    ground, seconds = Ground(folder), 1 if quick else 2
    return Case(
        name="http-assignment",
        title="One assignment over HTTP, key check included",
        unit="request",
        memory=False,
        rounds=1 if quick else 21,
        warm_ups=1,
        sides=(
            Side(name="winnow", prepare=partial(http.winnow, ground, KEY, seconds=seconds), requires=(WRK, POSTGRES)),
            Side(name="bare function", prepare=partial(http.bare, ground, KEY, seconds=seconds), requires=(WRK,)),
            Side(
                name="Unleash frontend API",
                prepare=partial(unleash_server.frontend_api, ground, seconds=seconds),
                requires=(WRK, POSTGRES, "program node", unleash_server.INSTALLED),
            ),
        ),
        promises=(
            Promise(name="http-assignment-over-bare", fast="winnow", slow=("bare function",), operator=">=", bound=0.8),
            Promise(
                name="http-assignment-over-unleash",
                fast="winnow",
                slow=("Unleash frontend API",),
                operator=">=",
                bound=15,
            ),
        ),
        note=(
            f"wrk with {CONNECTIONS} connections, {seconds} s a round. {_CORES} The bare function reads the same body "
            "in the same server with the same settings, hashes once and answers the same bytes, head included, but "
            "with one request id for all. Unleash: `GET /api/frontend` of its server 6.10 on Node."
        ),
    )


def _exposure(folder: Path, quick: bool) -> Case:
    ground = Ground(folder)
    how = {"seconds": 1 if quick else 5, "connections": 128}
    return Case(
        name="http-exposure",
        title="One assignment over HTTP with a durable exposure: a new unit each time",
        unit="request",
        memory=False,
        rounds=1 if quick else 9,
        sides=(
            Side(
                name="winnow",
                prepare=partial(http.winnow, ground, SHOWN, **how),
                requires=(WRK, POSTGRES),
            ),
            Side(
                name="bare function",
                prepare=partial(http.bare, ground, SHOWN, **how),
                requires=(WRK,),
            ),
        ),
        promises=(
            Promise(name="http-exposure-over-bare", fast="winnow", slow=("bare function",), operator=">=", bound=0.55),
        ),
        note=(
            "The answer is given once the exposure is on the local disk; it goes on into PostgreSQL meanwhile. "
            "Requests wait for the disk together; 128 connections ask both servers. After each round, off the clock, "
            "all that was acknowledged is waited for in the table, and counted."
        ),
    )


def _wait(folder: Path, quick: bool) -> Case:
    ground, seconds = Ground(folder), 1 if quick else 5

    def side(name: str, of: str, quantile: int, *requires: str) -> Side:
        prepare = partial(http.wait, ground, of=of, quantile=quantile, seconds=seconds)
        return Side(name=name, prepare=prepare, requires=(WRK, *requires))

    return Case(
        name="http-wait",
        title="How long an answer takes at half of the top rate",
        memory=False,
        rounds=1 if quick else 9,
        sides=(
            side("winnow, median", "winnow", 50, POSTGRES),
            side("winnow, 99th in 100", "winnow", 99, POSTGRES),
            side("bare function, median", "bare", 50),
            side("bare function, 99th in 100", "bare", 99),
        ),
        promises=(
            Promise(
                name="http-p99-over-p50",
                fast="winnow, median",
                slow=("winnow, 99th in 100",),
                operator="<=",
                bound=5,
            ),
        ),
        note=(
            "wrk again. Each connection pauses at random between its requests, up to "
            f"{http.MOST_PAUSE_MS} ms, and there are as many as come to half of the rate that the same server reached "
            f"in the {http.TOP_SECONDS} seconds before. Both percentiles are of the same answers. Time counts from "
            "sending."
        ),
    )


def _into_postgres(folder: Path, quick: bool, stored: int, ids: Ids = IN_ORDER) -> Case:
    count, few = 1_000 if quick else 200_000, 50 if quick else 1_000
    ground = Ground(folder)
    name = "ingest-postgres" + ("" if ids is IN_ORDER else "-random") + (f"-at-{stored}" if stored else "")
    over_copy = Promise(
        name=f"{name}-over-copy",
        fast="winnow, over HTTP",
        slow=("COPY, insert on conflict",),
        operator=">=",
        bound=0.6,
    )
    over_single = Promise(
        name=f"{name}-over-single",
        fast="winnow, over HTTP",
        slow=("single-row commits",),
        operator=">=",
        bound=25,
    )
    return Case(
        name=name,
        title=f"Events {'' if ids is IN_ORDER else 'with random ids '}into PostgreSQL, with {stored:,} there before",
        unit="event",
        memory=False,
        rounds=1 if quick else 5,
        sides=(
            Side(
                name="winnow, over HTTP",
                prepare=partial(ingestion.winnow_postgres, ground, stored=stored, count=count, ids=ids),
                requires=(POSTGRES,),
            ),
            Side(
                name="COPY, insert on conflict",
                prepare=partial(ingestion.copied, ground, stored=stored, count=count, ids=ids),
                requires=(POSTGRES,),
            ),
            Side(
                name="single-row commits",
                prepare=partial(ingestion.single_rows, ground, stored=stored, count=few, ids=ids),
                requires=(POSTGRES,),
            ),
        ),
        promises=(over_copy, over_single) if ids is IN_ORDER else (over_copy,),
        note=(
            f"{count:,} events a round in batches of {ingestion.BATCH}; time ends when the last is in the table. "
            f"Bare: batches of {ingestion.BARE_BATCH:,} into the same table, from text that is ready. "
            f"{_WHICH_IDS} {_CORES}"
        ),
    )


def _into_sqlite(folder: Path, quick: bool, stored: int) -> Case:
    ground, count = Ground(folder), 1_000 if quick else 200_000
    name = "ingest-sqlite" + (f"-at-{stored}" if stored else "")
    return Case(
        name=name,
        title=f"Events into SQLite, with {stored:,} there before",
        unit="event",
        memory=False,
        rounds=1 if quick else 5,
        sides=(
            Side(
                name="winnow, over HTTP",
                prepare=partial(ingestion.winnow_sqlite, ground, stored=stored, count=count),
            ),
            Side(
                name="executemany",
                prepare=partial(ingestion.executed_many, ground, stored=stored, count=count),
            ),
        ),
        promises=(
            Promise(
                name=f"{name}-over-executemany",
                fast="winnow, over HTTP",
                slow=("executemany",),
                operator=">=",
                bound=0.5,
            ),
        ),
        note=(
            f"{count:,} events a round in batches of {ingestion.BATCH}; time ends when the last is in the table. "
            f"Bare: batches of {ingestion.BARE_BATCH:,} into a file of its own with the same tables, from ready rows. "
            f"{_WHICH_IDS}"
        ),
    )


GROW = click.Option(
    ["--grow"],
    type=click.IntRange(min=0),
    default=DEFAULT_GROW,
    show_default=True,
    metavar="N",
    help="Measure ingestion with no events stored, with a tenth of N (of random ids too), and with N.",
)

if __name__ == "__main__":
    # Told to end, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(OnlineSuite().name, OnlineSuite, GROW)
