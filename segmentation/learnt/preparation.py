"""Attributes made comparable: the logarithm where skewed, then mean 0 and standard deviation 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from segmentation.refusal import Refused
from segmentation.rules import Column, Columns
from segmentation.rules.columns import Flags, Floats

Why = Literal["constant", "not_a_number", "yes_or_no", "missing_too_often", "out_of_range"]

_LARGEST, _SMALLEST_SPREAD = 1e38, 1e-37
"""Beyond, values are no numbers of 32 bits, which is what trees are grown of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """An attribute and what is done to it: (log1p(x) or x, minus mean) / scale."""

    attribute: str
    boolean: bool
    logarithm: bool
    skewness: float
    mean: float
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An attribute that was not used, and why."""

    attribute: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How a table becomes a matrix; `incomplete` units lacked a value of a used attribute, and were not clustered."""

    used: tuple[Scaled, ...]
    left_out: tuple[LeftOut, ...]
    units: int
    incomplete: int
    missing: tuple[tuple[str, int], ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(scaled.attribute for scaled in self.used)


def prepare(
    columns: Columns, *, skewness_for_log: float = 1.0, most_missing: float = 0.5, booleans: bool = False
) -> Preparation:
    """Learn the preparation from all units.

    Parameters
    ----------
    columns
        Numbers are used; texts and others are left out, and told.
    skewness_for_log
        ≥ 0. log1p where all values are ≥ 0 and the moment skewness m₃/m₂^1.5 is beyond it, and log1p lessens it.
    most_missing
        In [0, 1]. An attribute that more units lack is left out.
    booleans
        Whether yes and no are used, as 1 and 0. Two values far apart are two clusters to k-means, whatever they mean.

    Raises
    ------
    Refused
        "no_attributes": nothing is left that varies.
    """
    used: list[Scaled] = []
    left_out: list[LeftOut] = []
    for column in columns.values():
        why = _why_not(column, most_missing, booleans)
        if why is None:
            used.append(_scaled(column, skewness_for_log))
        else:
            left_out.append(LeftOut(attribute=column.name, why=why))
    if not used:
        told = ", ".join(f"{one.attribute} ({one.why.replace('_', ' ')})" for one in left_out)
        raise Refused("no_attributes", f"No attribute is a number that varies from unit to unit: {told}.")
    missing = tuple((scaled.attribute, int(columns[scaled.attribute].missing.sum())) for scaled in used)
    incomplete = ~_complete([columns[scaled.attribute] for scaled in used])
    return Preparation(
        used=tuple(used),
        left_out=tuple(left_out),
        units=len(incomplete),
        incomplete=int(incomplete.sum()),
        missing=missing,
    )


def matrix(preparation: Preparation, columns: Columns) -> tuple[Floats, Flags]:
    """Prepared values of the complete units, shape (m, attributes), and which of the n units those are, shape (n,).

    Raises
    ------
    Refused
        "no_column": a used attribute is not there; "not_a_number": or is of another kind; "below_log": or has a value
        of which there is no log1p.
    """
    used = [_found(columns, scaled) for scaled in preparation.used]
    complete = _complete(used)
    prepared = np.empty((int(complete.sum()), len(used)))
    for index, (scaled, column) in enumerate(zip(preparation.used, used, strict=True)):
        prepared[:, index] = _transformed(scaled, column.values[complete])
    return prepared, complete


def skewness(values: Floats) -> float:
    """m₃/m₂^1.5, central moments over n; 0 of values that do not vary."""
    centred = values - values.mean()
    second = float(np.mean(centred**2))
    return float(np.mean(centred**3)) / second**1.5 if second > 0 else 0.0


def _why_not(column: Column, most_missing: float, booleans: bool) -> Why | None:
    if column.kind == "boolean" and not booleans:
        return "yes_or_no"
    if column.kind not in ("number", "boolean"):
        return "not_a_number"
    missing = column.missing
    if missing.mean() > most_missing:
        return "missing_too_often"
    present = column.values[~missing]
    with np.errstate(over="ignore"):
        spread = float(np.ptp(present)) if len(present) else 0.0
    largest = float(np.abs(present).max(initial=0.0))
    if spread <= 1e-12 * largest:
        return "constant"
    return "out_of_range" if largest > _LARGEST or spread < _SMALLEST_SPREAD else None


def _scaled(column: Column, skewness_for_log: float) -> Scaled:
    present = column.values[~column.missing]
    skewed = skewness(present)
    logarithm = column.kind == "number" and present.min() >= 0 and skewed > skewness_for_log
    logarithm = bool(logarithm and abs(skewness(np.log1p(present))) < skewed)
    values = np.log1p(present) if logarithm else present
    return Scaled(
        attribute=column.name,
        boolean=column.kind == "boolean",
        logarithm=logarithm,
        skewness=skewed,
        mean=float(values.mean()),
        scale=float(values.std()),
    )


def _found(columns: Columns, scaled: Scaled) -> Column:
    column = columns.get(scaled.attribute)
    if column is None:
        raise Refused("no_column", f"There is no column {scaled.attribute!r}.")
    if column.kind != ("boolean" if scaled.boolean else "number"):
        raise Refused("not_a_number", f"Column {scaled.attribute!r} is not of the kind that was learnt from.")
    if scaled.logarithm and np.any(column.values <= -1):
        raise Refused("below_log", f"Column {scaled.attribute!r} has values of which there is no log(1 + x).")
    return column


def _transformed(scaled: Scaled, values: Floats) -> Floats:
    taken = np.log1p(values) if scaled.logarithm else values
    prepared: Floats = (taken - scaled.mean) / scaled.scale
    return prepared


def _complete(used: list[Column]) -> Flags:
    complete: Flags = ~np.logical_or.reduce([column.missing for column in used])
    return complete
