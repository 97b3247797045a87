"""Geometry of the map of clusters: customers as marks of their cluster's shape, and each centre with its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.dashboard.stored.clusterings import Axis, CustomerMap, Place

Corners = tuple[tuple[float, float], ...]
_PLUS: Corners = (
    (-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4),
    (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4),
)  # fmt: skip
_OUTLINES: tuple[Corners, ...] = (
    (),  # a circle
    ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    ((0, -1.2), (1.2, 1), (-1.2, 1)),
    ((0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)),
    tuple((0.72 * (dx - dy), 0.72 * (dx + dy)) for dx, dy in _PLUS),
    ((-1.2, -1), (1.2, -1), (0, 1.2)),
    ((-1.3, -0.5), (1.3, -0.5), (1.3, 0.5), (-1.3, 0.5)),
    _PLUS,
)
"""Corners of the shapes of clusters around a place, in units of their size."""
_SMALL, _LARGE = 4.0, 9.0
_CLOSE = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFrame:
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int


WIDE = MapFrame(width=1000, height=440, left=0, right=1000, top=0, bottom=440)
NARROW = MapFrame(width=340, height=320, left=0, right=340, top=0, bottom=320)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """`cluster` is the place of its cluster in the list, from 0: colour and shape."""

    cluster: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """`label_y` keeps clear of the labels of centres close by."""

    cluster: int
    path: str
    x: float
    label_y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMap:
    """`across` and `upwards` say in words what more of an axis means."""

    frame: MapFrame
    marks: tuple[Mark, ...]
    centres: tuple[Centre, ...]
    across: str
    upwards: str


def cluster_map(
    chart: CustomerMap, keys: Sequence[str], names: Mapping[str, str], frame: MapFrame
) -> ClusterMap | None:
    """Lay points and centres out, both axes to one scale, so that near is alike; None without a point."""
    places = (*chart.points, *chart.centres)
    if not places:
        return None
    order = {key: place for place, key in enumerate(keys)}
    low_x, low_y = min(one.x for one in places), min(one.y for one in places)
    span_x, span_y = max(one.x for one in places) - low_x, max(one.y for one in places) - low_y
    inset = 26.0
    room_x, room_y = frame.right - frame.left - 2 * inset, frame.bottom - frame.top - 2 * inset
    scale = min(room_x / (span_x or 1.0), room_y / (span_y or 1.0))
    start_x = (frame.left + frame.right - span_x * scale) / 2
    start_y = (frame.top + frame.bottom + span_y * scale) / 2

    def placed(one: Place) -> tuple[float, float]:
        return round(start_x + (one.x - low_x) * scale, 1), round(start_y - (one.y - low_y) * scale, 1)

    return ClusterMap(
        frame=frame,
        marks=tuple(
            Mark(cluster=order[one.key], path=shape_path(order[one.key], *placed(one), _SMALL))
            for one in chart.points
            if one.key in order
        ),
        centres=_centres([(order[one.key], one.key, *placed(one)) for one in chart.centres if one.key in order]),
        across=axis_words(chart.axes[0], names),
        upwards=axis_words(chart.axes[1], names),
    )


def _centres(placed: Sequence[tuple[int, str, float, float]]) -> tuple[Centre, ...]:
    """Labels stand above their centres, and below where another centre is close above."""
    found = []
    for cluster, key, x, y in placed:
        crowded = any(
            other != key and abs(at - x) < 2 * _CLOSE and 0 <= y - height < 1.6 * _CLOSE
            for _, other, at, height in placed
        )
        label_y = round(y + (_CLOSE + 3 if crowded else -0.75 * _CLOSE), 1)
        found.append(Centre(cluster=cluster, path=shape_path(cluster, x, y, _LARGE), x=x, label_y=label_y, label=key))
    return tuple(found)


def axis_words(axis: Axis, names: Mapping[str, str], most: int = 3) -> str:
    """What is more, and what is less, further along: more orders, less recency."""
    weights = sorted(axis.loadings.items(), key=lambda pair: -abs(pair[1]))
    strongest = abs(weights[0][1]) if weights else 0.0
    if not axis.share or not strongest:
        return ""
    told = [(name, weight) for name, weight in weights if abs(weight) >= 0.4 * strongest][:most]
    return ", ".join(f"{'more' if weight > 0 else 'less'} {names.get(name, name)}" for name, weight in told)


def shape_path(cluster: int, x: float, y: float, size: float) -> str:
    """The outline of a cluster's shape around a place; shapes repeat after eight."""
    corners = _OUTLINES[cluster % len(_OUTLINES)]
    if not corners:
        return f"M{x - size:g} {y:g}a{size:g} {size:g} 0 1 0 {2 * size:g} 0a{size:g} {size:g} 0 1 0 {-2 * size:g} 0Z"
    return "M" + "L".join(f"{round(x + dx * size, 1):g} {round(y + dy * size, 1):g}" for dx, dy in corners) + "Z"
