"""A drift made by hand, of the mails: men's buyers who have moved, and a segment that only requests tell."""

from __future__ import annotations

from typing import Any

from tests.http.pages_site import ELSE_VISITS, MEN_VISITS, MENS, WOMEN_VISITS

Doc = dict[str, Any]
WARNING = (
    "Of 9,558 customers of Bought men’s goods who were given Men’s e-mail, 1,912 moved to another segment, where 1,204 "
    "would have, made variants no difference: what was shown moves people"
)


def finding(code: str, severity: str, message: str) -> Doc:
    return {"code": code, "severity": severity, "message": message, "segment": None}


def row(segment: str, units: int, stayed: int, unknown: int, in_none: int, **moved_to: int) -> Doc:
    return {
        "segment": segment,
        "units": units,
        "stayed": stayed,
        "moved": units - stayed - unknown,
        "unknown": unknown,
        "in_none": in_none,
        "moved_to": [{"segment": key, "units": moved} for key, moved in moved_to.items()],
        "variants": [{"variant": MENS, "known": 9_558, "moved": 1_912, "expected": 1_204.3}],
        "test": {"chi_square": 510.2, "degrees_of_freedom": 2, "p_value": 1e-99},
    }


def scopes(*units: int) -> list[Doc]:
    keys, visits = ("men", "women", "everyone"), (MEN_VISITS, WOMEN_VISITS, ELSE_VISITS)
    return [
        {"segment": key, "units": size, "metrics": [{**metric, "comparisons": metric["comparisons"][:2]}]}
        for key, size, metric in zip(keys, units, visits, strict=True)
    ]


def drift_document(**changes: Any) -> Doc:
    made: Doc = {
        "schema": "winnow.drift/1",
        "note": "It describes and decides nothing.",
        "skipped": None,
        "units": 57_557,
        "moved": 4_812,
        "unknown": 1_205,
        "segments": [
            row("men", 28_818, 24_613, 602, 1_101, women=2_502),
            row("women", 28_734, 26_922, 603, 0, men=1_209),
            row("everyone", 5, 5, 0, 0),
        ],
        "hidden": [],
        "findings": [
            finding("variant_moves_units", "warning", WARNING),
            finding("moved_after_exposure", "info", "4,812 of 57,557 customers (8.4%) are in another segment now"),
            finding("present_unknown", "info", "Where 1,205 of 57,557 customers are now is not known: they stay"),
        ],
        "at_exposure": scopes(28_818, 28_734, 5),
        "at_present": scopes(26_424, 30_027, 1_106),
    }
    return {**made, **changes}
