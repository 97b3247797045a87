"""Which variant a unit sees: an experiment compiled once into a pure function."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from experiments.domain.allocation import Allocation
from experiments.domain.bucketing import BUCKETS, HASHINGS, Hash, Hashing, bucket, traffic_salt, variant_salt
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
T = TypeVar("T")
Assign = Callable[[str, Attributes], T]
"""(unit_id, attributes) -> the answer in whatever form it is wanted."""
Present = Callable[[Assignment], T]


def compile_experiment(experiment: Experiment, layer: Layer | None = None) -> Assign[Assignment]:
    """Return the pure function (unit_id, attributes) -> Assignment of a live experiment."""
    return compile_answers(experiment, layer, lambda assignment: assignment)


def compile_answers(experiment: Experiment, layer: Layer | None, present: Present[T]) -> Assign[T]:
    """Return the same with answers as `present` makes them: once each, here, and handed out ever after.

    Order of the questions: forced? paused or stopped? layer? first matching segment? traffic? bucket.
    """
    definition = experiment.definition
    answer = _Answers(experiment, present)
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
    return lambda unit_id, attributes: forced[unit_id] if unit_id in forced else decide(unit_id, attributes)


def counted_variant(definition: Definition, layer: Layer | None, segment: str, unit_id: str) -> str | None:
    """Return what the version shows a unit of that segment, or None where it keeps it out of the results."""
    plan, version = definition.plan_of(segment), definition.bucketing
    if plan is None:
        return None
    if plan.traffic_bp < BUCKETS and bucket(traffic_salt(definition.salt), unit_id, version) >= plan.traffic_bp:
        return None
    if layer is not None and layer.owner(bucket(layer.salt, unit_id, layer.bucketing)) != definition.key:
        return None
    return plan.allocation.variant_at(bucket(variant_salt(definition.salt), unit_id, version))


class _Answers(Generic[T]):
    """Makes the answers of an experiment."""

    def __init__(self, experiment: Experiment, present: Present[T]) -> None:
        self._current, self._present = experiment.current, present
        self._variants: dict[str, Variant] = {variant.key: variant for variant in experiment.definition.variants}

    def __call__(self, variant: str, reason: Reason, segment: str | None = None) -> T:
        return self._present(
            Assignment(
                experiment=self._current.definition.key,
                version=self._current.number,
                epoch=self._current.epoch,
                segment=segment,
                variant=variant,
                content=self._variants[variant].content,
                reason=reason,
            )
        )


def _in_layer(definition: Definition, layer: Layer | None, answer: _Answers[T], inside: Assign[T]) -> Assign[T]:
    if layer is None:
        return inside
    control = definition.control.key
    held_out, excluded = answer(control, Reason.HOLDOUT), answer(control, Reason.OTHER_EXPERIMENT)
    owner, key = layer.owner, definition.key
    hashing = HASHINGS[layer.bucketing]
    place, places = hashing.salted(layer.salt), hashing.places

    def decide(unit_id: str, attributes: Attributes) -> T:
        owned_by = owner(place(unit_id) * BUCKETS // places)
        if owned_by == key:
            return inside(unit_id, attributes)
        return held_out if owned_by is HOLDOUT else excluded

    return decide


def _in_segments(definition: Definition, answer: _Answers[T]) -> Assign[T]:
    *conditional, (_, everybody) = [
        (compile_condition(plan.segment.condition), _in_segment(definition, plan, answer))
        for plan in definition.segments
    ]
    return _first_match(conditional, everybody)


def _first_match(
    conditional: Sequence[tuple[Callable[[Attributes], bool], Callable[[str], T]]], everybody: Callable[[str], T]
) -> Assign[T]:
    """The last segment is always everybody; short lists are written out, as a loop costs more than their tests."""
    match conditional:
        case []:
            return lambda unit_id, attributes: everybody(unit_id)
        case [(matches, inside)]:
            return lambda unit_id, attributes: inside(unit_id) if matches(attributes) else everybody(unit_id)

    def decide(unit_id: str, attributes: Attributes) -> T:
        for matches, inside in conditional:
            if matches(attributes):
                return inside(unit_id)
        return everybody(unit_id)

    return decide


def _in_segment(definition: Definition, plan: SegmentPlan, answer: _Answers[T]) -> Callable[[str], T]:
    key, hashing = plan.segment.key, HASHINGS[definition.bucketing]
    shown = {variant: answer(variant, Reason.ASSIGNED, key) for variant in plan.allocation.weights_bp}
    inside = _by_place(hashing, plan.allocation, shown, hashing.salted(variant_salt(definition.salt)))
    if plan.traffic_bp == BUCKETS:
        return inside
    outside = answer(definition.control.key, Reason.NOT_IN_TRAFFIC, key)
    traffic, edge = hashing.salted(traffic_salt(definition.salt)), hashing.edge(plan.traffic_bp)
    return lambda unit_id: inside(unit_id) if traffic(unit_id) < edge else outside


def _by_place(hashing: Hashing, allocation: Allocation, shown: Mapping[str, T], place: Hash) -> Callable[[str], T]:
    answers = [shown[piece.variant] for piece in allocation.ranges]
    edges = [hashing.edge(piece.start) for piece in allocation.ranges][1:]
    match answers:
        case [only]:
            return lambda unit_id: only
        case [below, above]:
            (edge,) = edges
            return lambda unit_id: below if place(unit_id) < edge else above
    return lambda unit_id: answers[bisect_right(edges, place(unit_id))]


def _after_stop(definition: Definition, answer: _Answers[T]) -> Assign[T]:
    *conditional, (_, everybody) = [
        (
            compile_condition(plan.segment.condition),
            answer(plan.promoted or definition.control.key, Reason.STOPPED, plan.segment.key),
        )
        for plan in definition.segments
    ]

    def decide(unit_id: str, attributes: Attributes) -> T:
        return next((shown for matches, shown in conditional if matches(attributes)), everybody)

    return decide
