"""Documents of segment reports made by hand, in the shape of docs/segmentation/reports.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from experiments.bootstrap import Winnow
from experiments.domain.segment import Segment
from experiments.services.segments.ports import CUSTOMERS, SegmentReport

Doc = dict[str, Any]


def undefined(reason: str, message: str) -> Doc:
    return {"undefined": reason, "message": message}


NO_WEEK = undefined("no_week_yet", "The first week is not over.")
NO_CHANNELS = undefined("channels_unknown", "By which channels they are reached is not kept.")
NO_TRAFFIC = undefined("no_traffic", "Nobody was exposed in these weeks.")
NO_PURCHASES = undefined("no_purchases", "No purchase is known of these weeks.")


def worth(per_unit: float = 1.41, low: float = 1.18, high: float = 1.64) -> Doc:
    return {
        "revenue": 31_500.0,
        "purchases": 277,
        "buyers": 270,
        "revenue_per_unit": per_unit,
        "interval": {"low": low, "high": high, "level": 0.95},
        "purchase_value": 113.7,
        "buyer_share": 0.0124,
        "revenue_share": 0.4702,
        "index": 1.34,
    }


def weeks(first: datetime, *counts: tuple[int, int, int]) -> list[Doc]:
    """Weeks in a row of (before, entered, left)."""
    return [
        {
            "starts_at": (first + timedelta(weeks=place)).isoformat(),
            "ends_at": (first + timedelta(weeks=place + 1)).isoformat(),
            "before": before,
            "after": before + entered - left,
            "entered": entered,
            "left": left,
        }
        for place, (before, entered, left) in enumerate(counts)
    ]


def trait(attribute: str, inside: float, elsewhere: float, size: float, **more: Any) -> Doc:
    made = {
        "attribute": attribute,
        "inside": inside,
        "elsewhere": elsewhere,
        "units_inside": 22_393,
        "units_elsewhere": 41_607,
        "lift": inside / elsewhere - 1,
        "size": size,
        "p_value": 1e-9,
        "distinguishing": True,
        "by_definition": False,
    }
    return {**made, **more}


SPENT = trait("history", 320.9, 199.7, 0.46)
WEB = trait("channel", 0.62, 0.4, 0.44, value="Web")
RECENCY = trait("recency", 1.864, 7.863, -2.4, by_definition=True)
TOWN = {"attribute": "zip_code", "value": "Urban", "share": 0.405}
MONTHS = {"attribute": "recency", "median": 2.0, "lower": 1.0, "upper": 3.0}
OUTLOOK = {
    "baseline": 0.146,
    "units_per_week": 2800.0,
    "shown": [
        {"weeks": 1, "units": 2799, "lift": undefined("never", "No lift is large enough.")},
        {"weeks": 4, "units": 11_196, "lift": 0.162},
    ],
    "units_needed": 111_020,
    "weeks_needed": undefined("too_few_units", "It has 22,393 customers, and 111,020 are needed."),
    "sentence": "In 4 weeks, with 11,196 customers, it can show a lift of 16% or more.",
}
REACHED = {
    "channels": [{"channel": "e-mail", "units": 15_658, "share": 0.6992, "index": 1.0}],
    "by_none": 0.13,
}


def card(units: int = 22_393, share: float = 0.3499, **changes: Any) -> Doc:
    made: Doc = {
        "size": {"units": units, "share": share},
        "value": worth(),
        "stability": NO_WEEK,
        "overlaps": [
            {"other": "web", "both": 9_344, "jaccard": 0.2264, "share_of_this": 0.4173, "share_of_other": 0.3311},
            {"other": "phone", "both": 0, "jaccard": 0.0, "share_of_this": 0.0, "share_of_other": 0.0},
        ],
        "reached": REACHED,
        "profiles": [],
        "traits": [RECENCY, SPENT, WEB],
        "testability": OUTLOOK,
    }
    return {**made, **changes}


def persona(units: int = 22_393, **changes: Any) -> Doc:
    made: Doc = {
        "units": units,
        "share": 0.3499,
        "typical": [TOWN, MONTHS],
        "by_definition": [RECENCY],
        "distinguishing": [SPENT, WEB],
        "habits": [
            {"name": "revenue_per_unit", "inside": 1.41, "everybody": 1.05},
            {"name": "buyer_share", "inside": 0.0124, "everybody": 0.009},
        ],
        "channels": REACHED["channels"],
        "won": [],
    }
    return {**made, **changes}


def report(segment: str, made_at: datetime, **changes: Any) -> Doc:
    made: Doc = {
        "schema": 1,
        "segment": segment,
        "name": segment,
        "revision": 1,
        "made_at": made_at.isoformat(),
        "since": (made_at - timedelta(weeks=8)).isoformat(),
        "weeks": 8,
        "purchases": ["purchase"],
        "minimum_lift": 0.05,
        "units": 64_000,
        "everybody": worth(1.05),
        "card": card(),
        "persona": persona(),
        "doubts": [],
        "notes": [],
    }
    return {**made, **changes}


HEAT = (((2, 1), (0, 0)), ((2, 2), (400, 1_200_000)), ((1, 1), (900, 90_000)), ((1, 2), (12, 50_000)))


def rfm(**changes: Any) -> Doc:
    """Two scores of each: bought once, or more often; within 90 days, or longer ago."""
    made: Doc = {
        "customers": 1_312,
        "purchases": 2_500,
        "bought_once": 900,
        "revenue_cents": 1_340_000,
        "median_recency_days": 120.0,
        "median_frequency": 1.0,
        "median_monetary_cents": 4_340.0,
        "top_fifth_share": 0.678,
        "cuts": {"recency_days": [90], "frequency": [1], "monetary_cents": [5_000]},
        "heat_map": [
            {"r": r, "f": f, "customers": customers, "revenue_cents": cents} for (r, f), (customers, cents) in HEAT
        ],
        "groups": [group("champions", 400, 1_200_000, 0.305, 0.896), group("at_risk", 12, 50_000, 0.0091, 0.0373)],
    }
    return {**made, **changes}


def group(name: str, customers: int, cents: int, share: float, revenue: float) -> Doc:
    return {
        "name": name,
        "customers": customers,
        "purchases": customers,
        "revenue_cents": cents,
        "share_of_customers": share,
        "share_of_revenue": revenue,
    }


def overlap(names: Mapping[str, str], units: Sequence[int], both: Sequence[Sequence[int]]) -> Doc:
    """Shares follow from the counts."""
    empty = undefined("no_units", "Nobody is in this segment.")
    return {
        "segments": list(names),
        "names": list(names.values()),
        "units": list(units),
        "both": [list(row) for row in both],
        "shares": [[shared / mine if mine else empty for shared in row] for row, mine in zip(both, units, strict=True)],
    }


def customers(made_at: datetime, **changes: Any) -> Doc:
    made: Doc = {
        "schema": 1,
        "made_at": made_at.isoformat(),
        "units": 64_000,
        "rfm": rfm(),
        "overlap": undefined("no_segments", "There are no segments."),
    }
    return {**made, **changes}


def store(winnow: Winnow, segment: str, document: Doc, *, revision: int = 1) -> None:
    """Store a report as the worker does; `segment` empty: of everybody."""
    made_at = datetime.fromisoformat(document["made_at"])
    stored = SegmentReport(segment=segment, number=1, revision=revision, made_at=made_at, document=document)
    with winnow.open_unit_of_work() as work:
        assert work.reports.add(stored, keep=60)
        work.commit()


def store_customers(winnow: Winnow, document: Doc) -> None:
    store(winnow, CUSTOMERS, document)


def add_segment(winnow: Winnow, key: str, name: str, condition: Doc | None = None, **more: Any) -> Segment:
    made = Segment(key=key, name=name, condition=condition or {"segment": key}, **more)
    winnow.author.segments.create(made, actor="test")
    return made
