"""Drift as it is stored and served. It describes and never decides: no verdict, no winner, no advice is taken over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.estimate import Undefined
from analysis.plan import Plan
from experiments.domain.present import Hidden
from experiments.services.drift.counts import SegmentDrift

SCHEMA = "winnow.drift/1"
NOTE = (
    "Results by present segment describe and decide nothing: a variant can move people, and then the same segment "
    "holds different people in each group. Winners are found by the segment at exposure."
)
CAUSED_ALPHA = 0.001
"""Chance that some segment is said to be emptied by a variant though none is, at one look."""
_ALL_ONE_SCOPE = ("metric", "kind", "role", "direction")

Doc = Mapping[str, Any]


def document_of(
    plan: Plan,
    rows: Sequence[SegmentDrift],
    hidden: Mapping[str, Hidden],
    *,
    edited: bool,
    at_exposure: Doc | None,
    at_present: Doc | None,
    skipped: Hidden | None,
) -> dict[str, Any]:
    """Return the document; reports are whole ones of the engine, of which the figures alone are kept."""
    return {
        "schema": SCHEMA,
        "note": NOTE,
        "skipped": None if skipped is None else {"code": skipped.code, "message": skipped.message},
        "units": sum(row.units for row in rows),
        "moved": sum(row.moved for row in rows),
        "unknown": sum(row.unknown for row in rows),
        "segments": [_row(plan, row) for row in rows],
        "hidden": [{"segment": key, "code": one.code, "message": one.message} for key, one in hidden.items()],
        "findings": [*_findings(plan, rows, edited=edited)],
        "at_exposure": None if at_exposure is None else figures_of(at_exposure),
        "at_present": None if at_present is None else figures_of(at_present),
    }


def figures_of(report: Doc) -> list[dict[str, Any]]:
    """Return per segment what was counted and how large the effects are, without anything that concludes."""
    control = report["control"]
    return [
        {
            "segment": scope["segment"],
            "units": scope["units"],
            "metrics": [
                {
                    **{name: metric[name] for name in _ALL_ONE_SCOPE},
                    "arms": [{name: arm[name] for name in _OF_ARM} for arm in metric["arms"]],
                    "comparisons": [
                        {name: one[name] for name in _OF_COMPARISON}
                        for one in metric["comparisons"]
                        if one["baseline"] == control
                    ],
                }
                for metric in scope["metrics"]
            ],
        }
        for scope in report["segments"]
    ]


_OF_ARM = ("variant", "units", "total", "value")
_OF_COMPARISON = ("treatment", "baseline", "difference", "lift")


def _row(plan: Plan, row: SegmentDrift) -> dict[str, Any]:
    test = row.test
    return {
        "segment": row.segment,
        "units": row.units,
        "stayed": row.stayed,
        "moved": row.moved,
        "unknown": row.unknown,
        "in_none": row.in_none,
        "moved_to": [{"segment": key, "units": units} for key, units in row.moved_to.items()],
        "variants": [
            {"variant": key, "known": known, "moved": moved, "expected": expected}
            for key, known, moved, expected in zip(plan.variants, row.known, test.moved, test.expected, strict=True)
        ],
        "test": {
            "chi_square": _number(test.chi_square),
            "degrees_of_freedom": test.degrees_of_freedom,
            "p_value": _number(test.p_value),
        },
    }


def _number(value: float | Undefined) -> Any:
    return {"undefined": value.reason, "message": value.message} if isinstance(value, Undefined) else value


def _findings(plan: Plan, rows: Sequence[SegmentDrift], *, edited: bool) -> Iterator[dict[str, Any]]:
    units, moved, unknown = (sum(counts) for counts in zip(*map(_counts, rows), strict=True)) if rows else (0, 0, 0)
    yield from _caused(plan, rows)
    if moved:
        known = units - unknown  # of the others nobody can say that they have not moved
        those = f"{known:,} {plan.units_name}" + (" of whom it is known" if unknown else "")
        yield _finding(
            "moved_after_exposure",
            "info",
            f"{moved:,} of {those} ({100 * moved / known:.1f}%) are in another segment now than when they came in",
        )
    if unknown:
        yield _finding(
            "present_unknown",
            "info",
            f"Where {unknown:,} of {units:,} {plan.units_name} are now is not known: they stay where they were counted",
        )
    if edited:
        yield _finding(
            "segments_edited",
            "info",
            "The segments have been edited since the start: whom an edit put elsewhere counts as moved too",
        )


def _counts(row: SegmentDrift) -> tuple[int, int, int]:
    return row.units, row.moved, row.unknown


def _caused(plan: Plan, rows: Sequence[SegmentDrift]) -> Iterator[dict[str, Any]]:
    """Segments share the chance of a false alarm."""
    tested = [row for row in rows if not isinstance(row.test.p_value, Undefined)]
    for row in tested:
        if not isinstance(row.test.p_value, Undefined) and row.test.p_value < CAUSED_ALPHA / len(tested):
            yield _finding("variant_moves_units", "warning", _blame(plan, row), segment=row.segment)


def _blame(plan: Plan, row: SegmentDrift) -> str:
    """The variant that is furthest from what it would be without an effect, in its own standard deviations."""
    gaps = zip(row.test.moved, row.test.expected, row.test.took_part, strict=True)
    off = [
        abs(moved - expected) / max(expected, 1.0) ** 0.5 if took_part else -1.0 for moved, expected, took_part in gaps
    ]
    worst = off.index(max(off))
    moved, expected = row.test.moved[worst], row.test.expected[worst]
    return (
        f"Of {row.known[worst]:,} {plan.units_name} of {plan.segment_name(row.segment)} who were given "
        f"{plan.variant_name(plan.variants[worst])}, {moved:,} moved to another segment, where {expected:,.0f} would "
        "have, made variants no difference: what was shown moves people"
    )


def _finding(code: str, severity: str, message: str, *, segment: str | None = None) -> dict[str, Any]:
    return {"code": code, "severity": severity, "message": message, "segment": segment}
