"""OpenFeature's Python SDK with `openfeature-provider-ofrep`, unchanged, against the running server."""

from __future__ import annotations

import time
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from experiments.services.keys import Scope
from tests.clients.ofrep.conftest import CLAIM, VALUES, Site

U1 = EvaluationContext("u1")  # sees a of `banner`, as the golden vectors of bucketing have it; u2 sees b
U2 = EvaluationContext("u2")


def client_of(url: str, key: str, domain: str) -> OpenFeatureClient:
    api.set_provider(OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {key}"}), domain)
    return api.get_client(domain)


@pytest.fixture
def client(site: Site) -> OpenFeatureClient:
    return client_of(site.url, site.key, "main")


DETAILS = [
    ("yes", "get_boolean_details", False),
    ("no", "get_boolean_details", True),
    ("text", "get_string_details", ""),
    ("whole", "get_integer_details", 0),
    ("float", "get_float_details", 0.0),
    ("half", "get_float_details", 0.0),
    ("object", "get_object_details", {}),
]


@pytest.mark.parametrize(("flag", "method", "default"), DETAILS, ids=[flag for flag, _, _ in DETAILS])
def test_values_of_every_type(client: OpenFeatureClient, flag: str, method: str, default: Any) -> None:
    details = getattr(client, method)(f"flag.{flag}", default, U1)
    assert details.error_code is None
    assert details.value == VALUES[flag]
    assert type(details.value) is type(VALUES[flag])
    assert (details.variant, details.reason) == ("a", Reason.STATIC)


def test_variant_reason_and_what_an_exposure_says(site: Site, client: OpenFeatureClient) -> None:
    one, other = (client.get_object_details("banner", {}, unit) for unit in (U1, U2))
    assert (one.variant, one.value, one.reason) == ("a", {"text": "old"}, Reason.SPLIT)
    assert (other.variant, other.value, other.reason) == ("b", {"text": "new"}, Reason.SPLIT)
    claim = {name: one.flag_metadata[name] for name in CLAIM}
    item = {"type": "exposure", "event_id": "python-1", "unit_id": "u1", **claim}
    assert site.do("POST", "/v1/events", {"items": [item]}).json()["accepted"] == 1


def test_attributes_choose_the_segment(client: OpenFeatureClient) -> None:
    details = client.get_object_details("banner", {}, EvaluationContext("u1", {"mens": 1}))
    assert details.flag_metadata["segment"] == "mens"


def test_a_paused_experiment_is_disabled(client: OpenFeatureClient) -> None:
    details = client.get_object_details("resting", {}, U2)
    assert (details.value, details.variant, details.reason) == ({"text": "old"}, "a", Reason.DISABLED)


def test_no_content_leaves_the_default_in_the_code(client: OpenFeatureClient) -> None:
    details = client.get_string_details("nothing", "default", U1)
    assert (details.value, details.variant, details.error_code) == ("default", "a", None)


@pytest.mark.parametrize(
    ("flag", "context", "code"),
    [
        ("none", U1, ErrorCode.FLAG_NOT_FOUND),
        ("a.b-c_d", U1, ErrorCode.FLAG_NOT_FOUND),
        ("banner", EvaluationContext(), ErrorCode.TARGETING_KEY_MISSING),
        ("banner", None, ErrorCode.TARGETING_KEY_MISSING),
        ("banner", EvaluationContext("u" * 600), ErrorCode.INVALID_CONTEXT),
        ("flag.whole", U1, ErrorCode.TYPE_MISMATCH),
    ],
)
def test_errors_are_told_apart(
    client: OpenFeatureClient, flag: str, context: EvaluationContext | None, code: ErrorCode
) -> None:
    details = client.get_string_details(flag, "default", context)
    assert (details.value, details.reason, details.error_code) == ("default", Reason.ERROR, code)
    assert details.error_message


def test_a_key_that_may_not(site: Site) -> None:
    for key in ("wk_0000000000000000_no", site.new_key(Scope.READ)):
        details = client_of(site.url, key, "refused").get_string_details("flag.text", "default", U1)
        assert (details.value, details.error_code) == ("default", ErrorCode.GENERAL)


def test_who_asks_too_often_pauses_as_long_as_told(limited: Site) -> None:
    client = client_of(limited.url, limited.key, "often")
    assert [client.get_string_value("flag.text", "", U1) for _ in range(2)] == ["Grüße"] * 2
    refused = client.get_string_details("flag.text", "default", U1)
    assert (refused.value, refused.error_code) == ("default", ErrorCode.GENERAL)
    paused = client.get_string_details("flag.text", "default", U1)
    assert "paused" in str(paused.error_message)
    time.sleep(2.2)
    assert client.get_string_value("flag.text", "", U1) == "Grüße"
