"""The stored form of a `MomentTable`: JSON-safe and lossless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.moments.cross import CrossMoments
from analysis.moments.keys import ArmKey, ArrivalKey, DayKey, MetricKey
from analysis.moments.one import Moments
from analysis.moments.shape import Distribution, Shape

if TYPE_CHECKING:
    from analysis.moments.table import MomentTable

MOMENTS_SCHEMA = "winnow.moments/2"
_READABLE = (MOMENTS_SCHEMA, "winnow.moments/1")


def written(table: MomentTable) -> dict[str, Any]:
    return {
        "schema": MOMENTS_SCHEMA,
        "units": _counts(table.units),
        "moments": [[*key, *_fields(value)] for key, value in sorted(table.moments.items())],
        "mixed": _counts(table.mixed),
        "units_outside": table.units_outside,
        "values_missing": dict(sorted(table.values_missing.items())),
        "maturing": _counts(table.maturing),
        "cut_short": _counts(table.cut_short),
        "cross": [[*key, *_cross_fields(value)] for key, value in sorted(table.cross.items())],
        "shapes": [[*key, *_shape_fields(value)] for key, value in sorted(table.shapes.items())],
        "distributions": [[*key, *_distribution_fields(value)] for key, value in sorted(table.distributions.items())],
        "by_day": [[*key, *_fields(value)] for key, value in sorted(table.by_day.items())],
        "arrivals": _counts(table.arrivals),
        "caps": dict(sorted(table.caps.items())),
        "events": dict(sorted(table.events.items())),
        # As it was written before there were these, wherever nothing is to be said.
        **({name: dict(sorted(found.items())) for name, found in _rows(table).items() if found}),
    }


def read(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `MomentTable`. What the first form did not have is empty."""
    if data["schema"] not in _READABLE:
        raise ValueError(f"not a {MOMENTS_SCHEMA} document: {data['schema']!r}")
    return {
        "units": {ArmKey(*row[:3]): row[3] for row in data["units"]},
        "moments": {MetricKey(*row[:4]): _moments(row[4:]) for row in data["moments"]},
        "mixed": {ArmKey(*row[:3]): row[3] for row in data["mixed"]},
        "units_outside": data["units_outside"],
        "values_missing": dict(data["values_missing"]),
        "maturing": {MetricKey(*row[:4]): row[4] for row in data["maturing"]},
        "cut_short": {MetricKey(*row[:4]): row[4] for row in data["cut_short"]},
        "cross": {MetricKey(*row[:4]): _cross(row[4:]) for row in data.get("cross", ())},
        "shapes": {MetricKey(*row[:4]): _shape(row[4:]) for row in data.get("shapes", ())},
        "distributions": {MetricKey(*row[:4]): _distribution(*row[4:]) for row in data.get("distributions", ())},
        "by_day": {DayKey(*row[:4]): _moments(row[4:]) for row in data.get("by_day", ())},
        "arrivals": {ArrivalKey(*row[:2]): row[2] for row in data.get("arrivals", ())},
        "caps": {key: float(cap) for key, cap in data.get("caps", {}).items()},
        "events": dict(data.get("events", {})),
        "rows_unusable": dict(data.get("rows_unusable", {})),
        "rows_read": dict(data.get("rows_read", {})),
    }


def _rows(table: MomentTable) -> dict[str, Mapping[str, int]]:
    return {"rows_unusable": table.rows_unusable, "rows_read": table.rows_read}


def _counts(counts: Mapping[Any, int]) -> list[list[Any]]:
    return [[*key, count] for key, count in sorted(counts.items())]


def _fields(value: Moments) -> list[Any]:
    sums = [value.mean, value.m2, value.denominator_mean, value.denominator_m2, value.co_m2]
    return [value.n, *sums, value.absolute_mean]


def _moments(row: list[Any]) -> Moments:
    n, *sums = row[:6]
    mean, m2, denominator_mean, denominator_m2, co_m2 = map(float, sums)
    return Moments(
        n=n,
        mean=mean,
        m2=m2,
        denominator_mean=denominator_mean,
        denominator_m2=denominator_m2,
        co_m2=co_m2,
        absolute_mean=None if len(row) < 7 or row[6] is None else float(row[6]),
    )


def _cross_fields(value: CrossMoments) -> list[Any]:
    return [value.n, list(value.mean), [list(row) for row in value.centred]]


def _cross(row: list[Any]) -> CrossMoments:
    n, mean, centred = row
    return CrossMoments(n=n, mean=_floats(mean), centred=tuple(map(_floats, centred)))


def _shape_fields(value: Shape) -> list[Any]:
    return [value.n, value.mean, value.m2, value.m3, value.smallest, value.largest]


def _shape(row: list[Any]) -> Shape:
    mean, m2, m3, smallest, largest = _floats(row[1:])
    return Shape(n=row[0], mean=mean, m2=m2, m3=m3, smallest=smallest, largest=largest)


def _distribution_fields(value: Distribution) -> list[Any]:
    return [list(value.thresholds), [_fields(moments) for moments in value.up_to]]


def _distribution(thresholds: list[float], up_to: list[list[Any]]) -> Distribution:
    return Distribution(thresholds=_floats(thresholds), up_to=tuple(map(_moments, up_to)))


def _floats(numbers: list[Any]) -> tuple[float, ...]:
    return tuple(map(float, numbers))
