"""Pages of what was found without being asked for: clusters of customers, and discoveries in experiments."""

from __future__ import annotations

import re

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.dashboard import format as say
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.cluster_page import cluster_page
from api.dashboard.discovery_page import DiscoveryCard, discovery_card
from api.dashboard.segment_reads import attribute_names
from api.dashboard.session import require_sign_in
from experiments.domain.errors import NotFound
from experiments.domain.study import Study, StudyKind

MOST_VERSIONS, ROWS_PER_PAGE = 20, 20
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")

pages = pages_blueprint("study_views", require_sign_in)


@pages.get("/clusters")
def clusterings() -> ResponseReturnValue:
    """List the newest version of each clustering."""
    page = winnow().studies.page(StudyKind.CLUSTERING, after=request.args.get("after"), limit=ROWS_PER_PAGE)
    rows = [(one.name, str(one.document["message"]), say.day(one.made_at)) for one in page.items]
    return render_template(
        "dashboard/clusterings.html", rows=rows, next_after=page.next_after, is_first="after" not in request.args
    )


@pages.get("/clusters/<name>")
def clustering(name: str) -> ResponseReturnValue:
    """Show the newest version, or the one that is asked for."""
    studies, kind, wanted = winnow().studies, StudyKind.CLUSTERING, request.args.get("version")
    if wanted is not None and not _NUMBER.fullmatch(wanted):
        raise NotFound("version", wanted)
    page = cluster_page(
        studies.get(kind, name, None if wanted is None else int(wanted)),
        studies.versions(kind, name, after=None, limit=MOST_VERSIONS).items,
        studies.adopted(kind, name),
        attribute_names(),
    )
    return render_template("dashboard/clusters.html", page=page)


@pages.get("/discoveries")
def discoveries() -> ResponseReturnValue:
    """List the newest look at each experiment, with what it proposes."""
    page = winnow().studies.page(StudyKind.DISCOVERY, after=request.args.get("after"), limit=ROWS_PER_PAGE)
    attributes = attribute_names()
    return render_template(
        "dashboard/discoveries.html",
        cards=[_card(study, attributes) for study in page.items],
        next_after=page.next_after,
        is_first="after" not in request.args,
    )


def _card(study: Study, attributes: dict[str, str]) -> DiscoveryCard:
    try:
        return discovery_card(study, winnow().author.get(study.name), attributes)
    except NotFound:
        return discovery_card(study, None, attributes)
