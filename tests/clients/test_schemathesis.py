"""Schemathesis makes requests out of our own description: whatever it sends, nothing fails on our side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from api.app import create_app
from experiments.bootstrap import build
from experiments.settings import Settings
from experiments.storage import migrate

EXAMPLES = 8
"""Per operation; always the same ones."""


CAREFUL = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.timeout(600)
def test_nothing_fails_on_our_side(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'winnow.sqlite'}"
    migrate.upgrade(url)
    services = build(Settings(database_url=url, secret_key="s" * 40, stream_url="https://streams.example"))
    key = services.keys.create("schemathesis", frozenset({"admin"}), actor="test").text
    app = create_app(winnow=services)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    statuses: Counter[int] = Counter()

    def check(operation: Any) -> None:
        @CAREFUL
        @given(operation.as_strategy())
        def send(case: Any) -> None:
            answer = case.call(headers={"Authorization": f"Bearer {key}"})
            statuses[answer.status_code] += 1
            assert answer.status_code < 500, case.as_curl_command()

        send()

    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        check(operation)
    assert len(operations) == len(_described(app))
    assert set(statuses) >= {200, 404, 422}, statuses


def _described(app: Any) -> list[tuple[str, str]]:
    paths = app.test_client().get("/openapi.json").json["paths"]
    return [(path, method) for path, item in paths.items() for method in item if method != "parameters"]
