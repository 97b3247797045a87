"""An experiment's units as discovery wants them: who was in which arm, what came of it, and what was known of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa

from analysis.plan import Plan
from analysis.units import KINDS, unit_values
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.nearest import did_you_mean
from experiments.domain.profile import Known, Profile, Registry
from experiments.services.analysing.log_rows import read_rows
from experiments.services.ports import UnitOfWork
from experiments.services.recording.ports import Watermark
from experiments.services.segments.tables import AT_ONCE, Progress, consenting_profiles
from experiments.services.studies.lateness import Late, LateUnits, said_by, why_late

TYPES: Mapping[AttributeType, pa.DataType] = {
    AttributeType.NUMBER: pa.float64(),
    AttributeType.BOOLEAN: pa.bool_(),
    AttributeType.TEXT: pa.string(),
}
"""What a tree can cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownUnits:
    """What is known of units, a column per attribute; `late`: of how many that came about after their exposure."""

    columns: Mapping[str, pa.Array]
    late: Mapping[str, Mapping[Late, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Units of two arms that were drawn in one proportion, as places in the table of all; `outside`: in others."""

    places: Sequence[int]
    outside: int


def metric_plan(plan: Plan, key: str | None) -> Plan:
    """Return the plan with that metric alone, as the primary one. Raises InvalidInput."""
    metric = plan.primary if key is None else next((one for one in plan.metrics if one.key == key), None)
    if metric is None:
        hint = did_you_mean(str(key), [one.key for one in plan.metrics])
        raise InvalidInput("metric_unknown", f"The experiment has no metric {key!r}.{hint}", path="/metric")
    if metric.kind not in KINDS:
        message = f"{metric.key!r} is a {metric.kind}, which has no number of its own for each unit."
        raise InvalidInput("metric_unfit", message, path="/metric")
    alone = replace(metric, role="primary", margin_lift=None, covariates=())
    return replace(plan, metrics=(alone,), stopping_rule="fixed_horizon", looks=None)


def units_of(work: UnitOfWork, experiment: str, plan: Plan, watermark: Watermark, progress: Progress) -> pa.Table:
    """Return the units that count, with their values, as `unit_values` does; all ids of a person are one unit."""
    names = frozenset(plan.primary.event_names)

    def tell(done: int, total: int) -> None:
        progress(done, total, "Reading exposures and events")

    rows = read_rows(work, experiment, plan, watermark, tell, names=names)
    return unit_values(ibis.memtable(rows.exposures), ibis.memtable(rows.events), plan)


def known_of(
    work: UnitOfWork,
    registry: Registry,
    attributes: Mapping[str, Attribute],
    units: pa.Table,
    joined: Collection[tuple[str, datetime]],
    *,
    now: datetime,
    progress: Progress,
) -> KnownUnits:
    """Return what their profiles say now, and how much of it is late; `joined` as `joined_late` returns it."""
    only = registry.only(attributes.keys())
    unit_ids, exposed = units["unit_id"].to_pylist(), units["exposed_at"].to_pylist()
    values: dict[str, list[Any]] = {name: [] for name in attributes}
    late: dict[str, Counter[Late]] = {name: Counter() for name in attributes}
    for start in range(0, len(unit_ids), AT_ONCE):
        part = unit_ids[start : start + AT_ONCE]
        stored, wholly = consenting_profiles(work, part), LateUnits(said=said_by(work, part), joined=joined)
        for unit_id, exposed_at in zip(part, exposed[start : start + AT_ONCE], strict=True):
            profile = stored[unit_id].profile if unit_id in stored else Profile(unit_id=unit_id)
            known, why = only.lay(profile, now=now).known, wholly.why(unit_id, exposed_at)
            for name, column in values.items():
                column.append(_value(known.get(name)))
                if found := why or why_late(profile, known.get(name), name, exposed_at):
                    late[name][found] += 1
        progress(min(start + AT_ONCE, len(unit_ids)), len(unit_ids), "Reading profiles")
    columns = {name: pa.array(column, TYPES[attributes[name].type]) for name, column in values.items()}
    return KnownUnits(columns=columns, late=late)


def _value(known: Known | None) -> Any:
    """Arrow refuses whole numbers that a float only comes near."""
    value = None if known is None else known.value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def compared(units: pa.Table, plan: Plan, treatment: str) -> Compared:
    """Choose the units of treatment and control where these were drawn in one proportion: that with the most units.

    To pool proportions would lay what differs between segments, or between one week and another, to the treatment.
    """
    odds = {(cell.epoch, cell.segment): _proportion(cell.weights, treatment, plan.control) for cell in plan.cells}
    places: dict[float, list[int]] = {}
    outside = 0
    rows = zip(*(units[name].to_pylist() for name in ("epoch", "segment", "variant", "value")), strict=True)
    for place, (epoch, segment, variant, value) in enumerate(rows):
        if variant not in (treatment, plan.control):
            continue
        proportion = odds[epoch, segment]
        if proportion is None or value is None:
            outside += 1
        else:
            places.setdefault(proportion, []).append(place)
    most = max(places.values(), key=len, default=[])
    return Compared(places=most, outside=outside + sum(map(len, places.values())) - len(most))


def _proportion(weights: Mapping[str, float], treatment: str, control: str) -> float | None:
    one, other = weights.get(treatment, 0.0), weights.get(control, 0.0)
    return round(one / (one + other), 9) if one and other else None
