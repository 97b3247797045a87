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


ADDED = [
    (
        "metrics",
        (
            "basket",
            "--name",
            "Basket",
            "--kind",
            "ratio",
            "--event",
            "paid",
            "--denominator-event",
            "visit",
            "--denominator-counts-events",
            "--direction",
            "decrease",
            "--window-seconds",
            "60",
            "--cap",
            "9.5",
        ),
        {
            "key": "basket",
            "name": "Basket",
            "kind": "ratio",
            "event_name": "paid",
            "denominator_event_name": "visit",
            "denominator_counts_events": True,
            "direction": "decrease",
            "window_seconds": 60,
            "cap": 9.5,
        },
    ),
    (
        "metrics",
        ("load", "--name", "Load", "--kind", "quantile", "--event", "load", "--quantile", "0.95"),
        {"key": "load", "name": "Load", "kind": "quantile", "event_name": "load", "quantile": 0.95},
    ),
    ("layers", ("front", "--name", "Front"), {"key": "front", "name": "Front"}),
    (
        "layers",
        ("back", "--name", "Back", "--salt", "s", "--holdout-bp", "500"),
        {"key": "back", "name": "Back", "salt": "s", "holdout_bp": 500},
    ),
    (
        "attributes",
        (
            "stage",
            "--name",
            "Stage",
            "--type",
            "text",
            "--personal",
            "--allowed",
            "new",
            "--allowed",
            "old",
            "--fresh-days",
            "30",
            "--description",
            "Where they are.",
        ),
        {
            "key": "stage",
            "name": "Stage",
            "type": "text",
            "personal": True,
            "allowed": ["new", "old"],
            "fresh_days": 30,
            "description": "Where they are.",
        },
    ),
    (
        "attributes",
        ("score", "--name", "Score", "--type", "number", "--allowed", "-1", "--allowed", "2.5"),
        {"key": "score", "name": "Score", "type": "number", "allowed": [-1, 2.5]},
    ),
    (
        "sources",
        ("crm", "--name", "CRM", "--kind", "first_party", "--precedence", "20", "--description", "Ours."),
        SOURCE,
    ),
]


@pytest.mark.parametrize(("plural", "arguments", "body"), ADDED, ids=[arguments[0] for _, arguments, _ in ADDED])
def test_what_is_added_is_what_the_api_would_have_stored(
    api: Caller, winnow: Winnow, plural: str, arguments: tuple[str, ...], body: dict[str, object]
) -> None:
    made = winnow(plural, "add", *arguments)
    noun = plural.removesuffix("s").capitalize()
    assert (made.exit_code, made.stdout) == (0, f"{noun} {body['key']} is stored.\n")
    by_command = api.get(f"/v1/{plural}/{body['key']}").json["definition"]
    others = {"key": "other", **({"salt": by_command["salt"]} if "salt" in by_command else {})}
    others |= {"precedence": 21} if plural == "sources" else {}
    assert api.post(f"/v1/{plural}", {**body, **others}).status_code == 201
    by_api = api.get(f"/v1/{plural}/other").json["definition"]
    assert {**by_command, **others} == by_api


def test_the_salt_of_a_layer_is_its_key(winnow: Winnow) -> None:
    winnow("layers", "add", "front", "--name", "Front")
    assert json.loads(winnow("layers", "show", "front", "--json").stdout)["definition"]["salt"] == "front"


def test_a_layer_is_split_as_is_wanted(winnow: Winnow) -> None:
    assert winnow("layers", "add", "front", "--name", "Front", "--bucketing", "2").exit_code == 0
    assert winnow("layers", "add", "back", "--name", "Back").exit_code == 0
    found = {
        one["key"]: one["definition"]["bucketing"] for one in json.loads(winnow("layers", "list", "--json").stdout)
    }
    assert found == {"front": 2, "back": 1}
    refused = winnow("layers", "add", "side", "--name", "Side", "--bucketing", "3")
    assert (refused.exit_code, refused.stderr.endswith(" (--bucketing)\n")) == (1, True)


def test_refusals_name_options_as_they_are_typed(winnow: Winnow) -> None:
    ratio = winnow("metrics", "add", "m", "--name", "M", "--kind", "ratio", "--event", "paid")
    assert ratio.stderr.endswith(" (--denominator-event)\n")
    assert winnow("layers", "add", "a b", "--name", "A").stderr.endswith(" (KEY)\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("metrics", "add", "m", "--name", "M", "--kind", "ratio", "--event", "paid"), "denominator_missing"),
        (("sources", "add", "crm", "--name", "CRM", "--kind", "own", "--precedence", "-1"), "precedence_invalid"),
        (("attributes", "add", "a", "--name", "A", "--type", "text", "--source", "crm"), "source_unknown"),
        (("layers", "add", "a b", "--name", "A"), "key_invalid"),
    ],
)
def test_what_does_not_hold_is_refused(winnow: Winnow, arguments: tuple[str, ...], code: str) -> None:
    refused = winnow(*arguments)
    assert (refused.exit_code, refused.stderr.startswith(f"winnow: {code}: ")) == (1, True)


def test_a_key_is_taken_once_and_a_number_is_a_number(winnow: Winnow) -> None:
    layer = ("layers", "add", "front", "--name", "Front")
    assert winnow(*layer).exit_code == 0
    assert winnow(*layer).stderr == "winnow: layer_exists: There is already a layer 'front'.\n"
    assert winnow("attributes", "add", "a", "--name", "A", "--type", "number", "--allowed", "one").exit_code == 2
