"""Every "no" as a problem (RFC 9457). One table says which status a refusal has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from api.body import Unfit
from api.hint import hint
from api.logs import logger
from api.ofrep.failure import failure, refuse_context, speaks_ofrep
from api.schemas.messages import Finding
from experiments.domain import errors as refusals
from experiments.domain.errors import DomainError

_log = logger("winnow.errors")
STATUS: Mapping[type[DomainError], HTTPStatus] = {
    refusals.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    refusals.NotFound: HTTPStatus.NOT_FOUND,
    refusals.AlreadyExists: HTTPStatus.CONFLICT,
    refusals.NoConsent: HTTPStatus.CONFLICT,
    refusals.IllegalTransition: HTTPStatus.CONFLICT,
    refusals.StateConflict: HTTPStatus.CONFLICT,
    refusals.Taken: HTTPStatus.CONFLICT,
    refusals.FrozenField: HTTPStatus.CONFLICT,
    refusals.RevisionMismatch: HTTPStatus.PRECONDITION_FAILED,
    refusals.RevisionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    refusals.LayerFull: HTTPStatus.CONFLICT,
    refusals.PromotionRefused: HTTPStatus.CONFLICT,
    refusals.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    refusals.Forbidden: HTTPStatus.FORBIDDEN,
    refusals.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    refusals.RowsRefused: HTTPStatus.INTERNAL_SERVER_ERROR,
    refusals.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
}
HEADERS: Mapping[type[DomainError], Mapping[str, str]] = {
    refusals.Unauthenticated: {"WWW-Authenticate": 'Bearer realm="winnow"'},
    refusals.Unavailable: {"Retry-After": "1"},
}
HTTP_CODES: Mapping[int, str] = {
    400: "bad_request",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal",
}
_CODES_BY_NAME: Mapping[str, str] = {"BadJson": "bad_json"}
_API_PATHS = ("/v1", "/api", "/ofrep", "/openapi.json", "/healthz", "/readyz", "/metrics")


def register(app: Flask) -> None:
    """Answer refusals, unfit inputs, and HTTP errors under the API's own paths with problems."""
    app.register_error_handler(DomainError, _on_refusal)
    app.register_error_handler(Unfit, _on_unfit)
    app.register_error_handler(HTTPException, _on_http_error)


def is_api(path: str) -> bool:
    """Say whether a machine asks, so that errors are problems rather than pages."""
    return any(path == known or path.startswith(f"{known}/") for known in _API_PATHS)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    path: str = "",
    errors: Sequence[Finding] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the problem document."""
    document: dict[str, Any] = {
        "type": f"urn:winnow:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": int(status),
        "detail": detail,
        "code": code,
    }
    if path:
        document["path"] = path
    if errors:
        document["errors"] = [{"path": one.path, "code": one.code, "message": one.message} for one in errors]
    return Response(json.dumps(document), status=int(status), headers=headers, mimetype="application/problem+json")


def status_of(refusal: DomainError) -> HTTPStatus:
    """Return the status of a refusal, or of the kind that it refines."""
    return next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)


def headers_of(refusal: DomainError) -> Mapping[str, str] | None:
    """Return what a client has to know beyond the problem."""
    if isinstance(refusal, refusals.RateLimited):
        return {"Retry-After": str(refusal.wait_seconds)}
    return next((HEADERS[kind] for kind in type(refusal).__mro__ if kind in HEADERS), None)


def _on_refusal(refusal: DomainError) -> Response:
    if cause := refusals.cause_of(refusal):
        _log.warning("unavailable", code=refusal.code, cause=cause)
    headers = headers_of(refusal)
    if speaks_ofrep(request.path):
        return failure(request.path, status_of(refusal), refusal.message, headers=headers)
    detail = refusal.message + hint(refusal)
    return problem(status_of(refusal), refusal.code, detail, path=refusal.path, headers=headers)


def _on_unfit(unfit: Unfit) -> Response:
    """Tell a single refusal of the domain as such, and all else as a list."""
    first, *more = unfit.found
    if speaks_ofrep(request.path):
        return refuse_context(request.path, first)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if first.is_refusal and not more:
        return problem(status, first.code, first.message, path=first.path)
    count = "One thing is" if not more else f"{len(unfit.found)} things are"
    return problem(status, f"invalid_{unfit.location}", f"{count} wrong with the {unfit.location}.", errors=unfit.found)


def _on_http_error(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400 or error.response is not None or not is_api(request.path):
        return error
    code = _CODES_BY_NAME.get(type(error).__name__) or HTTP_CODES.get(error.code, "http_error")
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    if speaks_ofrep(request.path):
        return failure(request.path, error.code, _detail(error), headers=headers)
    return problem(error.code, code, _detail(error), headers=headers)


def _detail(error: HTTPException) -> str:
    if error.code == HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Something failed on our side; the log has it under the request id of this answer."
    if error.code == HTTPStatus.NOT_FOUND:
        return "There is nothing at this address."
    return error.description or error.name
