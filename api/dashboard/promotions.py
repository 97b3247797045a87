"""Pages that act: put a segment's winner live, approve, reject, take back. Every act is a form, a check, a redirect."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from api.current import actor, winnow
from api.dashboard import format as say
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.confirmation import confirmation
from api.dashboard.names import names_of
from api.dashboard.reasons import has_moved_on, refusal_in_words
from api.dashboard.session import require_sign_in, require_write
from api.dashboard.standing import WORDS, person_of, share_of
from api.dashboard.taking_part import layer_of, of_those
from api.dashboard.typed import remember
from experiments.domain.errors import DomainError
from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.promoting.promote import NOTE_LENGTH
from experiments.services.promoting.proposals import Proposal

pages = pages_blueprint("promotions", require_sign_in, require_write)


@pages.get("/experiments/<key>/promote/<segment>")
def confirm(key: str, segment: str) -> ResponseReturnValue:
    """Show what would change and why, before anything does."""
    overview = winnow().results.overview(key)
    layer = layer_of(overview.experiment)
    page = confirmation(overview.experiment, _proposal(key, segment), overview.promotions, layer=layer)
    return render_template("dashboard/promote.html", page=page, note_length=NOTE_LENGTH)


@pages.post("/experiments/<key>/promote/<segment>")
def promote(key: str, segment: str) -> ResponseReturnValue:
    """Promote, unless the evidence names another variant than the one that was confirmed."""
    confirmed, note = request.form.get("variant", ""), _reason()
    try:
        if _proposal(key, segment).decision.variant not in (confirmed, None):
            flash("Not put live: the evidence has changed meanwhile. Look at it again.", "refusal")
            remember(request.path, note)
            return redirect(url_for("promotions.confirm", key=key, segment=segment), 303)
        promotion = winnow().promoter.apply(key, segment, note=note, actor=actor())
    except DomainError as refusal:
        flash(f"Not put live: {refusal_in_words(refusal)}", "refusal")
        remember(request.path, note)
        return redirect(url_for("dashboard.experiment", key=key), 303)
    flash(_went_live(promotion), "done")
    return redirect(url_for("dashboard.experiment", key=key), 303)


@pages.post("/promotions/<key:promotion_id>/approve")
def approve(promotion_id: str) -> ResponseReturnValue:
    """Let a proposal go live."""
    return _act(
        promotion_id,
        lambda reason: winnow().promoter.approve(promotion_id, note=reason, actor=actor()),
        refused="Not approved",
        done=_went_live,
        reason_wanted=False,
    )


@pages.post("/promotions/<key:promotion_id>/reject")
def reject(promotion_id: str) -> ResponseReturnValue:
    """Turn a proposal down."""
    return _act(
        promotion_id,
        lambda reason: winnow().promoter.reject(promotion_id, reason=reason, actor=actor()),
        refused="Not rejected",
        done=lambda promotion: f"{_what(promotion)} is rejected. It will not be proposed there again.",
    )


@pages.post("/promotions/<key:promotion_id>/revert")
def revert(promotion_id: str) -> ResponseReturnValue:
    """Take a promotion back."""
    return _act(
        promotion_id,
        lambda reason: winnow().promoter.revert(promotion_id, reason=reason, actor=actor()),
        refused="Not taken back",
        done=lambda promotion: f"{_what(promotion)} is taken back.",
    )


def _act(
    promotion_id: str,
    act: Callable[[str], Promotion],
    *,
    refused: str,
    done: Callable[[Promotion], str],
    reason_wanted: bool = True,
) -> ResponseReturnValue:
    """Act on a promotion that exists, and go back to where the form stood."""
    winnow().promoter.get(promotion_id)
    reason = _reason()
    if reason_wanted and not reason:
        flash(f"{refused}: please say why, it is kept in the history.", "refusal")
        return _back(promotion_id)
    try:
        promotion = act(reason)
    except DomainError as refusal:
        remember(promotion_id, reason)
        if has_moved_on(refusal):
            # Where the form stood it may not be any more.
            flash(f"{refused}: somebody was faster. {_last_step(promotion_id)}", "refusal")
            return _to_promotion(promotion_id)
        flash(f"{refused}: {refusal_in_words(refusal)}", "refusal")
        return _back(promotion_id)
    flash(done(promotion), "done")
    return _back(promotion_id)


def _reason() -> str:
    return " ".join(request.form.get("reason", "").split())[:NOTE_LENGTH]


def _back(promotion_id: str) -> ResponseReturnValue:
    if request.form.get("back") == "inbox":
        return redirect(url_for("promotion_views.inbox"), 303)
    return _to_promotion(promotion_id)


def _to_promotion(promotion_id: str) -> ResponseReturnValue:
    return redirect(url_for("promotion_views.promotion", promotion_id=promotion_id), 303)


def _last_step(promotion_id: str) -> str:
    """Who did what, and when."""
    last = winnow().promoter.get(promotion_id).steps[-1]
    return f"{WORDS[last.state]} {say.instant(last.at)} by {person_of(last)}."


def _what(promotion: Promotion) -> str:
    names = names_of(winnow().author.get(promotion.experiment))
    return f"{names.variant(promotion.variant)} for {names.segment(promotion.segment)}"


def _went_live(promotion: Promotion) -> str:
    if promotion.state is PromotionState.APPROVED:
        return f"{_what(promotion)} is approved. It goes live as soon as quiet hours are over."
    definition = winnow().author.get(promotion.experiment).definition
    if definition.is_split_elsewhere:
        decided = f"{_what(promotion)} is decided, for {share_of(promotion)}."
        return f"{decided} Another system decides who sees what: it has to carry that out."
    seen_by = share_of(promotion) + of_those(definition, definition.plan_of(promotion.segment))
    return f"{_what(promotion)} is live: {seen_by} see it."


def _proposal(key: str, segment: str) -> Proposal:
    [proposal] = winnow().promoter.propose(key, segment)
    return proposal
