"""Getting in and out: with an API key that may read, or once with a short-lived link."""

from __future__ import annotations

from flask import current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.dashboard.blueprint import pages_blueprint
from api.dashboard.session import enter, leave, safe_next, signed_in
from experiments.domain.errors import Forbidden, Unauthenticated

UNKNOWN_KEY = "This key is not known here, or it has been revoked."
MAY_NOT_READ = "This key may not read results. Ask for one with the scope “read”."
DEAD_LINK = "This link has expired or has been used already. Sign in with a key, or ask for a new link."
UNDONE = "Nothing was done: you were signed out. Sign in and do it again."

pages = pages_blueprint("sign_in")


@pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the form, or honour a link."""
    target = safe_next(request.args.get("next"))
    token = request.args.get("token")
    if token is not None:
        return _by_link(token, target)
    if signed_in() is not None:
        return redirect(target)
    return _form(target, UNDONE if "undone" in request.args else "")


@pages.post("/sign-in")
def sign_in_with_key() -> ResponseReturnValue:
    """Check the key and start the session."""
    target = safe_next(request.form.get("next"))
    try:
        enter(winnow().keys.authenticate(request.form.get("key", "").strip()))
    except Unauthenticated:
        return _form(target, UNKNOWN_KEY), 401
    except Forbidden:
        return _form(target, MAY_NOT_READ), 403
    return redirect(target, 303)


@pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session."""
    leave()
    flash("You are signed out.", "info")
    return redirect(url_for("sign_in.sign_in"), 303)


def _by_link(token: str, target: str) -> ResponseReturnValue:
    try:
        enter(winnow().sign_in_links.honour(str(current_app.secret_key), token))
    except Unauthenticated:
        return redirect(target, 303) if signed_in() is not None else (_form(target, DEAD_LINK), 401)
    except Forbidden:
        return _form(target, MAY_NOT_READ), 403
    return redirect(target, 303)


def _form(target: str, refusal: str = "") -> str:
    session.permanent = True
    return render_template("dashboard/sign_in.html", next=target, refusal=refusal)
