"""Pages to read: the list of experiments, one experiment, its earlier snapshots, its figures as a table."""

from __future__ import annotations

import re

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.csv_download import csv_download
from api.dashboard.experiment_page import experiment_page
from api.dashboard.listing import row_of
from api.dashboard.names import names_of
from api.dashboard.session import may_write, require_sign_in
from api.dashboard.snapshot_list import snapshot_rows
from api.dashboard.stored import read_report
from api.dashboard.table_csv import results_csv
from api.dashboard.taking_part import layer_of
from experiments.domain.errors import DomainError, InvalidInput, NotFound
from experiments.services.analysing.ports import Snapshot
from experiments.services.analysing.results import Overview
from experiments.services.promoting.proposals import Proposal

ROWS_PER_PAGE = 20
_ROW_ID = re.compile(r"[1-9][0-9]{0,17}")

pages = pages_blueprint("dashboard", require_sign_in)


@pages.get("/")
def experiments() -> ResponseReturnValue:
    """List all experiments, by key."""
    now = winnow().clock()
    page = winnow().author.page(after=request.args.get("after"), limit=ROWS_PER_PAGE)
    rows = [row_of(winnow().results.overview(experiment.key), now) for experiment in page.items]
    return render_template(
        "dashboard/experiments.html", rows=rows, next_after=page.next_after, is_first="after" not in request.args
    )


@pages.get("/experiments/<key>")
def experiment(key: str) -> ResponseReturnValue:
    """Show what won, for whom, how sure it is, and what is live."""
    overview = winnow().results.overview(key)
    page = experiment_page(
        overview,
        _chosen_snapshot(overview),
        metric=request.args.get("metric"),
        proposals=_proposals(overview),
        now=winnow().clock(),
        drift=winnow().results.known_drift(key),
        layer=layer_of(overview.experiment),
    )
    return render_template("dashboard/experiment.html", page=page, may_write=may_write())


@pages.get("/experiments/<key>/results.csv")
def table(key: str) -> ResponseReturnValue:
    """Download the figures."""
    overview = winnow().results.overview(key)
    snapshot = _chosen_snapshot(overview)
    if snapshot is None:
        raise NotFound("snapshot", key)
    text = results_csv(snapshot, read_report(snapshot.report), names_of(overview.experiment))
    return csv_download(text, f"{key}-{snapshot.id}.csv")


@pages.get("/experiments/<key>/snapshots")
def snapshots(key: str) -> ResponseReturnValue:
    """List earlier snapshots, newest first."""
    experiment = winnow().author.get(key)
    after = request.args.get("after")
    if after is not None and not _ROW_ID.fullmatch(after):
        raise NotFound("snapshot", after)
    page = winnow().results.page(key, after=after, limit=ROWS_PER_PAGE)
    return render_template(
        "dashboard/snapshots.html",
        key=key,
        name=experiment.definition.name,
        rows=snapshot_rows(experiment, page.items),
        next_after=page.next_after,
    )


def _chosen_snapshot(overview: Overview) -> Snapshot | None:
    wanted = request.args.get("snapshot")
    if wanted is None:
        return overview.snapshot
    if not _ROW_ID.fullmatch(wanted):
        raise NotFound("snapshot", wanted)
    return winnow().results.get(overview.experiment.key, int(wanted))


def _proposals(overview: Overview) -> dict[str, Proposal]:
    """Ask the policy about every segment; one that the latest snapshot does not know has no proposal."""
    if overview.snapshot is None or not overview.experiment.is_live:
        return {}
    key, promoter = overview.experiment.key, winnow().promoter
    try:
        return {proposal.segment: proposal for proposal in promoter.propose(key)}
    except InvalidInput:
        return dict(_one_by_one(overview))


def _one_by_one(overview: Overview) -> list[tuple[str, Proposal]]:
    found = []
    for plan in overview.experiment.definition.segments:
        try:
            [proposal] = winnow().promoter.propose(overview.experiment.key, plan.segment.key)
        except DomainError:
            continue
        found.append((proposal.segment, proposal))
    return found
