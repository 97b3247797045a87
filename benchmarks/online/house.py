"""Winnow with the experiments that are asked for, made through its own API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from api.app import create_app
from benchmarks.online.question import CONTROL, COUNTRY, KEY, TREATMENT
from experiments.bootstrap import Winnow, build
from experiments.services.keys import Scope
from experiments.settings import Settings

SHOWN = "shown"
"""The experiment in which asking is showing."""
SEGMENT = "british"
_CONTENT = {CONTROL: "Autumn sale: up to 30 % off", TREATMENT: "Autumn sale: free delivery on everything"}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """`client` is Flask's, for the same process; `headers` are those of a caller who may do everything."""

    winnow: Winnow
    client: FlaskClient
    headers: dict[str, str]

    def post(self, path: str, body: Any = None) -> Any:
        """Send a document and return the answer's; a refusal ends the benchmark."""
        answer = self.client.post(path, json=body, headers=self.headers)
        if answer.status_code >= 300:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        return answer.json


@contextmanager
def house(*experiments: dict[str, Any], url: str = "memory://") -> Iterator[House]:
    """Open a database that is migrated, and put running experiments into it."""
    winnow = build(Settings(database_url=url, secret_key="only for a benchmark, and nobody else"))
    key = winnow.keys.create("benchmark", frozenset({Scope.ADMIN}), actor="benchmark").text
    app = create_app(winnow=winnow)
    made = House(winnow=winnow, client=app.test_client(), headers={"Authorization": f"Bearer {key}"})
    made.post("/v1/segments", {"key": SEGMENT, "name": "British", "condition": {"country": COUNTRY}})
    made.post("/v1/metrics", {"key": "visit", "name": "Visits", "kind": "conversion", "event_name": "visit"})
    for experiment in experiments:
        made.post("/v1/experiments", experiment)
        made.post(f"/v1/experiments/{experiment['key']}/start")
    yield made


def experiment(key: str = KEY, *, traffic_bp: int = 10_000, **changes: Any) -> dict[str, Any]:
    """Return one with one condition: inside it both variants, outside the control only."""
    return {
        "key": key,
        "name": key.title(),
        "variants": [
            {"key": CONTROL, "name": "Control", "content": {"text": _CONTENT[CONTROL]}, "is_control": True},
            {"key": TREATMENT, "name": "Treatment", "content": {"text": _CONTENT[TREATMENT]}},
        ],
        "segments": [
            {"segment": SEGMENT, "weights": {CONTROL: 1, TREATMENT: 1}, "traffic_bp": traffic_bp},
            {"segment": "everyone", "weights": {CONTROL: 1, TREATMENT: 0}},
        ],
        "metrics": [{"metric": "visit", "role": "primary"}],
        **changes,
    }


EXPERIMENTS = (experiment(), experiment(SHOWN, exposure_policy="on_assignment"))
