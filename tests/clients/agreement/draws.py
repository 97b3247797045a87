"""Random experiments, with everything that bears on assignment, and random units; the same for a seed."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from experiments.domain.allocation import Allocation
from experiments.domain.assignment import compile_experiment
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import ExposurePolicy, SegmentPlan, Variant
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer, LayerClaim, Slot
from experiments.domain.segment import Segment, everyone
from experiments.services.assigning.catalog import LiveExperiment
from tests.unit.builders import NOW, running

Attributes = dict[str, Any]
Unit = tuple[str, Attributes]

TEXTS = [
    *("", "0", "1", "1.", "007", "-2e3", "1e999", "NL", "nl", "de", "gold", "a_b", "user@gmail.com", "gclid=Ab-1_9"),
    *("Straße", "STRASSE", "Ünï", "ΣΑΣ", "𝒳", "\uffff", "Android Mobile 14", "٣٤", "x\n", "line\r\nline", "\u2028"),
    "naïve café",
]
VERSIONS = [
    *("1.2.3", "v1.2.3", "1.2.3-beta.2", "1.2.3-beta.11", "1.10.0", "2.0.0+build", "1.2", "", "x.y"),
    "99999999999999999999.0.0",
]
NUMBERS: list[int | float] = [0, -0.0, 1, 1.0, -1, 2, 1.5, 0.1, 1e300, -1e-300, 2**53, 18, 64]
SCALARS: list[Any] = [None, True, False, *NUMBERS, *TEXTS]
LARGER: list[Any] = [
    *([], ["NL", 1], [True], [None], [0.1, "gold"], [["NL"]], [{"tier": "gold"}, 7]),
    *({}, {"a": 1}, {"a": None}, {"tier": "gold"}, {"tier": {"level": 3}}),
]
CONTENTS: list[Any] = [None, True, 0, 1.5, "", "Grüße 𝒳", [1, {"b": None}], {"text": "new", "at": [0.1]}]
"""Without `1.0`: JavaScript has no number that is not 1."""
PATTERNS = [
    *(r"Mobile", r"(Mobile|Tablet)", r"^[a-z]+@gmail\.com$", r".*gmail", r".+mail", r"gclid=[\w-]+", r"\x40gmail"),
    *(r"^\d+$", r"\bcaf", r"\Bb", r"^\w{2}$", r"^.$", r"^[^a-z]*$", r"ü", r"^x$", r"\Ax\Z", r"^[\s\S]$", r"^\D"),
    *(r"[^\W\d_]{6}", r"^(?:nl|de)$", r"(?P<n>NL)", r"^[]\-_a]", r"é\b", r"^a{,2}_", r"\u00fc", r"i{2}$|\d{2}$"),
]
IDS = [
    *("1", "customer-42", " ", "a:b", "Müller", "Mu\u0308ller", "顧客-七", "👩‍👩‍👧", "𝒳-1", "عميل"),
    *("x" * 512, "ü" * 512, "😀" * 512),
]
ALPHABETS = [
    *("abcdefghijklmnopqrstuvwxyz0123456789-", ":/.%+ ", "äöüßéèñøÅŁžđ", "абвгдЖЯ", "顧客七日本語中文", "عميلتجربة"),
    *("😀👩🚀🏳", "𝒳𝒴𐍈𝟘", "\u0301\u200d\u00ad\ufeff\ue000\uffff"),
]


def experiments(draw: random.Random, count: int) -> list[LiveExperiment]:
    return [_live(draw, f"exp-{number}") for number in range(count)]


def units(draw: random.Random, count: int) -> list[Unit]:
    return [(_unit_id(draw), _attributes(draw)) for _ in range(count)]


def _unit_id(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.02:
        return draw.choice(IDS)
    if kind < 0.5:
        return f"customer-{draw.getrandbits(40)}"
    letters = "".join(draw.sample(ALPHABETS, 2))
    return "".join(draw.choices(letters, k=draw.choice([1, 2, 3, 4, 5, 8, 13])))


def _attributes(draw: random.Random) -> Attributes:
    made: Attributes = {}
    for name, pool in (("a", SCALARS), ("t", TEXTS), ("n", NUMBERS), ("v", VERSIONS), ("l", LARGER), ("any", SCALARS)):
        chance = draw.random()
        if chance < 0.7:
            made[name] = draw.choice(pool)
        elif chance < 0.8:
            made[name] = draw.choice(LARGER if chance < 0.75 else SCALARS)
    if draw.random() < 0.5:
        made["plan"] = {"tier": draw.choice(SCALARS), "deep": {"er": draw.choice(LARGER)}}
    return made


def _live(draw: random.Random, key: str) -> LiveExperiment:
    layer = _layer(draw, key) if draw.random() < 0.4 else None
    experiment = _experiment(draw, key, layer)
    return LiveExperiment(experiment=experiment, layer=layer, assign=compile_experiment(experiment, layer))


def _experiment(draw: random.Random, key: str, layer: Layer | None) -> Experiment:
    names = [f"v{number}" for number in range(draw.randint(2, 6))]
    control = draw.choice(names)
    segments = [
        Segment(key=f"s{number}", name=f"S{number}", condition=condition(draw, depth=2))
        for number in range(draw.choice([0, 1, 1, 2, 3, 5]))
    ]
    made = running(
        key=key,
        salt=draw.choice([key, f"sält/{key}", f"𝒳{key}", "x" * 200]),
        bucketing=draw.choice([1, 2]),
        variants=tuple(
            Variant(key=name, name=name, content=draw.choice(CONTENTS), is_control=name == control) for name in names
        ),
        segments=tuple(_plan(draw, segment, names) for segment in (*segments, everyone())),
        layer=None if layer is None else LayerClaim(layer=layer.key, share_bp=1),
        forced=dict.fromkeys(draw.sample(IDS, draw.choice([0, 0, 2])), names[0]),
        exposure_policy=draw.choice(list(ExposurePolicy)),
    )
    status = draw.choice(["running"] * 8 + ["paused", "stopped"])
    return made.pause(NOW) if status == "paused" else made.stop(NOW) if status == "stopped" else made


def _plan(draw: random.Random, segment: Segment, names: list[str]) -> SegmentPlan:
    weights = _weights(draw, names)
    allocation = Allocation.from_weights(weights)
    # As promotions, ramps and adaptive batches leave them: many ranges at odd edges.
    for _ in range(draw.choice([0, 0, 1, 3, 12])):
        allocation = allocation.reweighted(_weights(draw, names))
    traffic = draw.choice([BUCKETS, BUCKETS, BUCKETS, 0, 1, 2_500, 9_999, draw.randint(0, BUCKETS)])
    promoted = draw.choice([None, *names])
    return SegmentPlan(segment=segment, weights=weights, allocation=allocation, traffic_bp=traffic, promoted=promoted)


def _weights(draw: random.Random, names: list[str]) -> dict[str, int]:
    weights = {name: draw.choice([0, 1, 1, 2, 5, 33, 977]) for name in names}
    return weights if any(weights.values()) else {**weights, names[0]: 1}


def _layer(draw: random.Random, key: str) -> Layer:
    edges = sorted(draw.sample(range(BUCKETS - 1_000), 6))
    slots = (
        Slot(start=edges[0], end=edges[1], experiment="another"),
        Slot(start=edges[1], end=edges[2], experiment=key),
        Slot(start=edges[2], end=edges[3], experiment=key),
        Slot(start=edges[4], end=edges[5], experiment=key),
    )
    plain = Layer(key=f"layer-{key}", name="L", salt=f"lagerü {key}", bucketing=draw.choice([1, 2]))
    return replace(plain, holdout_bp=draw.choice([0, 1, 1_000]), slots=slots)


def condition(draw: random.Random, depth: int) -> dict[str, Any]:
    kind = draw.choice(["leaf"] * 4 + (["$and", "$or", "$nor", "$not", "two"] if depth else []))
    match kind:
        case "leaf":
            return _leaf(draw)
        case "$not":
            return {"$not": condition(draw, depth - 1)}
        case "two":
            return {**_leaf(draw), "$or": [condition(draw, depth - 1)]}
    return {kind: [condition(draw, depth - 1) for _ in range(draw.randint(1, 3))]}


def _leaf(draw: random.Random) -> dict[str, Any]:
    path = draw.choice(["a", "l", "any", "plan.tier", "plan.deep.er", "plan.deep.er.tier"])
    some, texts = draw.sample(SCALARS, 4), draw.sample([text for text in TEXTS if text], 2)
    bound = draw.choice([*NUMBERS, *texts])
    order = draw.choice(["gt", "gte", "lt", "lte"])
    version = draw.choice([text for text in VERSIONS if text[:1].isdigit()])
    operator = draw.choice(
        [
            {"$eq": draw.choice([*SCALARS, *LARGER])},
            {"$ne": draw.choice([*SCALARS, *LARGER])},
            {draw.choice(["$in", "$nin"]): some},
            {draw.choice(["$ini", "$nini", "$alli"]): texts},
            {"$all": draw.choice([[], [1], ["NL", 1], [{"tier": "gold"}]])},
            {"$exists": draw.choice([True, False])},
            {"$type": draw.choice(["null", "string", "number", "boolean", "array", "object"])},
            {"$size": draw.choice([0, 1, 2, {"$gt": 1}])},
            {"$elemMatch": draw.choice([{"$eq": "gold"}, {"tier": "gold"}, {"$gt": 0}])},
            {"$not": {f"${order}": bound}},
            {f"${order}": bound},
        ]
    )
    return draw.choice(
        [
            {path: draw.choice(SCALARS)},
            {path: operator},
            {path: operator},
            {"n": {f"${order}": draw.choice(NUMBERS)}},
            {"t": {f"${order}": draw.choice(texts)}},
            {"v": {f"$v{order}": version}},
            {"v": {draw.choice(["$veq", "$vne"]): version}},
            {"t": {draw.choice(["$regex", "$regexi"]): draw.choice(PATTERNS)}},
        ]
    )
