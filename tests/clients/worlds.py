"""Random experiments and units on which other people's clients and we have to agree; the same for a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from experiments.domain.allocation import Allocation
from experiments.domain.assignment import Assignment, compile_experiment
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import SegmentPlan, Variant
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer, LayerClaim, Slot
from experiments.domain.segment import Segment, everyone
from experiments.services.assigning.catalog import Catalog, LiveExperiment
from tests.unit.builders import NOW, running

ANY: list[Any] = [None, True, False, 0, 1, 2, -1, 1.5, "", "0", "1", "true", "null", "NL", "nl", "Ünï", "𝒳", ["NL", 1],
                  [], [True], [None], {"a": 1}, {"tier": "gold"}]  # fmt: skip
# A number written as text has an order here and in no SDK alike: see docs/growthbook.md.
NO_NUMERALS = [value for value in ANY if value not in ("0", "1")]
CONTENTS: list[Any] = [None, "old", "new", "", 0, 1, False, True, {"text": "Grüße"}, [1, 2], 1.5]
IDS = ["1", "customer-42", " ", "a:b", "Müller", "顧客-七", "👩‍👩‍👧", "𝒳-1", "x" * 512]


@dataclass(frozen=True)
class World:
    """One live experiment, and units with what they see."""

    entry: LiveExperiment
    units: list[dict[str, Any]]
    answers: list[Assignment]

    @property
    def catalog(self) -> Catalog:
        live = {self.entry.experiment.key: self.entry}
        return Catalog(version=1, live=MappingProxyType(live), running=tuple(live.values()))


def worlds(seed: int, count: int, units: int) -> list[World]:
    """Return experiments with everything that bears on assignment, drawn at random."""
    draw = random.Random(seed)
    return [_world(draw, f"exp-{number}", units) for number in range(count)]


def _world(draw: random.Random, key: str, count: int) -> World:
    layer = _layer(draw, key)
    experiment = _experiment(draw, key, layer)
    assign = compile_experiment(experiment, layer)
    units = [_unit(draw, number) for number in range(count)]
    answers = [assign(str(unit["id"]), unit) for unit in units]
    return World(LiveExperiment(experiment=experiment, layer=layer, assign=assign), units, answers)


def _experiment(draw: random.Random, key: str, layer: Layer | None) -> Experiment:
    names = [f"v{number}" for number in range(draw.randint(2, 4))]
    control = draw.choice(names)
    segments = [
        Segment(key=f"s{number}", name=f"S{number}", condition=_condition(draw, depth=2))
        for number in range(draw.choice([0, 1, 2, 2, 3]))
    ]
    made = running(
        key=key,
        salt=draw.choice([key, f"sält/{key}", f"𝒳{key}"]),
        bucketing=2,
        variants=tuple(
            Variant(key=name, name=name.title(), content=draw.choice(CONTENTS), is_control=name == control)
            for name in names
        ),
        segments=tuple(_plan(draw, segment, names) for segment in (*segments, everyone())),
        layer=None if layer is None else LayerClaim(layer=layer.key, share_bp=1),
        forced={"tester-of-ours": names[0]},
    )
    status = draw.choice(["running"] * 6 + ["paused", "stopped"])
    return made.pause(NOW) if status == "paused" else made.stop(NOW) if status == "stopped" else made


def _plan(draw: random.Random, segment: Segment, names: list[str]) -> SegmentPlan:
    weights = _weights(draw, names)
    allocation = Allocation.from_weights(weights)
    for _ in range(draw.choice([0, 0, 1, 3])):
        allocation = allocation.reweighted(_weights(draw, names))
    traffic = draw.choice([BUCKETS, BUCKETS, BUCKETS, 0, 1, 2_500, 9_999, draw.randint(0, BUCKETS)])
    promoted = draw.choice([None, *names])
    return SegmentPlan(segment=segment, weights=weights, allocation=allocation, traffic_bp=traffic, promoted=promoted)


def _weights(draw: random.Random, names: list[str]) -> dict[str, int]:
    weights = {name: draw.choice([0, 1, 1, 2, 5, 33]) for name in names}
    return weights if any(weights.values()) else {**weights, names[0]: 1}


def _layer(draw: random.Random, key: str) -> Layer | None:
    if draw.random() < 0.6:
        return None
    layer = Layer(key="l", name="L", salt=f"layer of {key}", holdout_bp=draw.choice([0, 1, 1_000]), bucketing=2)
    edges = sorted(draw.sample(range(BUCKETS - 1_000), 6))
    slots = (
        Slot(start=edges[0], end=edges[1], experiment="another"),
        Slot(start=edges[1], end=edges[2], experiment=key),
        Slot(start=edges[3], end=edges[5], experiment=key),
    )
    return replace(layer, slots=slots)


def _condition(draw: random.Random, depth: int) -> dict[str, Any]:
    kind = draw.choice(["leaf"] * 4 + (["and", "or", "nor", "not", "two"] if depth else []))
    match kind:
        case "leaf":
            return _leaf(draw)
        case "not":
            return {"$not": _condition(draw, depth - 1)}
        case "two":
            return {**_leaf(draw), "$or": [_condition(draw, depth - 1)]}
    return {f"${kind}": [_condition(draw, depth - 1) for _ in range(draw.randint(1, 3))]}


def _leaf(draw: random.Random) -> dict[str, Any]:
    scalars = [value for value in ANY if not isinstance(value, list | dict)]
    path = draw.choice(["a", "b", "plan.tier"])
    some = draw.sample(scalars, 3)
    texts = draw.sample(["NL", "de", "gold", "true"], 2)
    number = draw.choice([-1, 0, 0.5, 1, 2])
    order = draw.choice(["$gt", "$gte", "$lt", "$lte"])
    return draw.choice(
        [
            {path: some[0]},
            {path: {draw.choice(["$eq", "$ne"]): some[0]}},
            {path: {draw.choice(["$in", "$nin"]): some}},
            {path: {draw.choice(["$ini", "$nini"]): texts}},
            {path: {"$exists": draw.choice([True, False])}},
            {path: {"$type": draw.choice(["null", "string", "number", "boolean", "array", "object"])}},
            {path: {"$size": draw.choice([0, 1, 2])}},
            {path: {"$not": {"$in": some, "$exists": True}}},
            {"n": {order: number}},
            {"n": {"$gte": 0, "$lt": number}},
            {"n": {"$not": {order: number}}},
            {"t": {order: draw.choice(["NL", "a", "Ü", "2026-01-05"])}},
        ]
    )


def _unit(draw: random.Random, number: int) -> dict[str, Any]:
    unit: dict[str, Any] = {"id": draw.choice([*IDS, f"customer-{number}", f"ünit-{draw.random()}", 1 + number])}
    for name, pool in (("a", ANY), ("b", ANY), ("n", NO_NUMERALS), ("t", ANY), ("plan", ANY)):
        if draw.random() < 0.8:
            unit[name] = draw.choice(pool)
    return unit
