"""Who is signed in: the cookie holds the id of a key, and every request asks anew whether that key still may read."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue

from api.current import winnow
from api.errors import is_api
from experiments.domain.errors import Forbidden, Unauthenticated
from experiments.services.keys import Principal, Scope

KEY_ID = "key_id"
HOME = "/"


class PagesOnly(SecureCookieSessionInterface):
    """Pages renew the cookie, and nothing else does: what the API answers is the same for all who hold the key."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send it where a page is answered."""
        if not is_api(request.path):
            super().save_session(app, session, response)


def enter(principal: Principal) -> None:
    """Start a new session. Raises Forbidden where the key may not read."""
    principal.require(Scope.READ)
    session.clear()
    session.permanent = True
    session[KEY_ID] = principal.key_id


def leave() -> None:
    """End the session."""
    session.clear()


def signed_in() -> Principal | None:
    """Return who is asking, or None where nobody is signed in or the key has lost its right."""
    key_id = session.get(KEY_ID)
    if not isinstance(key_id, str):
        return None
    try:
        principal = winnow().keys.principal(key_id)
        principal.require(Scope.READ)
    except (Unauthenticated, Forbidden):
        return None
    return principal


def require_sign_in() -> ResponseReturnValue | None:
    """Stop a request that nobody signed in for, and bring the reader back after signing in."""
    principal = signed_in()
    if principal is None:
        session.pop(KEY_ID, None)
        wanted, undone = _page_wanted(), None if request.method in ("GET", "HEAD") else "yes"
        return redirect(url_for("sign_in.sign_in", next=None if wanted == HOME else wanted, undone=undone), 303)
    g.principal = principal
    return None


def _page_wanted() -> str:
    """Return the page that was asked for, or for an act the page on which it is decided."""
    if request.method in ("GET", "HEAD"):
        return request.full_path.rstrip("?")
    promotion_id = (request.view_args or {}).get("promotion_id")
    return request.path if promotion_id is None else url_for("promotion_views.promotion", promotion_id=promotion_id)


def require_write() -> None:
    """Raise Forbidden for keys that may only read."""
    principal: Principal = g.principal
    principal.require(Scope.WRITE)


def may_write() -> bool:
    """Say whether the reader may promote and revert."""
    scopes = g.principal.scopes
    return Scope.WRITE in scopes or Scope.ADMIN in scopes


def safe_next(target: str | None) -> str:
    """Return an address on this server, or the home page in place of anything else."""
    if target is None or not target.startswith("/") or target.startswith(("//", "/sign-")):
        return HOME
    if "\\" in target or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in target):
        return HOME
    parts = urlsplit(target)
    return HOME if parts.scheme or parts.netloc else target
