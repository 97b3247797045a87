"""A caller of the API, and the bodies it sends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from experiments.bootstrap import Winnow

VISIT = {"key": "visit", "name": "Visits", "kind": "conversion", "event_name": "visit"}
MENS = {"key": "mens", "name": "Men's", "condition": {"mens": 1}}
EVENT = {"type": "event", "event_id": "e1", "unit_id": "u1", "name": "visit"}
EXPOSURE = {
    "type": "exposure",
    "event_id": "x1",
    "unit_id": "u1",
    "experiment": "banner",
    "version": 1,
    "segment": "everyone",
    "variant": "a",
}
BANNER: dict[str, Any] = {
    "key": "banner",
    "name": "Banner",
    "variants": [
        {"key": "a", "name": "A", "content": {"text": "old"}, "is_control": True},
        {"key": "b", "name": "B", "content": {"text": "new"}},
    ],
    "segments": [{"segment": "mens", "weights": {"a": 1, "b": 1}}],
    "metrics": [{"metric": "visit", "role": "primary"}],
}


@dataclass(frozen=True)
class Caller:
    """Somebody with a key."""

    client: FlaskClient
    winnow: Winnow
    key: str | None

    def with_scopes(self, *scopes: str, tags: tuple[str, ...] = ()) -> Caller:
        """Return somebody else, who may do only that, with the experiments of these tags."""
        name = "+".join(scopes)
        made = self.winnow.keys.create(name, frozenset(scopes), tags=frozenset(tags), actor="test")
        return replace(self, key=made.text)

    def anonymous(self) -> Caller:
        return replace(self, key=None)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        return self.client.open(path, method=method, json=body, headers=sent)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.send("PUT", path, body, **headers)

    def post_text(self, path: str, text: str | bytes, content_type: str = "application/json") -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.client.post(path, data=text, content_type=content_type, headers=headers)


def codes(answer: TestResponse) -> list[tuple[str, str]]:
    """Return path and code of every finding of a problem."""
    assert answer.json is not None
    return [(error["path"], error["code"]) for error in answer.json["errors"]]


def refusal(answer: TestResponse) -> tuple[int, str, str | None]:
    """Return status, code and path of a problem, having checked its form."""
    problem = answer.json
    assert problem is not None
    assert answer.content_type == "application/problem+json"
    assert problem["type"] == f"urn:winnow:problem:{problem['code']}"
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    return answer.status_code, problem["code"], problem.get("path")
