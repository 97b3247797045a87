"""A reason typed for an act that was refused: it stands in its form again, instead of being lost."""

from __future__ import annotations

from flask import session

_TYPED = "typed"


def remember(act_on: str, reason: str) -> None:
    """Keep the latest one in the reader's own session: it is nobody else's, and no part of an address."""
    session[_TYPED] = (act_on, reason)


def typed_before(act_on: str) -> str:
    """Return it once, to the form that it was typed in."""
    found = session.get(_TYPED)
    if found is None or found[0] != act_on:
        return ""
    _, reason = session.pop(_TYPED)
    return str(reason)
