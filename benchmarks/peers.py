"""Peers on the same question, each the way its documentation shows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Literal

from analysis.moments import MetricKey, Moments, MomentTable
from analysis.plan import MetricPlan, Plan
from benchmarks.bare import OVERALL, UNIT_SUMS, UNIT_SUMS_OVERALL, Sums, SumsByArm, sums_as_they_are, sums_by_arm
from benchmarks.harness import Numbers, Work
from benchmarks.questions import CONTROL, METRICS, SEGMENTS, TREATMENT, moment_table, question
from benchmarks.tables import Tables, connect, ibis_connect

StatsEngine = Literal["frequentist", "bayesian"]

GBSTATS, TEA_TASTING, SPOTIFY = "gbstats", "tea_tasting", "spotify_confidence"

VARIANTS = (CONTROL, TREATMENT)
_EFFECT = f"{TREATMENT}/{CONTROL}"


def _import(name: str) -> Any:
    """Peers are not installed where types are checked."""
    return import_module(name)


def sums_of(plan: Plan, table: MomentTable) -> SumsByArm:
    """Stored moments as the raw sums that peers take."""
    found: dict[tuple[str, str, str], Sums] = {}
    for cell in plan.cells:
        for variant in plan.variants:
            for metric in plan.metrics:
                sums = _raw(table.of(MetricKey(cell.epoch, cell.segment, variant, metric.key)))
                found[cell.segment, variant, metric.key] = sums
                total = found.get((OVERALL, variant, metric.key))
                found[OVERALL, variant, metric.key] = sums if total is None else total + sums
    return found


def _raw(moments: Moments) -> Sums:
    n, x, y = moments.n, moments.mean, moments.denominator_mean
    return Sums(
        n=n,
        x=n * x,
        xx=moments.m2 + n * x * x,
        y=n * y,
        yy=moments.denominator_m2 + n * y * y,
        xy=moments.co_m2 + n * x * y if y else 0.0,
    )


def gbstats_from_moments(engine: StatsEngine) -> Work:
    """What GrowthBook's server calls, on the rows that its warehouse query would return."""
    plan = question()
    process = _quiet(_import("gbstats.gbstats").process_experiment_results)
    data = gbstats_input(sums_of(plan, moment_table(plan)), engine)
    return Work(run=lambda: process(data), numbers=gbstats_numbers)


def gbstats_inner_loop_from_moments() -> Work:
    """Its statistics alone, on data frames that are ready: no call does less and still gives all the numbers."""
    module, settings = _import("gbstats.gbstats"), _import("gbstats.models.settings")
    pandas = _import("pandas")
    plan = question()
    data = gbstats_input(sums_of(plan, moment_table(plan)), "frequentist")
    analysis = settings.AnalysisSettingsForStatsEngine(**data["analyses"][0])
    frames = []
    for result in data["query_results"]:
        for index, key in enumerate(result["metrics"]):
            rows = pandas.DataFrame(module.filter_query_rows(result["rows"], index))
            frame = module.get_metric_df(rows, module.get_var_id_map(analysis.var_ids), analysis.var_names)
            frames.append((frame, settings.MetricSettingsForStatsEngine(**data["metrics"][key])))
    analyse = _quiet(module.analyze_metric_df)

    def run() -> list[tuple[str, Any]]:
        return [(metric.id, analyse(frame.copy(), metric, analysis)) for frame, metric in frames]

    return Work(run=run, numbers=_gbstats_frame_numbers)


def _gbstats_frame_numbers(frames: Sequence[tuple[str, Any]]) -> Numbers:
    return {
        f"lift/{dimension or 'all'}/{_EFFECT}/{metric}": float(lift)
        for metric, frame in frames
        for dimension, lift in zip(frame["dimension"], frame["v1_expected"], strict=True)
    }


def gbstats_from_units(tables: Tables) -> Work:
    """GrowthBook asks its warehouse once for the whole and once by segment, for all metrics of a table together."""
    process = _quiet(_import("gbstats.gbstats").process_experiment_results)
    connection = connect()

    def run() -> Any:
        overall = connection.execute(UNIT_SUMS_OVERALL.format(source=f"'{tables.units}'")).fetchall()
        by_segment = connection.execute(UNIT_SUMS.format(source=f"'{tables.units}'")).fetchall()
        return process(gbstats_input(sums_as_they_are([*overall, *by_segment]), "frequentist"))

    return Work(run=run, numbers=gbstats_numbers)


def gbstats_input(sums: SumsByArm, engine: StatsEngine, **settings: object) -> dict[str, Any]:
    """One query without a dimension, one by segment, as two snapshots of GrowthBook; all metrics in each."""
    return {
        "metrics": {metric.key: _gbstats_metric(metric) for metric in METRICS},
        "analyses": [
            {
                "var_names": list(VARIANTS),
                "var_ids": list(VARIANTS),
                "weights": [0.5, 0.5],
                "stats_engine": engine,
            }
            | settings
        ],
        "query_results": [
            {
                "rows": [_gbstats_row(sums, segment, variant) for segment in segments for variant in VARIANTS],
                "metrics": [metric.key for metric in METRICS],
            }
            for segments in ((OVERALL,), SEGMENTS)
        ],
    }


def _gbstats_metric(metric: MetricPlan) -> dict[str, Any]:
    kind = "binomial" if metric.kind == "conversion" else "count"
    settings = {"id": metric.key, "name": metric.key, "statistic_type": "mean", "main_metric_type": kind}
    if metric.kind == "ratio":
        settings |= {"statistic_type": "ratio", "denominator_metric_type": "count"}
    return settings | {"inverse": metric.direction == "decrease"}


def _gbstats_row(sums: SumsByArm, segment: str, variant: str) -> dict[str, Any]:
    row: dict[str, Any] = {"dimension": segment, "variation": variant}
    for index, metric in enumerate(METRICS):
        of = sums[segment, variant, metric.key]
        row |= {"users": of.n, "count": of.n, f"m{index}_id": metric.key}
        row |= {f"m{index}_main_sum": of.x, f"m{index}_main_sum_squares": of.xx}
        if metric.kind == "ratio":
            row |= {
                f"m{index}_denominator_sum": of.y,
                f"m{index}_denominator_sum_squares": of.yy,
                f"m{index}_main_denominator_sum_product": of.xy,
            }
    return row


def gbstats_numbers(results: Sequence[Mapping[str, Any]]) -> Numbers:
    """Lifts: its intervals and p-values are of the lift by the delta method, ours invert the test of the difference."""
    return {
        f"lift/{dimension['dimension'] or 'all'}/{_EFFECT}/{result['metric']}": float(
            dimension["variations"][1]["expected"]
        )
        for result in results
        for dimension in result["analyses"][0]["dimensions"]
    }


def tea_tasting_from_units(tables: Tables, where: Literal["duckdb", "arrow"]) -> Work:
    """An experiment is analysed by segment by handing in the segment's rows."""
    experiment = tea_tasting_experiment()
    rows_of = _ibis_rows(tables) if where == "duckdb" else _arrow_rows(tables)

    def run() -> dict[str, Any]:
        return {name or "all": experiment.analyze(rows, control=CONTROL) for name, rows in rows_of()}

    return Work(run=run, numbers=tea_tasting_numbers if where == "duckdb" else _means_only)


def tea_tasting_experiment() -> Any:
    tt = _import("tea_tasting")
    return tt.Experiment(
        ordered=tt.Mean("ordered"),
        visits=tt.Mean("visits"),
        revenue=tt.Mean("revenue"),
        refunds=tt.Mean("refunds"),
        revenue_per_visit=tt.RatioOfMeans("revenue", "visits"),
    )


def _ibis_rows(tables: Tables) -> Callable[[], Iterator[tuple[str, Any]]]:
    units = ibis_connect().read_parquet(tables.units)

    def rows() -> Iterator[tuple[str, Any]]:
        yield OVERALL, units
        for segment in SEGMENTS:
            yield segment, units.filter(units.segment == segment)

    return rows


def _arrow_rows(tables: Tables) -> Callable[[], Iterator[tuple[str, Any]]]:
    """In memory; the file is read in every run, as there is no other way to look at it."""
    parquet, compute = _import("pyarrow.parquet"), _import("pyarrow.compute")
    columns = ["variant", "segment", "ordered", "visits", "revenue", "refunds"]

    def rows() -> Iterator[tuple[str, Any]]:
        units = parquet.read_table(tables.units, columns=columns)
        yield OVERALL, units
        for segment in SEGMENTS:
            yield segment, units.filter(compute.field("segment") == segment)

    return rows


def tea_tasting_numbers(results: Mapping[str, Any]) -> Numbers:
    numbers: dict[str, float] = {}
    for where, result in results.items():
        for metric in METRICS:
            found = result[metric.key]
            name = f"{where}/{_EFFECT}/{metric.key}"
            numbers |= {
                f"difference/{name}": float(found.effect_size),
                f"lift/{name}": float(found.rel_effect_size),
                f"welch_p/{name}": float(found.pvalue),
            }
    return numbers


def _means_only(results: Mapping[str, Any]) -> Numbers:
    """Of an Arrow table of 100,000 rows it finds a wrong variance in a third of the runs, on two threads."""
    return {name: value for name, value in tea_tasting_numbers(results).items() if not name.startswith("welch_p/")}


def spotify_from_units(tables: Tables) -> Work:
    """A test per metric on a frame of sums, all together and by segment; it has no ratio metrics."""
    pandas, confidence = _import("pandas"), _import("spotify_confidence")
    connection = connect()

    def run() -> dict[tuple[str, str], Any]:
        sums = _sums(connection, tables)
        return dict(_spotify_differences(pandas, confidence, sums))

    return Work(run=_quiet(run), numbers=_spotify_numbers)


def _spotify_differences(pandas: Any, confidence: Any, sums: SumsByArm) -> Iterator[tuple[tuple[str, str], Any]]:
    for metric in METRICS:
        if metric.kind == "ratio":
            continue
        for segments in ((OVERALL,), SEGMENTS):
            rows = [
                (segment, variant, *sums[segment, variant, metric.key][:3])
                for segment in segments
                for variant in VARIANTS
            ]
            frame = pandas.DataFrame(rows, columns=["segment", "variant", "n", "x", "xx"])
            test = confidence.StudentsTTest(
                frame,
                numerator_column="x",
                numerator_sum_squares_column="xx",
                denominator_column="n",
                categorical_group_columns=["variant", "segment"],
            )
            for row in test.difference(level_1=CONTROL, level_2=TREATMENT, groupby="segment").to_dict("records"):
                yield (row["segment"], metric.key), row


def _spotify_numbers(rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> Numbers:
    numbers: dict[str, float] = {}
    for (segment, metric), row in rows.items():
        name = f"{segment or 'all'}/{_EFFECT}/{metric}"
        numbers |= {f"difference/{name}": float(row["difference"]), f"welch_p/{name}": float(row["p-value"])}
    return numbers


def _sums(connection: Any, tables: Tables) -> SumsByArm:
    return sums_by_arm(connection.execute(UNIT_SUMS.format(source=f"'{tables.units}'")).fetchall())


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Without what pandas has to say about their code."""
    return partial(_run_quietly, function)


def _run_quietly(function: Callable[..., Any], *args: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args)
