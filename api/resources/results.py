"""Results: the reports that the worker stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from api.current import winnow
from api.paging import PageQuery, page_of, paged
from api.preconditions import has_already
from api.routes import IF_NONE_MATCH, Routes
from api.schemas.drift import DriftSchema
from api.schemas.results import ResultsSchema, SnapshotSchema
from experiments.domain.event import Channel
from experiments.services.analysing.ports import Snapshot
from experiments.services.keys import Scope

routes = Routes("Results", "Stored reports, each with what it saw and by which engine it was computed.")
REPORT: dict[str, Any] = {
    "scope": Scope.READ,
    "out": ResultsSchema,
    "refuses": (404,),
    "headers": (IF_NONE_MATCH,),
    "also": {304: None},
}


@routes.get("/experiments/<key:key>/results", **REPORT)
def latest(key: str) -> object:
    """Read the latest report."""
    return _told(winnow().results.latest(key))


@routes.get("/experiments/<key:key>/results/<row_id:snapshot_id>", **REPORT)
def read(key: str, snapshot_id: int) -> object:
    """Read the report of one snapshot."""
    return _told(winnow().results.get(key, snapshot_id))


@routes.get(
    "/experiments/<key:key>/snapshots", scope=Scope.READ, query=PageQuery, out=page_of(SnapshotSchema), refuses=(404,)
)
def walk(query: dict[str, Any], key: str) -> object:
    """List snapshots without their reports, newest first."""
    return paged(query, lambda **asked: winnow().results.page(key, **asked))


@routes.get("/experiments/<key:key>/drift", scope=Scope.READ, out=DriftSchema, refuses=(404,))
def drift(key: str) -> object:
    """Read how many units have moved to another segment since they were exposed, and results by present segment.

    The latter describe and decide nothing: a variant can move units, so that the same segment holds different ones in
    each arm.
    """
    found = winnow().results.drift(key)
    return {
        "experiment": found.experiment,
        "snapshot_id": found.snapshot_id,
        "computed_at": found.computed_at,
        "drift": found.document,
    }


def _told(snapshot: Snapshot) -> object:
    """Give the envelope, unless the reader holds it. It tells more than the report, so the tag has the id too."""
    tag = f"{snapshot.id}-{snapshot.report_sha256}"
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if has_already(tag):
        return Response(status=304, headers=headers)
    beside = snapshot.supplement
    told = {"identities": beside.get("identities"), "channels": [_channel(one) for one in beside.get("channels", ())]}
    return {"snapshot": snapshot, "report": snapshot.report, **told}, headers


def _channel(found: Mapping[str, Any]) -> dict[str, Any]:
    return {**found, "channel": None if found["channel"] is None else Channel(found["channel"])}
