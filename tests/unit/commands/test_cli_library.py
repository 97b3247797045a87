"""Lists of named things: the same documents as over HTTP, and tables for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.http.api_client import MENS, Caller
from tests.http.test_api_library import KINDS, SOURCE
from tests.unit.commands.test_cli import Winnow

MANY = 230
"""More than a page of the services."""


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


@pytest.mark.parametrize(("plural", "body"), KINDS)
def test_json_is_what_the_api_answers(api: Caller, winnow: Winnow, plural: str, body: dict[str, object]) -> None:
    assert api.post(f"/v1/{plural}", body).status_code == 201
    listed = json.loads(winnow(plural, "list", "--json").stdout)
    assert listed == api.get(f"/v1/{plural}").json["items"]
    shown = json.loads(winnow(plural, "show", str(body["key"]), "--json").stdout)
    answer = api.get(f"/v1/{plural}/{body['key']}").json
    assert shown == listed[0] == {name: answer[name] for name in shown}


@pytest.mark.parametrize(("plural", "body"), KINDS)
def test_tables_have_a_row_for_each_thing_and_each_field(
    api: Caller, winnow: Winnow, plural: str, body: dict[str, object]
) -> None:
    api.post(f"/v1/{plural}", {**body, "name": "First [bold]"})
    assert "First [bold]" in winnow(plural, "list").stdout
    shown = winnow(plural, "show", str(body["key"])).stdout
    assert [name for name in (*body, "revision", "updated_at") if name not in shown] == []
    assert "First [bold]" in shown


def test_a_list_goes_on_to_its_end(api: Caller, winnow: Winnow) -> None:
    for number in range(MANY):
        api.post("/v1/sources", {**SOURCE, "key": f"s{number:03}", "precedence": number})
    listed = json.loads(winnow("sources", "list", "--json").stdout)
    assert [one["key"] for one in listed] == [f"s{number:03}" for number in range(MANY)]


def test_conditions_stand_in_words(api: Caller, winnow: Winnow) -> None:
    api.post("/v1/segments", MENS)
    row = next(line for line in winnow("segments", "list").stdout.splitlines() if "Men's" in line)
    assert "mens is 1" in row


def test_one_that_there_is_not(winnow: Winnow) -> None:
    refused = winnow("metrics", "show", "visit")
    assert (refused.exit_code, refused.stderr) == (1, "winnow: metric_not_found: There is no metric 'visit'.\n")
