"""The provider behind OpenFeature's own client: values, variants, reasons, errors, metadata, tracking."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from documents import catalog, experiment
from fake_server import KEY, FakeServer
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import Reason
from openfeature.track import TrackingEventDetails

from winnow_client import Client
from winnow_client.openfeature import WinnowProvider

ANN = EvaluationContext(targeting_key="ann", attributes={"country": "NL"})
EVERYONE = experiment()["segments"][0]


def flag(key: str, content: Any, **changes: Any) -> dict[str, Any]:
    """An experiment that shows everybody the content, by no chance."""
    whole = [{"start": 0, "end": 10_000, "variant": "b"}]
    segments = [{**EVERYONE, "ranges": whole}]
    variants = [{"key": "a", "content": None}, {"key": "b", "content": content}]
    return experiment(key=key, **{"variants": variants, "segments": segments, **changes})


@pytest.fixture
def winnow(server: FakeServer) -> Iterator[Client]:
    server.catalog = catalog(
        flag("yes", True),
        flag("text", "Grüße"),
        flag("whole", 7),
        flag("number", 1.5),
        flag("object", {"text": "new"}),
        flag("list", [1, 2]),
        flag("nothing", None),
        flag("tested", "b", forced={"ann": "b"}),
        flag("resting", "b", status="paused"),
        flag("dutch", "b", segments=[{**EVERYONE, "key": "nl", "condition": {"country": "NL"},
             "ranges": [{"start": 0, "end": 10_000, "variant": "b"}]}, EVERYONE]),
        experiment(key="halves"),
    )  # fmt: skip
    with Client(server.url, KEY, poll_seconds=0.02, interval_seconds=0.02) as client:
        yield client


@pytest.fixture
def flags(winnow: Client) -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(WinnowProvider(winnow), "winnow")
    yield api.get_client("winnow")
    api.clear_providers()


@pytest.mark.parametrize(
    ("kind", "key", "default", "value"),
    [
        ("boolean", "yes", False, True),
        ("string", "text", "mine", "Grüße"),
        ("integer", "whole", 1, 7),
        ("float", "number", 0.5, 1.5),
        ("float", "whole", 0.5, 7.0),
        ("object", "object", {}, {"text": "new"}),
        ("object", "list", [], [1, 2]),
    ],
)
def test_values(flags: OpenFeatureClient, kind: str, key: str, default: Any, value: Any) -> None:
    details = getattr(flags, f"get_{kind}_details")(key, default, ANN)
    assert (details.value, details.variant, details.error_code) == (value, "b", None)
    assert details.flag_metadata == {
        "experiment": key, "version": 3, "epoch": 2, "variant": "b", "reason": "assigned", "counted": True,
        "segment": "everyone",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("text", Reason.STATIC),
        ("dutch", Reason.TARGETING_MATCH),
        ("tested", Reason.TARGETING_MATCH),
        ("halves", Reason.SPLIT),
    ],
)
def test_reasons(flags: OpenFeatureClient, key: str, reason: Reason) -> None:
    kind = "object" if key == "halves" else "string"
    assert getattr(flags, f"get_{kind}_details")(key, {} if key == "halves" else "", ANN).reason == reason


def test_no_content_is_the_default_in_the_code(flags: OpenFeatureClient) -> None:
    details = flags.get_string_details("nothing", "mine", ANN)
    assert (details.value, details.variant, details.error_code) == ("mine", "b", None)
    paused = flags.get_string_details("resting", "mine", ANN)
    assert (paused.value, paused.variant, paused.reason) == ("mine", "a", Reason.DISABLED)


@pytest.mark.parametrize(
    ("asked", "given", "code"),
    [
        (("string", "other", "mine"), ANN, ErrorCode.FLAG_NOT_FOUND),
        (("string", "whole", "mine"), ANN, ErrorCode.TYPE_MISMATCH),
        (("integer", "yes", 3), ANN, ErrorCode.TYPE_MISMATCH),
        (("integer", "number", 3), ANN, ErrorCode.TYPE_MISMATCH),
        (("float", "yes", 0.5), ANN, ErrorCode.TYPE_MISMATCH),
        (("boolean", "whole", True), ANN, ErrorCode.TYPE_MISMATCH),
        (("object", "text", {}), ANN, ErrorCode.TYPE_MISMATCH),
        (("string", "text", "mine"), None, ErrorCode.TARGETING_KEY_MISSING),
        (("string", "text", "mine"), EvaluationContext(), ErrorCode.TARGETING_KEY_MISSING),
        (("string", "text", "mine"), EvaluationContext("a\nb"), ErrorCode.INVALID_CONTEXT),
        (("string", "text", "mine"), EvaluationContext("x" * 513), ErrorCode.INVALID_CONTEXT),
    ],
)
def test_errors(flags: OpenFeatureClient, asked: tuple[str, str, Any], given: Any, code: ErrorCode) -> None:
    kind, key, default = asked
    details = getattr(flags, f"get_{kind}_details")(key, default, given)
    assert (details.value, details.error_code, details.reason) == (default, code, Reason.ERROR)


def test_track_reaches_events(flags: OpenFeatureClient, winnow: Client, server: FakeServer) -> None:
    flags.track("purchase", ANN, TrackingEventDetails(value=12.5, attributes={"currency": "EUR"}))
    flags.track("signup", ANN)
    flags.track("nobody")
    winnow.flush()
    found = [(item["unit_id"], item["name"], item.get("value")) for item in server.stored.values()]
    assert found == [("ann", "purchase", 12.5), ("ann", "signup", None)]


def test_evaluations_can_be_exposures(winnow: Client, server: FakeServer) -> None:
    api.set_provider_and_wait(WinnowProvider(winnow, expose=True), "winnow")
    flags = api.get_client("winnow")
    flags.get_string_value("text", "", ANN)
    flags.get_string_value("tested", "", ANN)
    flags.get_string_value("whole", "", ANN)
    winnow.flush()
    api.clear_providers()
    assert [(item["experiment"], item["variant"]) for item in server.stored.values()] == [("text", "b")]


def test_a_new_catalog_is_announced(flags: OpenFeatureClient, server: FakeServer) -> None:
    announced: list[str] = []
    flags.add_handler(
        ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda details: announced.append(details.provider_name)
    )
    server.catalog = catalog(flag("text", "later"), version=2)
    deadline = time.monotonic() + 10
    while not announced and time.monotonic() < deadline:
        time.sleep(0.01)
    assert announced == ["winnow"]
    assert flags.get_string_value("text", "", ANN) == "later"


def test_without_a_catalog_the_default_answers_until_there_is_one(server: FakeServer) -> None:
    with Client(server.url, KEY) as winnow:
        with pytest.raises(ProviderNotReadyError):
            api.set_provider_and_wait(WinnowProvider(winnow, ready_seconds=5), "away")
        flags = api.get_client("away")
        details = flags.get_string_details("text", "mine", ANN)
        assert (details.value, details.error_code) == ("mine", ErrorCode.PROVIDER_NOT_READY)
        server.catalog = catalog(flag("text", "there"))
        deadline = time.monotonic() + 10
        while flags.get_string_value("text", "mine", ANN) != "there":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        api.clear_providers()
