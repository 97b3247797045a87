"""Profiles and the log as Arrow tables, with who is in which segment. Never on the path of a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.profile import Registry
from experiments.domain.segment import Segment
from experiments.services.ports import UnitOfWork
from experiments.services.profiles.ports import StoredProfile
from experiments.services.recording.ports import Watermark

AT_ONCE = 5_000
"""Profiles read by one statement."""
OUTCOME = "has bought"
_WEEK = timedelta(weeks=1)
_COLUMNS: Mapping[AttributeType, pa.DataType] = {
    AttributeType.TEXT: pa.string(),
    AttributeType.NUMBER: pa.float64(),
    AttributeType.BOOLEAN: pa.bool_(),
}
_TAKEN = frozenset({"unit_id", "self"})
_PURCHASES = pa.schema([("unit_id", pa.string()), ("value", pa.float64())])
_CONTACTS = pa.schema([("unit_id", pa.string()), ("channel", pa.string())])


class Progress(Protocol):
    """Called with what is done, with all there is where that is known, and with the label of another step."""

    def __call__(self, done: int, total: int | None, label: str | None = None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """The attributes that cards tell of; `personal` ones are left out, and `others`: no text, number or flag."""

    attributes: Mapping[str, Attribute]
    personal: tuple[str, ...]
    others: tuple[str, ...]


def described(registry: Registry) -> Described:
    """Choose what may be shown by value. DuckDB knows no difference between `City` and `city`: the first is told."""
    told: dict[str, Attribute] = {}
    personal, others, names = [], [], set(_TAKEN)
    for key, attribute in sorted(registry.attributes.items()):
        name = key.casefold()
        if attribute.personal:
            personal.append(key)
        elif attribute.type not in _COLUMNS or name in names or name.startswith("winnow_"):
            others.append(key)
        else:
            names.add(name)
            told[key] = attribute
    return Described(attributes=told, personal=tuple(personal), others=tuple(others))


def column_of(place: int) -> str:
    """The column that says who is in a segment: attributes have no blanks in their names."""
    return f"in {place}"


def units_table(
    work: UnitOfWork,
    registry: Registry,
    segments: Sequence[Segment],
    attributes: Mapping[str, Attribute],
    *,
    now: datetime,
    progress: Progress,
) -> pa.Table:
    """A row per profile that counts: `unit_id`, the attributes, and who assignment would find in which segment."""
    matches = [compile_condition(one.condition) for one in segments]
    schema = pa.schema(
        [
            ("unit_id", pa.string()),
            *((key, _COLUMNS[one.type]) for key, one in attributes.items()),
            *((column_of(place), pa.bool_()) for place in range(len(segments))),
        ]
    )
    batches, done = [], 0
    for page in _pages(work):
        known = [registry.values(stored.profile, now=now) for stored in page]
        batches.append(_batch([stored.profile.unit_id for stored in page], known, attributes, matches, schema))
        done += len(page)
        progress(done, None, "Reading profiles")
    return pa.Table.from_batches(batches, schema)


def consenting_profiles(work: UnitOfWork, unit_ids: Collection[str]) -> Mapping[str, StoredProfile]:
    """Read what is known of units; of who does not consent nothing is."""
    lacking = work.consents.lacking(unit_ids)
    return work.profiles.some([one for one in unit_ids if one not in lacking] if lacking else unit_ids)


def _pages(work: UnitOfWork) -> Iterator[Sequence[StoredProfile]]:
    """All profiles that count: of who consents, and of persons, as those of their other ids are not read any more."""
    whose, after = _persons(work), None
    while page := work.profiles.page(after=after, limit=AT_ONCE):
        units = [stored.profile.unit_id for stored in page]
        lacking = work.consents.lacking(units)
        yield [
            stored
            for stored, unit_id in zip(page, units, strict=True)
            if unit_id not in lacking and whose.get(unit_id, unit_id) == unit_id
        ]
        after = units[-1]


def _batch(
    unit_ids: Sequence[str],
    known: Sequence[Mapping[str, Any]],
    attributes: Mapping[str, Attribute],
    matches: Iterable[Callable[[Mapping[str, object]], bool]],
    schema: pa.Schema,
) -> pa.RecordBatch:
    values = [[_value(one.get(key)) for one in known] for key in attributes]
    members = [[test(one) for one in known] for test in matches]
    columns = zip([unit_ids, *values, *members], schema.types, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(column, kind) for column, kind in columns], schema=schema)


def _value(value: Any) -> Any:
    """Arrow refuses whole numbers that a float only comes near."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def purchases_table(
    work: UnitOfWork, names: Collection[str], since: datetime, watermark: Watermark, progress: Progress
) -> pa.Table:
    """Events of these names since an instant, each its person's."""
    batches, done, whose = [], 0, _persons(work)
    for rows in work.log.events_since(since, names, watermark):
        unit_ids, values = zip(*rows, strict=True)
        persons = [whose.get(unit_id, unit_id) for unit_id in unit_ids] if whose else unit_ids
        arrays = [pa.array(persons, pa.string()), pa.array(values, pa.float64())]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=_PURCHASES))
        done += len(rows)
        progress(done, None, "Reading purchases")
    return pa.Table.from_batches(batches, _PURCHASES)


def contacts_table(work: UnitOfWork, since: datetime, watermark: Watermark, progress: Progress) -> pa.Table:
    """By which channels customers were shown or did something since an instant; a pair may stand there twice."""
    batches, done, whose = [], 0, _persons(work)
    for rows in work.log.contacts_since(since, watermark):
        unit_ids, channels = zip(*rows, strict=True)
        persons = [whose.get(unit_id, unit_id) for unit_id in unit_ids] if whose else unit_ids
        batches.append(pa.RecordBatch.from_arrays([pa.array(persons), pa.array(channels)], schema=_CONTACTS))
        done += len(rows)
        progress(done, None, "Reading channels")
    return pa.Table.from_batches(batches, _CONTACTS)


def _persons(work: UnitOfWork) -> Mapping[str, str]:
    """Whose every id is that was joined to another one: profiles are of persons."""
    return {one.unit_id: one.person_id for one in work.identities.added(above=0, upto=work.identities.revision())}


def with_outcome(units: pa.Table, purchases: pa.Table) -> pa.Table:
    """The units, with whether each of them has bought."""
    bought = pc.is_in(units["unit_id"], value_set=pc.unique(purchases["unit_id"]))
    return units.append_column(OUTCOME, bought)


def arrivals(
    work: UnitOfWork, units: pa.Table, segments: Sequence[Segment], since: datetime, watermark: Watermark
) -> Mapping[str, float] | None:
    """Different members of each segment that came to be in any experiment, per week; None where nobody did.

    Where the first exposure is younger than `since`, the weeks are counted from there: at least one.
    """
    whose = _persons(work)
    found = (row for rows in work.log.exposed_since(since, watermark) for row in rows)
    shown = [(whose.get(unit_id, unit_id), at) for unit_id, at in found]
    if not shown:
        return None
    weeks = max((watermark.at - min(at for _, at in shown)) / _WEEK, 1.0)
    exposed = pc.is_in(units["unit_id"], value_set=pa.array([unit_id for unit_id, _ in shown], pa.string()))
    members = ((one.key, pc.and_(units[column_of(place)], exposed)) for place, one in enumerate(segments))
    return {key: (pc.sum(both).as_py() or 0) / weeks for key, both in members}
