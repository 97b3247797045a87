"""Which variant a unit sees: an experiment compiled once, to data and from there to a pure function."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

import mmh3

from experiments.domain.bucketing import (
    BUCKETS,
    HASHINGS,
    Hash,
    Hashing,
    bucket,
    murmur_prefix,
    traffic_salt,
    variant_salt,
)
from experiments.domain.condition import compile_condition
from experiments.domain.definition import Definition, SegmentPlan, Variant
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import HOLDOUT, Layer
from experiments.domain.split import Branch, Compiled, Gate, Salted, Split, alone


class Reason(StrEnum):
    """Why a unit sees what it sees. Only `assigned` units are counted in results."""

    ASSIGNED = "assigned"
    FORCED = "forced"
    HOLDOUT = "holdout"
    OTHER_EXPERIMENT = "other_experiment"
    NOT_IN_TRAFFIC = "not_in_traffic"
    PAUSED = "paused"
    STOPPED = "stopped"
    NO_CONSENT = "no_consent"


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


def without_consent(experiment: Experiment) -> Assignment:
    """Return what units see that do not consent, whatever is known of them: the control's content."""
    return _Answers(experiment, lambda answer: answer)(experiment.definition.control.key, Reason.NO_CONSENT)


def compile_experiment(experiment: Experiment, layer: Layer | None = None) -> Assign[Assignment]:
    """Return the pure function (unit_id, attributes) -> Assignment of a live experiment."""
    return compile_answers(experiment, layer, lambda assignment: assignment)


def compile_answers(experiment: Experiment, layer: Layer | None, present: Present[T]) -> Assign[T]:
    """Return the same with answers as `present` makes them: once each, here, and handed out ever after."""
    compiled = compile_data(experiment, layer, present)
    decide = _through(compiled.gate, _first_match(compiled))
    forced = compiled.forced
    if not forced:
        return decide
    return lambda unit_id, attributes: forced[unit_id] if unit_id in forced else decide(unit_id, attributes)


def compile_data(experiment: Experiment, layer: Layer | None, present: Present[T]) -> Compiled[T]:
    """Return what the experiment compiles to; `present` makes each answer once, and never None.

    Order of the questions: forced? paused? layer? stopped? first matching segment? traffic? bucket.
    """
    definition = experiment.definition
    hashing = HASHINGS[definition.bucketing]
    answer = _Answers(experiment, present)
    gate = None
    match experiment.status:
        case Status.RUNNING:
            gate = _gate(definition, layer, answer) if layer is not None else None
            branches = tuple(_branch(plan, _split(definition, plan, hashing, answer)) for plan in definition.segments)
        case Status.STOPPED:
            gate = _holdout(definition, layer, answer) if layer is not None and layer.holdout_bp else None
            branches = tuple(_branch(plan, _after_stop(definition, plan, answer)) for plan in definition.segments)
        case _:
            control = alone(answer(definition.control.key, Reason.PAUSED))
            branches = (_branch(definition.segments[-1], control),)
    return Compiled(
        forced={unit: answer(key, Reason.FORCED) for unit, key in definition.forced.items()},
        gate=gate,
        branches=branches,
        traffic=Salted(hashing=hashing, salt=traffic_salt(definition.salt)),
        place=Salted(hashing=hashing, salt=variant_salt(definition.salt)),
    )


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


def _gate(definition: Definition, layer: Layer, answer: _Answers[T]) -> Gate[T]:
    control, hashing = definition.control.key, HASHINGS[layer.bucketing]
    held_out, excluded = answer(control, Reason.HOLDOUT), answer(control, Reason.OTHER_EXPERIMENT)
    edges: list[int] = []
    answers: list[T | None] = []
    for start in sorted(
        {0, BUCKETS - layer.holdout_bp, *(edge for slot in layer.slots for edge in (slot.start, slot.end))}
    ):
        if start == BUCKETS:
            break
        owner = layer.owner(start)
        shown = None if owner == definition.key else held_out if owner is HOLDOUT else excluded
        if not answers or shown is not answers[-1]:
            edges.append(hashing.edge(start))
            answers.append(shown)
    return Gate(place=Salted(hashing=hashing, salt=layer.salt), edges=tuple(edges[1:]), answers=tuple(answers))


def _holdout(definition: Definition, layer: Layer, answer: _Answers[T]) -> Gate[T]:
    """Return what is left of the gate after a stop: who is held out sees no winner (ADR 32)."""
    hashing = HASHINGS[layer.bucketing]
    return Gate(
        place=Salted(hashing=hashing, salt=layer.salt),
        edges=(hashing.edge(BUCKETS - layer.holdout_bp),),
        answers=(None, answer(definition.control.key, Reason.HOLDOUT)),
    )


def _branch(plan: SegmentPlan, split: Split[T]) -> Branch[T]:
    condition = plan.segment.condition
    return Branch(condition=condition, matches=compile_condition(condition), split=split)


def _split(definition: Definition, plan: SegmentPlan, hashing: Hashing, answer: _Answers[T]) -> Split[T]:
    key, ranges, whole = plan.segment.key, plan.allocation.ranges, plan.traffic_bp == BUCKETS
    shown = {variant: answer(variant, Reason.ASSIGNED, key) for variant in plan.allocation.weights_bp}
    return Split(
        edges=tuple(hashing.edge(piece.start) for piece in ranges[1:]),
        answers=tuple(shown[piece.variant] for piece in ranges),
        traffic_edge=None if whole else hashing.edge(plan.traffic_bp),
        outside=None if whole else answer(definition.control.key, Reason.NOT_IN_TRAFFIC, key),
    )


def _after_stop(definition: Definition, plan: SegmentPlan, answer: _Answers[T]) -> Split[T]:
    return alone(answer(plan.promoted or definition.control.key, Reason.STOPPED, plan.segment.key))


def _through(gate: Gate[T] | None, inside: Assign[T]) -> Assign[T]:
    if gate is None:
        return inside
    edges, answers, place = gate.edges, gate.answers, _hash(gate.place)

    def decide(unit_id: str, attributes: Attributes) -> T:
        shown = answers[bisect_right(edges, place(unit_id))]
        return inside(unit_id, attributes) if shown is None else shown

    return decide


def _first_match(compiled: Compiled[T]) -> Assign[T]:
    """Short lists are written out, as a loop costs more than their tests."""
    *conditional, (_, everybody) = [(branch.matches, _inside(compiled, branch.split)) for branch in compiled.branches]
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


def _inside(compiled: Compiled[T], split: Split[T]) -> Callable[[str], T]:
    if compiled.place.hashing is HASHINGS[1] and len(split.answers) == 2:
        return _murmur_of_two(compiled, split)
    inside, edge, outside = _by_place(split, compiled.place), split.traffic_edge, split.outside
    if edge is None or outside is None:
        return inside
    traffic = _hash(compiled.traffic)
    return lambda unit_id: inside(unit_id) if traffic(unit_id) < edge else outside


def _murmur_of_two(compiled: Compiled[T], split: Split[T]) -> Callable[[str], T]:
    """What most experiments are: the hash written out, as a call of a function costs half as much as the hash."""
    (edge,), (below, above) = split.edges, split.answers
    place, hashed = murmur_prefix(compiled.place.salt), mmh3.hash
    traffic_edge, outside = split.traffic_edge, split.outside
    if traffic_edge is None or outside is None:
        return lambda unit_id: below if hashed(place + unit_id, 0, False) < edge else above
    traffic = murmur_prefix(compiled.traffic.salt)

    def decide(unit_id: str) -> T:
        if hashed(traffic + unit_id, 0, False) >= traffic_edge:
            return outside
        return below if hashed(place + unit_id, 0, False) < edge else above

    return decide


def _by_place(split: Split[T], salted: Salted) -> Callable[[str], T]:
    answers, edges, place = split.answers, split.edges, _hash(salted)
    match answers:
        case (only,):
            return lambda unit_id: only
        case (below, above):
            (edge,) = edges
            return lambda unit_id: below if place(unit_id) < edge else above
    return lambda unit_id: answers[bisect_right(edges, place(unit_id))]


def _hash(salted: Salted) -> Hash:
    return salted.hashing.salted(salted.salt)
