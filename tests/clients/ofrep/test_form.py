"""Every answer has the form that OFREP 0.3.0's own OpenAPI file gives it.

The file is data that Winnow does not ship. Read by the letter it refuses all values, its own examples included: the
kinds of flags stand in a `oneOf`, and the last of them, which has no value, allows everything (1 is an integer and a
number as well). So that one `oneOf` is read as `anyOf`; one test shows that this is needed.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from tests.clients.ofrep.conftest import Site
from tests.e2e.processes import ROOT

FILE = ROOT.parent / "shared" / "data" / "ofrep_openapi.yaml"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not there")
FLAGS = "/ofrep/v1/evaluate/flags"
U1 = {"context": {"targetingKey": "u1"}}


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def readable(document: Any) -> Any:
    read = copy.deepcopy(document)
    kinds = read["components"]["schemas"]["evaluationSuccess"]["allOf"][1]
    kinds["anyOf"] = kinds.pop("oneOf")
    return read


def check(document: Any, name: str, answer: Any) -> None:
    Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"}).validate(answer)


def test_by_the_letter_the_file_refuses_its_own_example(document: Any, readable: Any) -> None:
    answers = document["paths"]["/ofrep/v1/evaluate/flags/{key}"]["post"]["responses"]
    example = answers["200"]["content"]["application/json"]["example"]
    with pytest.raises(ValidationError, match="valid under each of"):
        check(document, "evaluationSuccess", example)
    check(readable, "evaluationSuccess", example)


def test_what_has_not_the_form_is_refused(readable: Any) -> None:
    for wrong in (
        {"key": "k"},
        {"key": "k", "reason": "DEFAULT"},
        {"key": "k", "reason": "SPLIT", "metadata": {"a": None}},
    ):
        with pytest.raises(ValidationError):
            check(readable, "evaluationSuccess", wrong)


def test_all_flags_at_once_and_each_alone(site: Site, readable: Any) -> None:
    every = site.do("POST", FLAGS, U1).json()
    check(readable, "bulkEvaluationSuccess", every)
    assert len(every["flags"]) == 12
    assert len(every["eventStreams"]) == 1
    for flag in every["flags"]:
        alone = site.do("POST", f"{FLAGS}/{flag['key']}", U1).json()
        check(readable, "serverEvaluationSuccess", alone)
        assert alone == flag


FAILURES = [
    ("/none", json.dumps(U1), 404, "flagNotFound"),
    *(("/banner", body, 400, "evaluationFailure") for body in ("{", '{"context": {}}', '{"context": 7}')),
    *(("", body, 400, "bulkEvaluationFailure") for body in ("{", '{"context": {}}', '{"context": 7}')),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: f"{failure[0]} {failure[1]}")
def test_failures(site: Site, readable: Any, failure: tuple[str, str, int, str]) -> None:
    path, body, status, form = failure
    headers = {"X-API-Key": site.key, "Content-Type": "application/json"}
    answer = httpx.post(f"{site.url}{FLAGS}{path}", content=body, headers=headers)
    assert answer.status_code == status
    check(readable, form, answer.json())


def test_a_notice(site: Site, readable: Any) -> None:
    url = site.do("POST", FLAGS, U1).json()["eventStreams"][0]["url"]
    event: dict[str, Any] = {}
    with httpx.stream("GET", url.replace("since=", "since=0"), timeout=10) as stream:
        for line in stream.iter_lines():
            if event and not line:
                break
            name, _, value = line.partition(": ")
            if name in ("id", "data"):
                event[name] = value
    check(readable, "sseEvent", event)
    told = json.loads(event["data"])
    check(readable, "sseEventData", told)
    assert told["type"] == "refetchEvaluation"
    refetch = f"{FLAGS}?flagConfigEtag={told['etag']}&flagConfigLastModified={told['lastModified']}"
    check(readable, "bulkEvaluationSuccess", site.do("POST", refetch, U1).json())
