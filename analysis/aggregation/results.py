"""Sums by group to the parts of a `MomentTable`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analysis.aggregation.reduce import Group
from analysis.aggregation.sums import Sums
from analysis.moments import ArmKey, MetricKey

ArmOf = Callable[[Group], ArmKey | None]


def keyed(groups: Mapping[str, Mapping[Group, Any]], arm_of: ArmOf) -> dict[MetricKey, Any]:
    """By (epoch, segment, variant, metric), in order; groups that are no arm are left out, and so is what is None."""
    found = {
        MetricKey(*arm, metric): value
        for metric, values in groups.items()
        for group, value in values.items()
        if (arm := arm_of(group)) is not None and value is not None
    }
    return dict(sorted(found.items()))


def parts_of(sums: Mapping[str, Mapping[Group, Sums]], arm_of: ArmOf) -> dict[str, Any]:
    """Fields of a `MomentTable`."""
    found = keyed({metric: {g: one for g, one in groups.items() if one.n} for metric, groups in sums.items()}, arm_of)
    moments = {key: one.moments() for key, one in found.items()}
    shapes = {key: one.shape(moments[key]) for key, one in found.items()}
    cross = {key: one.cross() for key, one in found.items()}
    return {
        "moments": moments,
        "shapes": {key: one for key, one in shapes.items() if one is not None},
        "cross": {key: one for key, one in cross.items() if one is not None},
    }
