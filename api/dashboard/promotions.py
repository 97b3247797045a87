"""Pages that act: put a segment's winner live, and take it back. Every act is a form, a check and a redirect."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.current import actor, winnow
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.names import names_of
from api.dashboard.promotion_page import promotion_page
from api.dashboard.session import require_sign_in, require_write
from experiments.domain.errors import DomainError, NotFound
from experiments.services.proposals import Proposal

REASON_LENGTH = 500

pages = pages_blueprint("promotions", require_sign_in, require_write)


@pages.get("/experiments/<key>/promote/<segment>")
def confirm(key: str, segment: str) -> ResponseReturnValue:
    """Show what would change and why, before anything does."""
    experiment = winnow().author.get(key)
    return render_template("dashboard/promote.html", page=promotion_page(experiment, _proposal(key, segment)))


@pages.post("/experiments/<key>/promote/<segment>")
def promote(key: str, segment: str) -> ResponseReturnValue:
    """Promote, unless the evidence names another variant than the one that was confirmed."""
    names = names_of(winnow().author.get(key))
    confirmed = request.form.get("variant", "")
    try:
        if _proposal(key, segment).decision.variant not in (confirmed, None):
            flash("Not put live: the evidence has changed meanwhile. Look at it again.", "refusal")
            return redirect(url_for("promotions.confirm", key=key, segment=segment), 303)
        promotion = winnow().promoter.apply(key, segment, actor=actor())
    except DomainError as refusal:
        return _refused(key, "Not put live", refusal)
    flash(f"{names.variant(promotion.variant)} is live for {names.segment(segment)}.", "done")
    return redirect(url_for("dashboard.experiment", key=key), 303)


@pages.post("/experiments/<key>/revert/<promotion_id>")
def revert(key: str, promotion_id: str) -> ResponseReturnValue:
    """Take a promotion back."""
    names = names_of(winnow().author.get(key))
    reason = request.form.get("reason", "").strip()[:REASON_LENGTH]
    if not reason:
        flash("Not taken back: please say why, it is kept in the history.", "refusal")
        return redirect(url_for("dashboard.experiment", key=key), 303)
    try:
        if winnow().promoter.get(promotion_id).experiment != key:
            raise NotFound("promotion", promotion_id)
        promotion = winnow().promoter.revert(promotion_id, reason=reason, actor=actor())
    except DomainError as refusal:
        return _refused(key, "Not taken back", refusal)
    flash(f"{names.variant(promotion.variant)} is taken back for {names.segment(promotion.segment)}.", "done")
    return redirect(url_for("dashboard.experiment", key=key), 303)


def _proposal(key: str, segment: str) -> Proposal:
    [proposal] = winnow().promoter.propose(key, segment)
    return proposal


def _refused(key: str, act: str, refusal: DomainError) -> ResponseReturnValue:
    flash(f"{act}: {refusal.message}", "refusal")
    return redirect(url_for("dashboard.experiment", key=key), 303)
