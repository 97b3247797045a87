"""How views are declared: scope, input, output and status in one line, which also documents them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from flask import request
from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.routing import BaseConverter, ValidationError

from api.auth import require, require_public
from api.body import StrictParser
from experiments.services.keys import Scope

View = TypeVar("View", bound=Callable[..., object])

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The ETag of what is edited.",
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The ETag held already.",
}


_REPLACED = "\N{REPLACEMENT CHARACTER}"


def _is_utf8(path: str) -> bool:
    """Say it of a path as WSGI gives it, a character for each byte."""
    try:
        path.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return True


class KeyConverter(BaseConverter):
    """Keys and ids in addresses: anything else is no address of ours."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class RowIdConverter(BaseConverter):
    """Numbers that a database may have given."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        """Return the number."""
        return int(value)


class UnitIdConverter(BaseConverter):
    """Units are named by others: an id may have slashes; what is no id at all the domain refuses."""

    regex = ".{1,2000}"
    part_isolating = False

    def to_python(self, value: str) -> str:
        """Return the id. What is not UTF-8 names nobody: what it would be read as may be somebody else's id."""
        if _REPLACED in value and not _is_utf8(request.environ["PATH_INFO"]):
            raise ValidationError
        return value


class OnlyUnitIdConverter(UnitIdConverter):
    """The same where nothing follows the id: what is an address of its own is no unit's, whatever the method."""

    regex = r"(?!(?:batch|consents)\Z).{1,2000}(?<!/consent)"


CONVERTERS: Mapping[str, type[BaseConverter]] = {
    "key": KeyConverter,
    "row_id": RowIdConverter,
    "unit": UnitIdConverter,
    "only_unit": OnlyUnitIdConverter,
}


class Routes:
    """A blueprint whose views take `body` and `query` by name; its name heads a part of the documentation."""

    def __init__(
        self, name: str, description: str, *, prefix: str = "/v1", parser: type[StrictParser] = StrictParser
    ) -> None:
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix, description=description)
        self.blueprint.ARGUMENTS_PARSER = parser()

    def get(self, rule: str, **declared: Any) -> Callable[[View], View]:
        """Declare a reading view."""
        return self.view("GET", rule, **declared)

    def post(self, rule: str, **declared: Any) -> Callable[[View], View]:
        """Declare an acting view."""
        return self.view("POST", rule, **declared)

    def put(self, rule: str, **declared: Any) -> Callable[[View], View]:
        """Declare a replacing view."""
        return self.view("PUT", rule, **declared)

    def view(
        self,
        method: str,
        rule: str,
        *,
        scope: Scope | None,
        out: type[Schema] | None,
        status: int = 200,
        body: type[Schema] | None = None,
        query: type[Schema] | None = None,
        also: Mapping[int, type[Schema] | None] | None = None,
        fails: Mapping[int, type[Schema]] | None = None,
        refuses: tuple[int, ...] = (),
        headers: tuple[Mapping[str, Any], ...] = (),
        key_in_address: bool = False,
        described: Mapping[str, Any] | None = None,
    ) -> Callable[[View], View]:
        """Declare a view: who may, what goes in, what comes out, and which refusals are to be expected.

        Where the key is a part of the address (`<client_key>`), it has to be a public one.
        """
        blueprint = self.blueprint
        steps = [blueprint.response(status, out)]
        steps += [blueprint.alt_response(code, schema=schema, success=True) for code, schema in (also or {}).items()]
        steps += [blueprint.alt_response(code, schema=schema) for code, schema in (fails or {}).items()]
        if query is not None:
            steps.append(blueprint.arguments(query, location="query", arg_name="query"))
        if body is not None:
            steps.append(blueprint.arguments(body, arg_name="body"))
        expected = (*refuses, *((401, 403) if scope else ()))
        steps += [blueprint.alt_response(code, response=HTTPStatus(code).name) for code in expected]
        if headers:
            steps.append(blueprint.doc(parameters=list(headers)))
        if key_in_address or scope is None:
            steps.append(blueprint.doc(security=[]))
        if scope is not None:
            steps.append(require_public if key_in_address else require(scope))

        if described is not None:
            steps.append(blueprint.doc(**described))

        def declare(view: View) -> View:
            wrapped: Any = view
            for step in steps:
                wrapped = step(wrapped)
            if scope is None:
                wrapped.talisman_view_options = {"force_https": False}  # probes come over plain HTTP
            blueprint.route(rule, methods=[method])(wrapped)
            return view

        return declare
