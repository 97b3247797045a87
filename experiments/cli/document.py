"""What is stored, as the documents that the API answers with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from typing import Any

import click

from experiments.domain.definition import SegmentPlan
from experiments.domain.experiment import Experiment
from experiments.services.authoring.wishes import wish_of
from experiments.services.paging import Stored

Doc = dict[str, Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


def print_json(document: object) -> None:
    """Print a document as commands do."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def experiment_document(experiment: Experiment) -> Doc:
    """Return the state of an experiment, its definition as authors write it, and what became of its segments."""
    return {
        "key": experiment.key,
        "status": experiment.status.value,
        "version": experiment.current.number,
        "epoch": experiment.current.epoch,
        **{
            name: _plain(getattr(experiment, name))
            for name in ("revision", "created_at", "updated_at", "started_at", "stopped_at")
        },
        "definition": _plain(wish_of(experiment.definition)),
        "segments": [_segment_document(plan) for plan in experiment.definition.segments],
    }


def library_document(stored: Stored[Any]) -> Doc:
    """Return a named thing with its revision; the slots of a layer stand beside its definition."""
    definition = _plain(stored.value)
    slots = {"slots": definition.pop("slots")} if "slots" in definition else {}
    return {
        "key": stored.value.key,
        "revision": stored.revision,
        "updated_at": _plain(stored.updated_at),
        "definition": definition,
        **slots,
    }


def _segment_document(plan: SegmentPlan) -> Doc:
    return {
        "segment": plan.segment.key,
        "name": plan.segment.name,
        "condition": _plain(plan.segment.condition),
        "weights": _plain(plan.weights),
        "weights_bp": _plain(plan.allocation.weights_bp),
        "ranges": _plain(plan.allocation.ranges),
        **{name: getattr(plan, name) for name in ("traffic_bp", "since_epoch", "promoted", "promotion", "declined")},
    }


def _plain(value: Any) -> Any:
    """Return a domain value as JSON; enums of ours are texts already."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return value.isoformat() if isinstance(value, datetime) else value
