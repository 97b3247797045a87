"""Which variant a unit sees: an experiment compiled once into a pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from experiments.domain.bucketing import BUCKETS, bucket, traffic_salt, variant_salt
from experiments.domain.condition import compile_condition
from experiments.domain.definition import Definition, SegmentPlan, Variant
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import HOLDOUT, Layer


class Reason(StrEnum):
    """Why a unit sees what it sees. Only `assigned` units are counted in results."""

    ASSIGNED = "assigned"
    FORCED = "forced"
    HOLDOUT = "holdout"
    OTHER_EXPERIMENT = "other_experiment"
    NOT_IN_TRAFFIC = "not_in_traffic"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The answer; built once per variant and segment and handed out. `segment` is None where none was looked at."""

    experiment: str
    version: int
    epoch: int
    segment: str | None
    variant: str
    content: Any
    reason: Reason


Attributes = Mapping[str, Any]
Assign = Callable[[str, Attributes], Assignment]


def compile_experiment(experiment: Experiment, layer: Layer | None = None) -> Assign:
    """Return the pure function (unit_id, attributes) -> Assignment of a live experiment.

    Order of the questions: forced? paused or stopped? layer? first matching segment? traffic? bucket.
    """
    definition = experiment.definition
    answer = _Answers(experiment)
    forced = {unit: answer(key, Reason.FORCED) for unit, key in definition.forced.items()}
    match experiment.status:
        case Status.RUNNING:
            decide = _in_layer(definition, layer, answer, _in_segments(definition, answer))
        case Status.STOPPED:
            decide = _after_stop(definition, answer)
        case _:
            control = answer(definition.control.key, Reason.PAUSED)
            decide = lambda unit_id, attributes: control  # noqa: E731
    if not forced:
        return decide
    return lambda unit_id, attributes: forced.get(unit_id) or decide(unit_id, attributes)


def counted_variant(definition: Definition, layer: Layer | None, segment: str, unit_id: str) -> str | None:
    """Return what the version shows a unit of that segment, or None where it keeps it out of the results."""
    plan = definition.plan_of(segment)
    if plan is None or not _in_traffic(plan, definition.salt, unit_id):
        return None
    if layer is not None and layer.owner(bucket(layer.salt, unit_id)) != definition.key:
        return None
    return plan.allocation.variant_at(bucket(variant_salt(definition.salt), unit_id))


class _Answers:
    def __init__(self, experiment: Experiment) -> None:
        self._current = experiment.current
        self._variants: dict[str, Variant] = {variant.key: variant for variant in experiment.definition.variants}

    def __call__(self, variant: str, reason: Reason, segment: str | None = None) -> Assignment:
        return Assignment(
            experiment=self._current.definition.key,
            version=self._current.number,
            epoch=self._current.epoch,
            segment=segment,
            variant=variant,
            content=self._variants[variant].content,
            reason=reason,
        )


def _in_traffic(plan: SegmentPlan, salt: str, unit_id: str) -> bool:
    return plan.traffic_bp == BUCKETS or bucket(traffic_salt(salt), unit_id) < plan.traffic_bp


def _in_layer(definition: Definition, layer: Layer | None, answer: _Answers, inside: Assign) -> Assign:
    if layer is None:
        return inside
    control = definition.control.key
    held_out, excluded = answer(control, Reason.HOLDOUT), answer(control, Reason.OTHER_EXPERIMENT)
    salt, owner, key = layer.salt, layer.owner, definition.key

    def decide(unit_id: str, attributes: Attributes) -> Assignment:
        owned_by = owner(bucket(salt, unit_id))
        if owned_by == key:
            return inside(unit_id, attributes)
        return held_out if owned_by is HOLDOUT else excluded

    return decide


def _in_segments(definition: Definition, answer: _Answers) -> Assign:
    segments = [
        (compile_condition(plan.segment.condition), _in_segment(definition, plan, answer))
        for plan in definition.segments
    ]

    def decide(unit_id: str, attributes: Attributes) -> Assignment:
        return next(inside for matches, inside in segments if matches(attributes))(unit_id)

    return decide


def _in_segment(definition: Definition, plan: SegmentPlan, answer: _Answers) -> Callable[[str], Assignment]:
    key, salt = plan.segment.key, variant_salt(definition.salt)
    outside = answer(definition.control.key, Reason.NOT_IN_TRAFFIC, key)
    inside = {variant: answer(variant, Reason.ASSIGNED, key) for variant in plan.allocation.weights_bp}
    variant_at = plan.allocation.lookup()

    def decide(unit_id: str) -> Assignment:
        if not _in_traffic(plan, definition.salt, unit_id):
            return outside
        return inside[variant_at(bucket(salt, unit_id))]

    return decide


def _after_stop(definition: Definition, answer: _Answers) -> Assign:
    shown = [
        (
            compile_condition(plan.segment.condition),
            answer(plan.promoted or definition.control.key, Reason.STOPPED, plan.segment.key),
        )
        for plan in definition.segments
    ]
    return lambda unit_id, attributes: next(answer for matches, answer in shown if matches(attributes))
