"""The description of the API, and a page to browse it that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from threading import RLock

from apispec import APISpec
from flask import Blueprint as Pages
from flask import Flask, Response, abort, send_from_directory
from flask_smorest import Api, Blueprint
from swagger_ui_bundle import swagger_ui_path

from api.auth import SECURITY, SECURITY_SCHEMES
from api.routes import Routes
from api.schemas.problem import ProblemSchema

STATIC = Path(__file__).parent / "static"
ASSETS = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-16x16.png", "favicon-32x32.png"})

docs = Pages("docs", __name__, url_prefix="/docs")


@docs.get("")
def page() -> Response:
    """Give the page."""
    return send_from_directory(STATIC, "docs.html")


@docs.get("/assets/<name>")
def asset(name: str) -> Response:
    """Give one of the few files of Swagger UI that the page needs, out of the installed package."""
    if name not in ASSETS:
        abort(404)
    return send_from_directory(str(swagger_ui_path), name, max_age=86_400)


class Described(Api):  # type: ignore[misc] # flask-smorest has no types
    """Describes the views when somebody asks: that takes most of the time of a start."""

    def __init__(self) -> None:
        self._waiting: list[Blueprint] = []
        self._describing = RLock()
        super().__init__()

    def register_blueprint(self, blp: Blueprint) -> None:
        """Register the views; what they are called in the description is the blueprint's own name."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._waiting.append(blp)

    @property
    def spec(self) -> APISpec:
        """The description, with all views that were registered."""
        with self._describing:
            waiting, self._waiting = self._waiting, []
            for blueprint in waiting:
                blueprint.register_views_in_doc(self, self._app, self._spec, name=blueprint.name, parameters=None)
                self._spec.tag({"name": blueprint.name, "description": blueprint.description})
            if waiting:
                for response in self._spec.components.responses.values():
                    response["content"] = {"application/problem+json": response["content"].pop("application/json")}
        return self._spec

    @spec.setter
    def spec(self, made: APISpec) -> None:
        self._spec = made


def document(app: Flask, described: Sequence[Routes]) -> None:
    """Register the views, and serve their description at `/openapi.json`."""
    app.config.update(
        API_TITLE="Winnow",
        API_VERSION=version("winnow"),
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        API_SPEC_OPTIONS={
            "info": {
                "description": "Finds, for every customer segment, the content variant that wins, and puts it live."
            },
            "components": {"securitySchemes": SECURITY_SCHEMES},
            "security": SECURITY,
        },
    )
    api = Described()
    api.ERROR_SCHEMA = ProblemSchema()  # made once: it describes some sixty answers
    api.init_app(app)
    for routes in described:
        api.register_blueprint(routes.blueprint)
    app.register_blueprint(docs)
