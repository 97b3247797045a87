"""Pages of promotions to read: what waits for a person, and one promotion from its proposal to its end."""

from __future__ import annotations

import re

from flask import render_template, request
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.inbox import Waiting, waiting_of
from api.dashboard.promotion_page import promotion_page
from api.dashboard.session import may_write, require_sign_in, signed_in
from api.dashboard.taking_part import layer_of
from experiments.domain.errors import DomainError, NotFound
from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.promoting.proposals import Proposal

ROWS_PER_PAGE = 10
_AFTER = re.compile(r"[1-9][0-9]{0,17}")

pages = pages_blueprint("promotion_views", require_sign_in)


@pages.get("/inbox")
def inbox() -> ResponseReturnValue:
    """List the proposals that wait, newest first; those that were approved and wait for the end of quiet hours."""
    after = request.args.get("after")
    if after is not None and not _AFTER.fullmatch(after):
        raise NotFound("promotion", after)
    history = winnow().promoter.history
    page = history(experiment=None, state=PromotionState.PROPOSED, after=after, limit=ROWS_PER_PAGE)
    approved = history(experiment=None, state=PromotionState.APPROVED, after=None, limit=ROWS_PER_PAGE)
    return render_template(
        "dashboard/inbox.html",
        waiting=[_waiting(one) for one in page.items],
        approved=[_waiting(one) for one in approved.items] if after is None else [],
        next_after=page.next_after,
        is_first=after is None,
        may_write=may_write(),
    )


@pages.get("/promotions/<key:promotion_id>")
def promotion(promotion_id: str) -> ResponseReturnValue:
    """Show where it stands, what it has come to, its steps, and what it rests on."""
    found = winnow().promoter.get(promotion_id)
    experiment = winnow().author.get(found.experiment)
    page = promotion_page(experiment, found, _present(found), layer=layer_of(experiment))
    return render_template("dashboard/promotion.html", page=page, may_write=may_write())


def waiting_count() -> str:
    """Return how many proposals wait, for the header: empty where none do, or where nobody may know."""
    try:
        if signed_in() is None:
            return ""
        return str(winnow().promoter.waiting() or "")
    except DomainError:
        return ""


def _waiting(found: Promotion) -> Waiting:
    experiment = winnow().author.get(found.experiment)
    return waiting_of(experiment, found, _present(found), layer=layer_of(experiment))


def _present(found: Promotion) -> Proposal | None:
    """What would be done now, where it is under way and the latest analysis knows its segment."""
    if not found.is_open:
        return None
    try:
        [proposal] = winnow().promoter.propose(found.experiment, found.segment)
    except DomainError:
        return None
    return proposal
