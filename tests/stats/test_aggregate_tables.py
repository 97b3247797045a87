"""The same rows in any order, of any types, on any number of threads give the same moments."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest

from analysis.aggregate import aggregate
from analysis.moments import ArrivalKey, DayKey, MetricKey
from analysis.report import build, canonical_json
from tests.stats.aggregating import ALL_A, FOUR_CELLS, of
from tests.stats.builders import at, events, exposures, metric, moments_of, plan


def random_tables(units: int, seed: int) -> tuple[list[Any], list[Any]]:
    rng = random.Random(seed)
    exposed = [
        (f"u{i}", rng.choice("ab"), rng.choice("st"), rng.choice((1, 2)), at(rng.random())) for i in range(units)
    ]
    happened = [
        (f"u{rng.randrange(units)}", rng.choice(("visit", "order")), rng.lognormvariate(0, 3), at(rng.random() * 9))
        for _ in range(units * 6)
    ]
    return exposed, happened


RICH = plan(
    metric(),
    metric(key="spend", kind="mean", role="secondary", event_name="order", window_seconds=5),
    metric(key="basket", kind="ratio", role="secondary", event_name="order", denominator_event_name="visit"),
    segments=("s", "t"),
    cells=FOUR_CELLS,
)


def parquet(folder: Any, exposed: list[Any], happened: list[Any], threads: int) -> tuple[Any, Any]:
    """The same rows on disk in small row groups, so that several threads have something to race for."""
    connection = duckdb.connect(config={"threads": threads})
    backend = ibis.duckdb.from_connection(connection)
    tables = []
    for name, rows in (("exposures", exposures(exposed)), ("events", events(happened))):
        path = folder / f"{name}-{threads}-{len(tables)}.parquet"
        pa.parquet.write_table(rows.to_pyarrow(), path, row_group_size=2048)
        tables.append(backend.read_parquet(path, table_name=name))
    return tables[0], tables[1]


def test_shuffled_rows_and_threads_give_identical_bytes(tmp_path: Any) -> None:
    import pyarrow.parquet  # noqa: F401, PLC0415

    exposed, happened = random_tables(3_000, seed=1)
    reference = aggregate(exposures(exposed), events(happened), RICH)
    document = json.dumps(reference.to_dict())
    for threads in (1, 2, 4):
        random.Random(threads).shuffle(exposed)
        random.Random(threads).shuffle(happened)
        found = aggregate(*parquet(tmp_path, exposed, happened, threads), RICH)
        assert json.dumps(found.to_dict()) == document
        assert canonical_json(build(RICH, found)) == canonical_json(build(RICH, reference))


def test_random_tables_against_plain_python() -> None:
    """The rules again, as loops over dictionaries."""
    exposed, happened = random_tables(400, seed=2)
    found = aggregate(exposures(exposed), events(happened), RICH)
    sums: dict[str, list[float]] = {unit: [0.0, 0.0, 0.0, 0.0] for unit, *_ in exposed}
    since = {unit: exposed_at for unit, *_, exposed_at in exposed}
    for unit, name, value, occurred_at in happened:
        if occurred_at < since[unit]:
            continue
        if name == "visit":
            sums[unit][0] = 1.0
            sums[unit][3] += value
        else:
            sums[unit][2] += value
            if occurred_at < since[unit] + timedelta(seconds=5):
                sums[unit][1] += value
    for arm in sorted(found.units):
        members = [sums[unit] for unit, variant, segment, epoch, _ in exposed if (epoch, segment, variant) == arm]
        visits, spend, numerators, denominators = (list(column) for column in zip(*members, strict=True))
        assert found.units[arm] == len(members)
        for key, expected in (
            ("visits", moments_of(visits)),
            ("spend", moments_of(spend)),
            ("basket", moments_of(numerators, denominators)),
        ):
            value = found.of(MetricKey(*arm, key))
            assert np.allclose(
                [value.mean, value.m2, value.denominator_mean, value.denominator_m2, value.co_m2],
                [expected.mean, expected.m2, expected.denominator_mean, expected.denominator_m2, expected.co_m2],
                rtol=1e-9,
                atol=1e-9,
            )


def naive_utc(column: str) -> Callable[[Any], Any]:
    return lambda table: table.mutate(**{column: table[column].cast("timestamp")})


def test_columns_of_other_types_mean_the_same() -> None:
    """Numeric unit ids and timestamps without a zone, which are UTC."""
    numbers = [("1", "a", "all", 1, at(0)), ("2", "a", "all", 1, at(0))]
    happened = [("2", "visit", None, at(0)), ("1", "visit", None, at(-1))]
    exposed = exposures(numbers)
    exposed = naive_utc("exposed_at")(
        exposed.mutate(unit_id=exposed.unit_id.cast("int32"), epoch=exposed.epoch.cast("int8"))
    )
    assert of(aggregate(exposed, naive_utc("occurred_at")(events(happened)), plan())) == moments_of([0, 1])


def _zoneless(value: Any, form: str) -> Any:
    return value.replace(tzinfo=None) if form == "naive" else value.strftime(form)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    ("exposed", "occurred"),
    [
        pytest.param("naive", "naive", id="both without a zone"),
        pytest.param("naive", "%Y-%m-%dT%H:%M:%SZ", id="events with one"),
        pytest.param("%Y-%m-%d %H:%M:%S+00:00", "naive", id="exposures with one"),
        pytest.param("%Y-%m-%d %H:%M:%S", "naive", id="text without one"),
    ],
)
def test_what_has_no_time_zone_is_utc_whatever_the_session_says(zone: str, exposed: str, occurred: str) -> None:
    """Exposed at 12:00 and 23:30; a day later the second has not had its 24 hours, and an event 1 h after counts."""
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET TimeZone = '{zone}'")
    firsts = {"u": at(0), "v": at(11.5 * 3_600)}
    seen = [
        {"unit_id": unit, "variant": "a", "segment": "all", "epoch": 1, "exposed_at": _zoneless(first, exposed)}
        for unit, first in firsts.items()
    ]
    visits = [
        {
            "unit_id": unit,
            "name": "visit",
            "value": 1.0,
            "occurred_at": _zoneless(first + timedelta(hours=hour), occurred),
        }
        for unit, first in firsts.items()
        for hour in (-1, 1, 25)
    ]
    for name, rows in (("seen", seen), ("visits", visits)):
        connection.con.register("given", pa.Table.from_pylist(rows))
        connection.raw_sql(f"CREATE TABLE {name} AS FROM given")
    tables = connection.table("seen"), connection.table("visits")
    metrics = metric(kind="count", window_seconds=86_400), metric(key="ever", kind="count", role="secondary")
    found = aggregate(*tables, plan(*metrics, watermark_at=at(86_400), novelty_days=1))
    assert (of(found), of(found, "ever")) == (moments_of([1]), moments_of([2, 2]))
    assert found.maturing == {MetricKey(*ALL_A, "visits"): 1}
    assert dict(found.arrivals) == {ArrivalKey("all", "2026-03-01"): 2}
    assert dict(found.by_day) == {DayKey(*ALL_A, 0): moments_of([1])}
    connection.disconnect()
