"""Which variant a unit sees: one experiment of the catalog document, compiled to a pure function."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from winnow_client.condition import compile_condition
from winnow_client.hashing import BUCKETINGS, BUCKETS, Bucketing, Place
from winnow_client.values import Test

Document = Mapping[str, Any]
Attributes = Mapping[str, Any] | None
DecidedBy = Literal["chance", "segment", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The answer. It is built once and handed out ever after: do not change what is in `content`.

    `reason` is Winnow's (`assigned`, `forced`, `holdout`, `other_experiment`, `not_in_traffic`, `paused`, `stopped`),
    or `unknown` where the catalog has no such experiment, there is no catalog yet, or the id is unfit to be one: then
    `variant` is None. `decided_by`: whether an assigned unit sees this by chance, by its segment, or as everybody does.
    `exposes`: asking is showing.
    """

    experiment: str
    version: int = 0
    epoch: int = 0
    segment: str | None = None
    variant: str | None = None
    content: Any = None
    reason: str = "unknown"
    decided_by: DecidedBy = "nothing"
    exposes: bool = False

    @property
    def counted(self) -> bool:
        """Whether the unit is part of the results once it is exposed."""
        return self.reason == "assigned"


Assign = Callable[[str, Attributes], Assignment]
_Inside = Callable[[str], Assignment]
_Answer = Callable[..., Assignment]


def compile_experiment(document: Document) -> Assign:
    """Return the function (unit_id, attributes) -> Assignment. Raises KeyError, TypeError or ValueError if it cannot.

    Order of the questions: forced? paused? layer? stopped? first matching segment? traffic? bucket.
    """
    answer = _answers(document)
    forced = {unit: answer(variant, "forced") for unit, variant in document["forced"].items()}
    match document["status"]:
        case "running":
            decide = _in_layer(document, answer, _by_segment(document, _plans(document, answer)))
        case "stopped":
            after = [_after_stop(segment, answer) for segment in document["segments"]]
            decide = _in_layer(document, answer, _by_segment(document, after))
        case "paused":
            control = answer(document["control"], "paused")
            decide = lambda unit_id, attributes: control  # noqa: E731
        case other:
            raise ValueError(f"status {other!r} is not known here")
    if not forced:
        return decide
    return lambda unit_id, attributes: forced[unit_id] if unit_id in forced else decide(unit_id, attributes)


def _answers(document: Document) -> _Answer:
    contents = {variant["key"]: variant["content"] for variant in document["variants"]}
    shows = document["exposure_policy"] == "on_assignment"

    def answer(variant: str, reason: str, segment: str | None = None, decided_by: DecidedBy = "nothing") -> Assignment:
        return Assignment(
            experiment=document["key"],
            version=document["version"],
            epoch=document["epoch"],
            segment=segment,
            variant=variant,
            content=contents[variant],
            reason=reason,
            decided_by=decided_by,
            exposes=shows and reason == "assigned",
        )

    return answer


def _bucketing(document: Document) -> Bucketing:
    version = document["bucketing"]
    if version not in BUCKETINGS:
        raise ValueError(f"bucketing {version!r} is not known here")
    return BUCKETINGS[version]


def _in_layer(document: Document, answer: _Answer, inside: Assign) -> Assign:
    """After its stop an experiment has no slots any more, but who is held out of its layer sees no winner either."""
    layer = document["layer"]
    if layer is None:
        return inside
    control, bucketing = document["control"], _bucketing(layer)
    held_out, excluded = answer(control, "holdout"), answer(control, "other_experiment")
    place, top = bucketing.places(layer["salt"]), bucketing.edge(BUCKETS - layer["holdout_bp"])
    taken = [{"start": 0, "end": BUCKETS}] if document["status"] == "stopped" else layer["slots"]
    slots = sorted((slot["start"], slot["end"]) for slot in taken)
    # An odd number of edges lies at or below a place exactly where it is inside of a slot.
    edges = [bucketing.edge(bucket) for slot in slots for bucket in slot]

    def decide(unit_id: str, attributes: Attributes) -> Assignment:
        found = place(unit_id)
        if found >= top:
            return held_out
        return inside(unit_id, attributes) if bisect_right(edges, found) & 1 else excluded

    return decide


def _by_segment(document: Document, insides: list[_Inside]) -> Assign:
    """The last segment takes whoever no other took."""
    segments = document["segments"]
    conditional = [
        (compile_condition(segment["condition"]), inside)
        for segment, inside in zip(segments[:-1], insides, strict=False)
    ]
    return _first_match(conditional, insides[-1])


def _first_match(conditional: list[tuple[Test, _Inside]], everybody: _Inside) -> Assign:
    match conditional:
        case []:
            return lambda unit_id, attributes: everybody(unit_id)
        case [(matches, inside)]:
            return lambda unit_id, attributes: inside(unit_id) if matches(attributes) else everybody(unit_id)

    def decide(unit_id: str, attributes: Attributes) -> Assignment:
        for matches, inside in conditional:
            if matches(attributes):
                return inside(unit_id)
        return everybody(unit_id)

    return decide


def _after_stop(segment: Document, answer: _Answer) -> _Inside:
    shown = answer(segment["after_stop"], "stopped", segment["key"])
    return lambda unit_id: shown


def _plans(document: Document, answer: _Answer) -> list[_Inside]:
    bucketing, salt = _bucketing(document), document["salt"]
    variant, traffic = bucketing.places(f"{salt}/variant"), bucketing.places(f"{salt}/traffic")

    def inside(segment: Document) -> _Inside:
        key, share, decided_by = segment["key"], segment["traffic_bp"], _decided_by(document, segment)
        by_place = _by_place(
            segment["ranges"], bucketing, variant, lambda shown: answer(shown, "assigned", key, decided_by)
        )
        if share == BUCKETS:
            return by_place
        outside, edge = answer(document["control"], "not_in_traffic", key), bucketing.edge(share)
        return lambda unit_id: by_place(unit_id) if traffic(unit_id) < edge else outside

    return [inside(segment) for segment in document["segments"]]


def _decided_by(document: Document, segment: Document) -> DecidedBy:
    variants = {piece["variant"] for piece in segment["ranges"]}
    if document["layer"] is not None or segment["traffic_bp"] < BUCKETS or len(variants) > 1:
        return "chance"
    return "segment" if len(document["segments"]) > 1 else "nothing"


def _by_place(
    ranges: list[Document], bucketing: Bucketing, place: Place, shown: Callable[[str], Assignment]
) -> _Inside:
    ends = [piece["end"] for piece in ranges]
    if [piece["start"] for piece in ranges] != [0, *ends[:-1]] or ends[-1] != BUCKETS:
        raise ValueError("ranges do not cover all buckets")
    once = {variant: shown(variant) for variant in {piece["variant"] for piece in ranges}}
    answers, edges = [once[piece["variant"]] for piece in ranges], [bucketing.edge(end) for end in ends[:-1]]
    match answers:
        case [only]:
            return lambda unit_id: only
        case [below, above]:
            (edge,) = edges
            return lambda unit_id: below if place(unit_id) < edge else above
    return lambda unit_id: answers[bisect_right(edges, place(unit_id))]
