"""The portrait of a segment: as a page, as a picture and as a table."""

from __future__ import annotations

from flask import Response, render_template
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.csv_download import csv_download
from api.dashboard.persona_drawing import persona_drawing
from api.dashboard.persona_page import PersonaNames, PersonaPage, persona_page
from api.dashboard.segment_reads import attribute_names, stored_card
from api.dashboard.session import require_sign_in
from api.dashboard.stored.portrait import Portrait
from experiments.domain.errors import NotFound
from experiments.services.segments.few import told
from experiments.services.segments.report_csv import persona_csv
from experiments.services.segments.reports import Reported

pages = pages_blueprint("persona_views", require_sign_in)


@pages.get("/segments/<key>/persona")
def persona(key: str) -> ResponseReturnValue:
    """Show the portrait, or say why there is none."""
    reported = winnow().segment_reports.of(key)
    report = stored_card(reported)
    return render_template(
        "dashboard/persona.html",
        segment=reported.segment.value,
        page=_page(reported),
        missing=report.no_portrait if report else "",
        state=reported.state,
    )


@pages.get("/segments/<key>/persona.svg")
def picture(key: str) -> ResponseReturnValue:
    """Draw the portrait."""
    page = _page(winnow().segment_reports.of(key))
    if page is None:
        raise NotFound("persona", key)
    return Response(
        render_template("dashboard/persona.svg", drawing=persona_drawing(page)),
        mimetype="image/svg+xml",
        headers={"Content-Disposition": f'inline; filename="{key}-persona.svg"'},
    )


@pages.get("/segments/<key>/persona.csv")
def table(key: str) -> ResponseReturnValue:
    """Download the figures."""
    return csv_download(persona_csv(told(winnow().segment_reports.newest(key).document)), f"{key}-persona.csv")


def _page(reported: Reported) -> PersonaPage | None:
    report = stored_card(reported)
    if report is None or report.portrait is None:
        return None
    return persona_page(reported.segment.value.name, report, report.portrait, _names(report.portrait))


def _names(portrait: Portrait) -> PersonaNames:
    """What is not there any more keeps its key."""
    experiments: dict[str, str] = {}
    variants: dict[tuple[str, str], str] = {}
    for key in {one.experiment for one in portrait.won}:
        try:
            definition = winnow().author.get(key).definition
        except NotFound:
            continue
        experiments[key] = definition.name
        variants |= {(key, variant.key): variant.name for variant in definition.variants}
    return PersonaNames(attributes=attribute_names(), experiments=experiments, variants=variants)
