"""`make bench-segments`: its cases and what they promise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.command import Tick, main
from benchmarks.harness import Case, Promise, Side, Sweep
from benchmarks.segments import customers, following, importing, remembering
from benchmarks.segments.shop import FILES, Shop, make_purchases

PACKAGES = ("numpy", "scipy", "duckdb", "ibis-framework", "pyarrow")

FULL = (1_000_000, 20_000_000)
QUICK = (5_000, 100_000)
EVENTS, QUICK_EVENTS = 1_000_000, 10_000
UNITS, QUICK_UNITS = 20_000, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsSuite:
    """The cases, and the purchases they read."""

    name: str = "bench-segments"
    packages: tuple[str, ...] = PACKAGES
    table_ticks: int = FILES

    def make_tables(self, folder: Path, *, quick: bool, tick: Tick) -> None:
        make_purchases(_shop(folder, quick), tick)

    def cases(self, folder: Path, *, quick: bool) -> tuple[Case | Sweep, ...]:
        return _rfm(_shop(folder, quick), quick), _following(quick), _importing(folder, quick), _remembering(quick)


def _shop(folder: Path, quick: bool) -> Shop:
    customers, purchases = QUICK if quick else FULL
    return Shop(folder=folder, customers=customers, purchases=purchases)


def _rfm(shop: Shop, quick: bool) -> Case:
    return Case(
        name="rfm",
        title=f"RFM of {shop.customers:,} customers from {shop.purchases:,} purchases, beside the bare group-by",
        rounds=2 if quick else 5,
        sides=(
            Side(name="winnow", prepare=partial(customers.ours, shop)),
            Side(name="bare group-by", prepare=partial(customers.bare, shop)),
        ),
        promises=(Promise(name="rfm-over-group-by", fast="bare group-by", slow=("winnow",), operator="<=", bound=2.0),),
        note=(
            "Bare: unit, last purchase, count, sum of floats. Ours: all columns, money in whole cents, quantile cuts, "
            "scores, named groups, summary and heat map."
        ),
    )


def _following(quick: bool) -> Case:
    count = QUICK_EVENTS if quick else EVENTS
    return Case(
        name="membership",
        title=f"Membership updates of {count:,} purchases by a tenth as many customers, beside their bare ingestion",
        rounds=1 if quick else 3,
        warm_ups=1,
        unit="event",
        memory=False,
        sides=(
            Side(name="winnow", prepare=partial(following.following, count)),
            Side(name="bare ingestion", prepare=partial(following.bare, count)),
        ),
        promises=(
            Promise(
                name="membership-over-ingestion", fast="bare ingestion", slow=("winnow",), operator="<=", bound=3.0
            ),
        ),
        note=(
            "Bare: rows into SQLite's table of events, 10,000 in a transaction. Ours, of rows that are there: counts, "
            "cuts, attributes of every customer in the profiles."
        ),
    )


def _importing(folder: Path, quick: bool) -> Case:
    people = importing.Customers(folder=folder, count=(QUICK if quick else FULL)[0])
    return Case(
        name="import",
        title=f"Import of {people.count:,} customers with five attributes from CSV into PostgreSQL, beside COPY",
        rounds=1 if quick else 3,
        memory=False,
        sides=(
            Side(name="winnow", prepare=partial(importing.ours, people), requires=(importing.POSTGRES,)),
            Side(name="bare COPY", prepare=partial(importing.stored_copy, people), requires=(importing.POSTGRES,)),
            Side(name="COPY of the file", prepare=partial(importing.file_copy, people), requires=(importing.POSTGRES,)),
        ),
        promises=(Promise(name="import-over-copy", fast="bare COPY", slow=("winnow",), operator="<=", bound=2.0),),
        note=(
            "Bare: the profiles' own five columns, made beforehand, into a table like theirs, in one transaction. COPY "
            "of the file: its six columns with a primary key, which says of no value from whom and since when it is. "
            "Ours reads and checks the file, and asks whom it knows."
        ),
    )


def _remembering(quick: bool) -> Case:
    count = QUICK_UNITS if quick else UNITS
    return Case(
        name="profile",
        title="Assignment by the service with a remembered profile, beside one without",
        rounds=3 if quick else 15,
        unit="decision",
        memory=False,
        sides=(
            Side(name="with a profile", prepare=partial(remembering.with_profile, count)),
            Side(name="without", prepare=partial(remembering.without, count)),
        ),
        promises=(
            Promise(name="profile-over-none", fast="without", slow=("with a profile",), operator="<=", bound=1.3),
        ),
        note="One experiment, one condition, which the profile or the request answers; one process, one thread.",
    )


if __name__ == "__main__":
    main(SegmentsSuite().name, SegmentsSuite)
