"""The OpenFeature tests are collected only where its SDK is: `make test-own-clients`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from fake_server import FakeServer

from winnow_client import backoff as backoff_module

collect_ignore_glob = [] if find_spec("openfeature") else ["test_openfeature.py"]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "FIRST_SECONDS", 0.02)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    fake.start()
    yield fake
    fake.stop()
