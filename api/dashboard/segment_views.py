"""Pages of segments to read: the list with the map of all customers, and the card of one segment."""

from __future__ import annotations

import json

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.dashboard import format as say
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.csv_download import csv_download
from api.dashboard.heat import SHARE_LEGEND
from api.dashboard.overlap_matrix import overlap_matrix
from api.dashboard.rfm_section import rfm_section
from api.dashboard.segment_listing import counted, segment_row
from api.dashboard.segment_page import CardPage, card_page
from api.dashboard.segment_reads import (
    attribute_names,
    customers_report,
    every_experiment,
    segment_names,
    shown_doubts,
    stored_card,
    uncounted_beside,
)
from api.dashboard.segment_uses import uses_of
from api.dashboard.session import require_sign_in
from experiments.domain.condition.words import condition_clauses
from experiments.services.segments.few import told
from experiments.services.segments.report_csv import card_csv

ROWS_PER_PAGE = 50
TESTABILITY = "too_small"

pages = pages_blueprint("segment_views", require_sign_in)


@pages.get("/segments")
def segments() -> ResponseReturnValue:
    """List all segments, by key; below them everybody who bought, and which segments share customers."""
    after, now = request.args.get("after", ""), winnow().clock()
    every = winnow().segment_reports.all_newest()
    names = {one.segment.value.key: one.segment.value.name for one in every}
    found = [one for one in every if one.segment.value.key > after]
    shown = found[:ROWS_PER_PAGE]
    everybody = customers_report()
    return render_template(
        "dashboard/segments.html",
        rows=[
            segment_row(one.segment.value, stored_card(one), shown_doubts(one, names), outdated=one.state == "outdated")
            for one in shown
        ],
        next_after=shown[-1].segment.value.key if len(found) > len(shown) else None,
        is_first=not after,
        everybody=everybody,
        counted=counted(everybody.made_at, now) if everybody else "",
        rfm=rfm_section(everybody.rfm) if everybody else None,
        matrix=overlap_matrix(everybody.overlaps) if everybody else None,
        share_legend=SHARE_LEGEND,
    )


@pages.get("/segments/<key>")
def segment(key: str) -> ResponseReturnValue:
    """Show what a segment is, what is known of it and what is doubtful about it."""
    reported = winnow().segment_reports.of(key)
    shown, report = reported.segment.value, stored_card(reported)
    attributes, names = attribute_names(), segment_names()
    doubts = shown_doubts(reported, names)
    page = None
    if report is not None and report.card is not None:
        page = card_page(
            report, report.card, segments=names, attributes=attributes, uncounted=uncounted_beside(report.card)
        )
    return render_template(
        "dashboard/segment.html",
        segment=shown,
        page=page,
        doubts=[one for one in doubts if one.severity != "info" and not (one.code == TESTABILITY and _answers(page))],
        lies_in=[one for one in doubts if one.severity == "info"],
        report=report,
        state=reported.state,
        counted=counted(report.made_at, winnow().clock()) if report else "",
        since=say.day(report.since) if report else "",
        clauses=condition_clauses(shown.condition, attributes),
        written=json.dumps(shown.condition, indent=2, ensure_ascii=False),
        uses=uses_of(shown, every_experiment()),
    )


def _answers(page: CardPage | None) -> bool:
    """Say whether the card tells week by week what can be tested: then its doubt about that would be said twice."""
    return page is not None and bool(page.testing.rows)


@pages.get("/segments/<key>/card.csv")
def table(key: str) -> ResponseReturnValue:
    """Download the figures of the card."""
    return csv_download(card_csv(told(winnow().segment_reports.newest(key).document)), f"{key}-card.csv")
