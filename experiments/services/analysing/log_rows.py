"""The log's rows of an experiment as tables, for all that counts them: results, drift, discovery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from analysis.plan import Plan
from experiments.services.identity.identified import persons_of, told
from experiments.services.ports import UnitOfWork
from experiments.services.recording.ports import Watermark

Progress = Callable[[int, int], None]
"""Called with the rows read so far, and the rows in all."""

_INSTANT = pa.timestamp("us", "UTC")
EXPOSURES = pa.schema(
    [
        ("unit_id", pa.string()),
        ("variant", pa.string()),
        ("segment", pa.string()),
        ("epoch", pa.int64()),
        ("exposed_at", _INSTANT),
        ("channel", pa.string()),
    ]
)
EVENTS = pa.schema(
    [("unit_id", pa.string()), ("name", pa.string()), ("value", pa.float64()), ("occurred_at", _INSTANT)]
)


class Rows(NamedTuple):
    """Exposures and events below a watermark, as `aggregate` takes them: all ids of a person are one unit.

    `identities` tells what that changed; None where nobody is joined.
    """

    exposures: pa.Table
    events: pa.Table
    identities: dict[str, Any] | None


def present_watermark(work: UnitOfWork, now: datetime) -> Watermark:
    """Return that of all that is durable by now, and of who is who; what is read after it is at least as new."""
    return replace(work.log.watermark(now=now), identity_revision=work.identities.revision())


def read_rows(
    work: UnitOfWork,
    experiment: str,
    plan: Plan,
    watermark: Watermark,
    progress: Progress | None = None,
    *,
    names: frozenset[str],
) -> Rows:
    """Read what the log has of an experiment, and of its units the events of these names."""
    count = _Counter(sum(work.log.counts(experiment, names, watermark)), progress)
    exposures = _table(count.rows(work.log.exposures(experiment, watermark)), EXPOSURES)
    events = _table(count.rows(work.log.events(experiment, names, watermark)), EVENTS)
    persons = persons_of(work, experiment, watermark)
    if persons is None:
        return Rows(exposures, events, None)
    return Rows(persons.own(exposures), persons.own(events), told(exposures, persons, plan))


class _Counter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total = 0, total
        self._progress = progress or (lambda done, total: None)

    def rows(self, batches: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        for batch in batches:
            yield batch
            self._done += len(batch)
            self._progress(self._done, self._total)


def _table(batches: Iterable[Sequence[Sequence[Any]]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches((_record_batch(batch, schema) for batch in batches if batch), schema)


def _record_batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
