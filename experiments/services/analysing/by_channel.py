"""Results by channel: everybody once, in the channel of the first exposure. Heavy to import.

A description, no decision: nothing is adjusted for the number of channels, so no winner is named here. The intervals
hold at every look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from analysis.aggregate import aggregate
from analysis.plan import Plan
from analysis.report import build
from analysis.serialise import canonical_json


def by_channel(plan: Plan, exposures: pa.Table, events: pa.Table) -> list[dict[str, Any]]:
    """Return what became of each channel's units, by name, and last of those of whom none was said.

    Empty where no exposure has a channel. The tables are those of the report, so that units add up to its units.
    """
    if exposures["channel"].null_count == exposures.num_rows:
        return []
    first = first_channels(exposures)
    found = sorted(pc.unique(first["channel"]).to_pylist(), key=lambda one: (one is None, one))
    plan = replace(plan, stopping_rule="always_valid", looks=None, lift_prior=None, minimum_lift=None, novelty_days=0)
    return [_told(plan, channel, _units(first, channel), exposures, events) for channel in found]


def first_channels(exposures: pa.Table) -> pa.Table:
    """A row per unit: `unit_id`, and the `channel` of the exposure that counts as its first (see `aggregate`)."""
    rows = ibis.memtable(exposures)
    order = ("exposed_at", "epoch", "segment", "variant", "channel")
    ranked = rows.mutate(rank=ibis.row_number().over(ibis.window(group_by="unit_id", order_by=order)))
    return ranked.filter(ranked.rank == 0).select("unit_id", "channel").to_pyarrow()


def _units(first: pa.Table, channel: str | None) -> pa.Array:
    here = pc.is_null(first["channel"]) if channel is None else pc.equal(first["channel"], channel)
    return first.filter(here)["unit_id"].combine_chunks()


def _told(plan: Plan, channel: str | None, units: pa.Array, exposures: pa.Table, events: pa.Table) -> dict[str, Any]:
    shown, happened = (table.filter(pc.is_in(table["unit_id"], value_set=units)) for table in (exposures, events))
    report = json.loads(canonical_json(build(plan, aggregate(ibis.memtable(shown), ibis.memtable(happened), plan))))
    return {
        "channel": channel,
        "units": report["units"],
        "units_mixed": report["units_mixed"],
        "metrics": [_metric(one) for one in report["overall"]["metrics"]],
    }


def _metric(metric: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: metric[name] for name in ("metric", "role", "kind", "direction")},
        "arms": [{name: arm[name] for name in ("variant", "units", "total", "value")} for arm in metric["arms"]],
        "comparisons": [
            {
                **{name: one[name] for name in ("treatment", "baseline")},
                **{name: _effect(one[name]) for name in ("difference", "lift")},
            }
            for one in metric["comparisons"]
        ],
    }


def _effect(effect: Mapping[str, Any]) -> dict[str, Any]:
    return {"value": effect["value"], "interval": effect["always_valid"]}
