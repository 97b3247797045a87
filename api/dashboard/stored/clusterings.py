"""The document of a clustering (JSON) read into values: the only place that knows its field names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.dashboard.stored.values import Doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Fidelity:
    """On customers that the rule had not seen: how often rule and cluster say the same, and each of the other."""

    agreement: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """`condition` None: no rule stands for it; `typical` are medians by attribute."""

    key: str
    units: int
    share: float
    typical: Mapping[str, float]
    stability: float
    condition: Mapping[str, Any] | None
    fidelity: Fidelity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """`share` of all variance; `loadings` say what it is made of."""

    share: float
    loadings: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    key: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMap:
    axes: tuple[Axis, Axis]
    centres: tuple[Place, ...]
    points: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Today's customers by old cluster (rows) and new one (columns)."""

    from_version: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    units: int
    moved: float
    moved_units: int
    appeared: tuple[str, ...]
    vanished: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """What does not apply is None or empty: without clusters there is but a `message`."""

    outcome: str
    message: str
    attributes: tuple[str, ...]
    units: int
    incomplete: int
    silhouette: float | None
    adjusted_rand: float | None
    rules_right: float | None
    clusters: tuple[Cluster, ...]
    movement: Movement | None
    map: CustomerMap | None
    notes: tuple[str, ...]


def read_clustering(doc: Doc) -> Clustering:
    """Raise KeyError where the document is no clustering."""
    return Clustering(
        outcome=doc["outcome"],
        message=doc["message"],
        attributes=tuple(doc["attributes"]),
        units=doc["units"],
        incomplete=doc["incomplete"],
        silhouette=doc["silhouette"],
        adjusted_rand=doc["adjusted_rand"],
        rules_right=doc["rules_right"],
        clusters=tuple(map(_cluster, doc["groups"])),
        movement=None if doc["movement"] is None else _movement(doc["movement"]),
        map=None if doc["chart"] is None else _map(doc["chart"]),
        notes=tuple(doc["notes"]),
    )


def _cluster(doc: Doc) -> Cluster:
    return Cluster(
        key=doc["key"],
        units=doc["units"],
        share=doc["share"],
        typical=doc["typical"],
        stability=doc["stability"],
        condition=doc["condition"],
        fidelity=None if doc["fidelity"] is None else _fidelity(doc["fidelity"]),
    )


def _fidelity(doc: Doc) -> Fidelity:
    return Fidelity(agreement=doc["agreement"], precision=_fraction(doc["precision"]), recall=_fraction(doc["recall"]))


def _fraction(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _movement(doc: Doc) -> Movement:
    return Movement(
        from_version=doc["from_version"],
        old=tuple(doc["old"]),
        new=tuple(doc["new"]),
        table=tuple(tuple(row) for row in doc["table"]),
        units=doc["units"],
        moved=doc["moved"],
        moved_units=doc["moved_units"],
        appeared=tuple(doc["appeared"]),
        vanished=tuple(doc["vanished"]),
    )


def _map(doc: Doc) -> CustomerMap:
    first, second = (Axis(share=axis["share"], loadings=axis["loadings"]) for axis in doc["axes"])
    return CustomerMap(
        axes=(first, second),
        centres=tuple(map(_place, doc["centres"])),
        points=tuple(map(_place, doc["points"])),
    )


def _place(doc: Doc) -> Place:
    return Place(key=doc["key"], x=doc["x"], y=doc["y"])
