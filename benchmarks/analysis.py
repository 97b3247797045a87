"""The engine beside the bare sums and its peers: `make bench-analysis`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import bare, ours, peers
from benchmarks.command import Tick, main
from benchmarks.harness import Case, Promise, Side, Sweep
from benchmarks.tables import EVENT_TICKS, Sizes, Tables, make_events, make_units

FULL = Sizes(users=1_000_000, events=20_000_000)
QUICK = Sizes(users=20_000, events=200_000)

PACKAGES = ("numpy", "scipy", "duckdb", "ibis-framework", "pandas", "gbstats", "tea-tasting", "spotify-confidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSuite:
    """The cases, and the tables they read."""

    name: str = "bench-analysis"
    packages: tuple[str, ...] = PACKAGES

    def make_tables(self, folder: Path, *, quick: bool, tick: Tick) -> None:
        sizes = QUICK if quick else FULL
        make_units(Tables(folder=folder), sizes.users)
        make_events(Tables(folder=folder), sizes, tick)

    @property
    def table_ticks(self) -> int:
        return EVENT_TICKS

    def cases(self, folder: Path, *, quick: bool) -> tuple[Case | Sweep, ...]:
        tables, sizes = Tables(folder=folder), QUICK if quick else FULL
        return (
            _statistics(quick),
            _units(tables, sizes, quick),
            _events(tables, sizes, quick),
            _full_result(tables, sizes, quick),
            *_sweeps(quick),
        )


def _statistics(quick: bool) -> Case:
    return Case(
        name="statistics",
        title="Full report from stored moments: five metrics, all together and six segments",
        rounds=3 if quick else 21,
        sides=(
            Side(name="winnow", prepare=ours.report_from_moments),
            Side(name="gbstats", prepare=partial(peers.gbstats_from_moments, "frequentist"), requires=(peers.GBSTATS,)),
            Side(
                name="gbstats bayesian",
                prepare=partial(peers.gbstats_from_moments, "bayesian"),
                requires=(peers.GBSTATS,),
            ),
            Side(name="gbstats inner loop", prepare=peers.gbstats_inner_loop_from_moments, requires=(peers.GBSTATS,)),
        ),
        promises=(Promise(name="statistics-speedup", fast="winnow", slow=("gbstats",), operator=">=", bound=40),),
        note=(
            "gbstats: `process_experiment_results`, what GrowthBook's server calls; its inner loop is "
            "`analyze_metric_df` on frames that are ready."
        ),
    )


def _units(tables: Tables, sizes: Sizes, quick: bool) -> Case:
    return Case(
        name="units",
        title=f"Report from a Parquet file of {sizes.users:,} units, beside the bare sums",
        rounds=2 if quick else 9,
        sides=(
            Side(name="winnow", prepare=partial(ours.report_from_units, tables)),
            Side(name="bare sums", prepare=partial(bare.sums_of_units, tables)),
        ),
        promises=(Promise(name="units-over-sums", fast="bare sums", slow=("winnow",), operator="<=", bound=2.0),),
    )


def _events(tables: Tables, sizes: Sizes, quick: bool) -> Case:
    return Case(
        name="events",
        title=f"Report from {sizes.events:,} raw events of {sizes.users:,} users, beside the bare sums",
        rounds=2 if quick else 5,
        sides=(
            Side(name="winnow", prepare=partial(ours.report_from_events, tables)),
            Side(name="bare sums", prepare=partial(bare.sums_of_events, tables)),
            Side(name="bare sums without exposures", prepare=partial(bare.sums_of_events_without_exposures, tables)),
        ),
        promises=(Promise(name="events-over-sums", fast="bare sums", slow=("winnow",), operator="<=", bound=1.5),),
        note=(
            "Bare sums: first exposure of every unit, its events after that, per unit and then per segment and "
            "variant. Without exposures they answer no question of an experiment."
        ),
    )


def _full_result(tables: Tables, sizes: Sizes, quick: bool) -> Case:
    peer_sides = (
        Side(name="gbstats", prepare=partial(peers.gbstats_from_units, tables), requires=(peers.GBSTATS,)),
        Side(
            name="tea-tasting, DuckDB",
            prepare=partial(peers.tea_tasting_from_units, tables, "duckdb"),
            requires=(peers.TEA_TASTING,),
        ),
        Side(
            name="tea-tasting, Arrow",
            prepare=partial(peers.tea_tasting_from_units, tables, "arrow"),
            requires=(peers.TEA_TASTING,),
        ),
        Side(name="spotify-confidence", prepare=partial(peers.spotify_from_units, tables), requires=(peers.SPOTIFY,)),
    )
    return Case(
        name="full-result",
        title=f"Full result from a Parquet file of {sizes.users:,} units, beside the peers",
        rounds=2 if quick else 7,
        sides=(
            Side(name="winnow", prepare=partial(ours.report_from_units, tables)),
            *peer_sides,
        ),
        promises=(
            Promise(
                name="full-result-speedup",
                fast="winnow",
                slow=tuple(side.name for side in peer_sides),
                operator=">=",
                bound=5,
            ),
        ),
        note=(
            "gbstats gets the bare sums, asked for as GrowthBook does: once for the whole, once by segment. "
            "spotify-confidence gets them from one query; it has no ratio metrics and does four of the five. "
            "tea-tasting sums by itself, once for the whole and once for each segment; its variances of large Arrow "
            "tables change from run to run on several threads, so that there only its means are compared."
        ),
    )


def _sweeps(quick: bool) -> tuple[Sweep, ...]:
    segments, metrics, arms = (1, 25, 50, 100, 200), (1, 5, 10, 20, 40), (2, 5, 10, 14, 20)
    if quick:
        segments, metrics, arms = (1, 2, 4, 6, 8), (1, 2, 4, 6, 8), (2, 3, 4, 5, 6)
    sweep = partial(Sweep, rounds=2 if quick else 15, most_when_doubled=2.5)
    return (
        sweep(
            name="segments",
            title="Report from stored moments, by number of segments (five metrics, two variants)",
            unit="segment",
            sizes=segments,
            prepare=_report_of("segments"),
        ),
        sweep(
            name="metrics",
            title="Report from stored moments, by number of metrics (six segments, two variants)",
            unit="metric",
            sizes=metrics,
            prepare=_report_of("metrics"),
        ),
        sweep(
            name="comparisons",
            title="Report from stored moments, by number of variants (five metrics, six segments)",
            unit="comparison",
            sizes=arms,
            prepare=_report_of("arms"),
            count=lambda arms: arms * (arms - 1) // 2,
            note=(
                "Every variant is compared with every other (ADR 7): k of them make k(k - 1)/2 comparisons, so time "
                "grows with the square of the number of variants."
            ),
        ),
    )


def _report_of(axis: str) -> Callable[[int], Callable[[], Any]]:
    return lambda size: ours.report_from_moments(**{axis: size}).run


if __name__ == "__main__":
    main(AnalysisSuite().name, AnalysisSuite)
