"""What all pages have in common: checks before, pages for refusals, nothing left in caches behind."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, current_app, render_template
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from api.errors import status_of
from experiments.domain.errors import DomainError

Check = Callable[[], ResponseReturnValue | None]

_HEADLINES = {
    403: "This key may not do that",
    404: "There is nothing here",
    405: "There is nothing to see here",
    409: "That is not possible right now",
    503: "Winnow cannot answer right now",
}
_LOST = {
    404: "The address may be misspelt, or the page has moved.",
    405: "This address only takes decisions from the form of another page. Nothing was done.",
}


def pages_blueprint(name: str, *checks: Check) -> Blueprint:
    """Return a blueprint whose views run after the checks and whose forms are protected."""
    blueprint = Blueprint(name, __name__)
    for check in (*checks, _protect_forms):
        blueprint.before_request(check)
    blueprint.after_request(_keep_private)
    blueprint.register_error_handler(DomainError, _on_refusal)
    blueprint.register_error_handler(CSRFError, _on_forged_form)
    blueprint.register_error_handler(500, _on_failure)
    return blueprint


def message_page(status: int, headline: str, text: str) -> ResponseReturnValue:
    """Return a page that says one thing."""
    return render_template("dashboard/message.html", headline=headline, text=text), status


def lost_page(status: int) -> str:
    """Return what stands at an address that does not exist, or that only takes what a form sends."""
    return render_template("dashboard/message.html", headline=_HEADLINES[status], text=_LOST[status])


def _protect_forms() -> None:
    current_app.extensions["csrf"].protect()


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _on_refusal(refusal: DomainError) -> ResponseReturnValue:
    status = int(status_of(refusal))
    return message_page(status, _HEADLINES.get(status, "That did not work"), refusal.message)


def _on_forged_form(_: CSRFError) -> ResponseReturnValue:
    return message_page(
        400,
        "This form was not accepted",
        "It was open for too long, or did not come from this site. Nothing was changed; go back and try again.",
    )


def _on_failure(_: Exception) -> ResponseReturnValue:
    return message_page(
        500,
        "Something failed on our side",
        "Nothing was changed. Please try again; if it stays, tell whoever runs Winnow.",
    )
