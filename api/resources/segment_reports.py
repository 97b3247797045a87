"""Segment reports that the worker stored: cards, portraits, history, and everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Response, request

from api.current import winnow
from api.preconditions import has_already
from api.routes import IF_NONE_MATCH, Routes
from api.schemas.segment_reports import CardSchema, CustomersSchema, HistorySchema, PersonaSchema
from experiments.services.keys import Scope
from experiments.services.segments import few
from experiments.services.segments.points import point
from experiments.services.segments.ports import SegmentReport
from experiments.services.segments.report_csv import card_csv, persona_csv

routes = Routes(
    "Segment reports",
    "What the worker found of segments and of all customers. A segment without a report yet is a 404 with the code "
    "`report_not_made`.",
)
CSV = "text/csv"
_CSV_RESPONSE = {"responses": {200: {"content": {CSV: {"schema": {"type": "string"}}}}}}
READ: dict[str, Any] = {
    "scope": Scope.READ,
    "refuses": (404,),
    "headers": (IF_NONE_MATCH,),
    "also": {304: None},
}


@routes.get("/segments/<key:key>/card", out=CardSchema, described=_CSV_RESPONSE, **READ)
def card(key: str) -> object:
    """Read the card of a segment; as CSV with `Accept: text/csv`."""
    return _told(key, card_csv, as_csv=_wants_csv())


@routes.get("/segments/<key:key>/card.csv", out=None, described=_CSV_RESPONSE, **READ)
def card_as_csv(key: str) -> object:
    """Read the card of a segment as CSV: a row per number, and per doubt."""
    return _told(key, card_csv, as_csv=True)


@routes.get("/segments/<key:key>/persona", out=PersonaSchema, described=_CSV_RESPONSE, **READ)
def persona(key: str) -> object:
    """Read the portrait of a segment; as CSV with `Accept: text/csv`."""
    return _told(key, persona_csv, as_csv=_wants_csv())


@routes.get("/segments/<key:key>/persona.csv", out=None, described=_CSV_RESPONSE, **READ)
def persona_as_csv(key: str) -> object:
    """Read the portrait of a segment as CSV."""
    return _told(key, persona_csv, as_csv=True)


@routes.get("/segments/<key:key>/history", scope=Scope.READ, out=HistorySchema, refuses=(404,))
def history(key: str) -> object:
    """Read how a segment has developed: a point per report."""
    return {"segment": key, "items": [point(report) for report in winnow().segment_reports.history(key)]}


@routes.get("/customers/summary", out=CustomersSchema, **READ)
def customers() -> object:
    """Read what is known of all customers: recency, frequency and money, and which segments overlap."""
    report = winnow().segment_reports.customers()
    headers = _headers(report, "made", "json")
    return _unless_held(headers) or ({**_document(report.document), **_envelope(report)}, headers)


def _told(key: str, write: Callable[[Mapping[str, Any]], str], *, as_csv: bool) -> object:
    found = winnow().segment_reports.of(key)
    report = found.made
    headers = _headers(report, found.state, "csv" if as_csv else "json")
    if held := _unless_held(headers):
        return held
    if as_csv:
        return Response(write(few.told(report.document)), headers=headers, content_type=f"{CSV}; charset=utf-8")
    return {**_document(few.told(report.document)), **_envelope(report), "report": found.state}, headers


def _headers(report: SegmentReport, state: str, form: str) -> dict[str, str]:
    """The tag names the state too, which changes without the report, and what is told of a handful."""
    tag = f"{report.segment}-{report.number}-{state}-{form}-{few.VERSION}"
    return {"ETag": f'"{tag}"', "Cache-Control": "no-cache", "Vary": "Accept"}


def _unless_held(headers: Mapping[str, str]) -> Response | None:
    return Response(status=304, headers=headers) if has_already(headers["ETag"].strip('"')) else None


def _envelope(report: SegmentReport) -> dict[str, Any]:
    return {"number": report.number, "revision": report.revision, "made_at": report.made_at}


def _document(told: Mapping[str, Any]) -> dict[str, Any]:
    """The document, its instants as the schema wants them."""
    since = told.get("since")
    return {**told, **({"since": datetime.fromisoformat(since)} if since else {})}


def _wants_csv() -> bool:
    return request.accept_mimetypes.best_match(["application/json", CSV]) == CSV
