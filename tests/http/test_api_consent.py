"""Consent over HTTP: who refuses gets the default in both lanes, and is found nowhere."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from api.app import create_app
from api.catalog_poller import CatalogPoller
from experiments.bootstrap import build
from experiments.cli import main
from experiments.domain.consent import ConsentMode
from experiments.domain.errors import Unavailable
from experiments.services.following.activity import ActivityFollower
from experiments.services.following.purchases import PurchaseFollower
from experiments.services.following.saying import register
from experiments.services.following.turns import InTurn
from experiments.services.lists.bulk_run import ListAssigner, ListWish
from experiments.services.profiles.customer_file import CustomerImporter, ImportWish
from experiments.settings import ROOT, Settings
from experiments.spool.folder import spool_folder
from experiments.storage.engine import identity
from experiments.storage.experiments.catalog_changes import PolledFeed
from experiments.storage.log.tables import events
from experiments.storage.memory.unit_of_work import MemoryDatabase
from segmentation.behaviour.cuts import Cuts
from tests.conftest import FakeClock
from tests.http.api_client import BANNER, VISIT, Caller, codes, refusal
from tests.http.conftest import SETTINGS, caller
from tests.http.lanes import Lanes
from tests.stores.test_erasure import Gate, eventually, holds, in_files, in_tables

PERSON, BYSTANDER = "refuses-4711 Zoë\\", "refuses-47110 Zoë\\"
OLD, NEW = {"text": "old"}, {"text": "new"}
TREATED = {**BANNER, "segments": [{"segment": "everyone", "weights": {"b": 1}}], "exposure_policy": "on_assignment"}
SPARE = {**TREATED, "key": "spare", "name": "Spare"}
CUTS = Cuts(recency_days=(30, 90, 180, 365), frequency=(1, 2, 4, 8), monetary_cents=(2_000, 5_000, 10_000, 20_000))


def opened(api: Caller) -> Caller:
    """Two experiments run in which everybody sees b, and asking is showing; a CRM may say the city."""
    crm = {"key": "crm", "name": "CRM", "kind": "first_party", "precedence": 20}
    city = {"key": "city", "name": "City", "type": "text", "personal": True}
    for path, body in (("metrics", VISIT), ("sources", crm), ("attributes", city)):
        assert api.post(f"/v1/{path}", body).status_code == 201
    for body in (TREATED, SPARE):
        assert api.post("/v1/experiments", body).status_code == 201
        assert api.post(f"/v1/experiments/{body['key']}/start").status_code == 200
    return api


@pytest.fixture
def house(api: Caller) -> Caller:
    return opened(api)


def address(unit_id: str) -> str:
    return f"/v1/units/{quote(unit_id, safe='')}/consent"


def refuse(api: Caller, unit_id: str = PERSON, **more: Any) -> Any:
    return api.put(address(unit_id), {"granted": False, **more})


def grant(api: Caller, unit_id: str = PERSON, **more: Any) -> Any:
    return api.put(address(unit_id), {"granted": True, **more})


def taught(api: Caller) -> Lanes:
    lanes = Lanes.of(api)
    for path in WAYS:
        lanes.plain(path, body_of(path, "first"))
        lanes.fast(path, body_of(path, "first"))
    return lanes


WAYS: dict[str, Any] = {
    "/v1/assignments": lambda unit: {"unit_id": unit},
    "/v1/assignments/batch": lambda unit: {"units": [{"unit_id": BYSTANDER}, {"unit_id": unit}, {"unit_id": unit}]},
    "/ofrep/v1/evaluate/flags": lambda unit: {"context": {"targetingKey": unit}},
    "/ofrep/v1/evaluate/flags/banner": lambda unit: {"context": {"targetingKey": unit}},
}


def body_of(path: str, unit_id: str) -> bytes:
    return json.dumps(WAYS[path](unit_id), ensure_ascii=False).replace("\\\\", "\\u005c").encode()


def happened(unit_id: str, part: str, **occurred: Any) -> list[dict[str, Any]]:
    claim = {"experiment": "banner", "version": 1, "segment": "everyone", "variant": "b"}
    return [
        {"type": "event", "event_id": f"{part}-v", "unit_id": unit_id, "name": "visit", **occurred},
        {"type": "event", "event_id": f"{part}-p", "unit_id": unit_id, "name": "purchase", "value": 9.9, **occurred},
        {"type": "exposure", "event_id": f"{part}-x", "unit_id": unit_id, **claim, **occurred},
    ]


def test_what_was_said_is_read_again(house: Caller, clock: FakeClock) -> None:
    silent = {"granted": None, "said_at": None, "since": None, "said_by": None, "mode": "assumed", "stored": True}
    answer = house.get(address(PERSON))
    assert (answer.status_code, answer.json) == (200, {"unit_id": PERSON, **silent})
    now, key = clock().isoformat(), "key:root"
    said = {"granted": False, "said_at": now, "since": now, "said_by": key, "mode": "assumed", "stored": False}
    answer = refuse(house)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json == {"unit_id": PERSON, **said, "receipt": None}
    assert house.get(address(PERSON)).json == {"unit_id": PERSON, **said}
    assert grant(house, at="2026-01-05T08:00:00Z").json["granted"] is False, "an older word changes nothing"
    assert grant(house).json["stored"] is True
    late = refuse(house, at="2026-01-05T08:00:00Z", erase=True).json
    assert (late["granted"], late["receipt"]) == (True, None), "who has granted since is not erased by an old message"


@pytest.mark.parametrize("unit_id", ["a/b", "consents", "Zoë 🛒", "a/consent"])
def test_a_unit_is_called_whatever_others_call_it(house: Caller, unit_id: str) -> None:
    assert refuse(house, unit_id).json["unit_id"] == unit_id
    assert house.get(address(unit_id)).json["granted"] is False


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, ("/granted", "required")),
        ({"granted": "false"}, ("/granted", "invalid")),
        ({"granted": 0}, ("/granted", "invalid")),
        ({"granted": None}, ("/granted", "null")),
        ({"granted": True, "when": "now"}, ("/when", "unknown_field")),
    ],
)
def test_consent_is_not_guessed(house: Caller, body: dict[str, Any], code: tuple[str, str]) -> None:
    assert codes(house.put(address("u1"), body)) == [code]


def test_what_makes_no_sense_is_refused(house: Caller) -> None:
    assert refusal(grant(house, erase=True)) == (422, "erase_with_grant", "/erase")
    assert refusal(refuse(house, at="2026-01-06T09:00:00Z")) == (422, "at_in_future", "/at")
    assert refusal(refuse(house, "u" * 513)) == (422, "id_invalid", "/unit_id")
    assert house.get(address(PERSON)).json["granted"] is None


def test_a_batch_has_a_verdict_for_each(house: Caller) -> None:
    items: list[Any] = [
        {"unit_id": "u1", "granted": False, "at": "2026-01-05T08:00:00Z"},
        {"unit_id": "u1", "granted": True, "at": "2026-01-05T07:00:00Z"},
        {"unit_id": "u1", "granted": False, "at": "2026-01-05T08:00:00Z"},
        {"unit_id": "u2", "granted": True},
        {"unit_id": "u3", "granted": "no"},
        {"unit_id": "u4", "granted": True, "at": "2027-01-01T00:00:00Z"},
        {"granted": False},
        "u5",
    ]
    answer = house.post("/v1/units/consents", {"consents": items})
    assert answer.status_code == 200
    assert [(one["status"], one["code"]) for one in answer.json["consents"]] == [
        ("accepted", None),
        ("outdated", None),
        ("unchanged", None),
        ("accepted", None),
        ("rejected", "invalid"),
        ("rejected", "at_in_future"),
        ("rejected", "required"),
        ("rejected", "type"),
    ]
    assert {name: answer.json[name] for name in ("accepted", "unchanged", "outdated", "rejected")} == {
        "accepted": 2,
        "unchanged": 1,
        "outdated": 1,
        "rejected": 4,
    }
    granted = [house.get(address(unit)).json["granted"] for unit in ("u1", "u2", "u3")]
    assert granted == [False, True, None]


@pytest.mark.parametrize("scope", ["client", "assign", "ingest", "read", "write"])
def test_only_keys_for_profiles_may(house: Caller, scope: str) -> None:
    other = house.with_scopes(scope)
    assert refuse(other).status_code == 403
    assert other.get(address(PERSON)).status_code == 403
    assert other.post("/v1/units/consents", {"consents": []}).status_code == 403
    assert refuse(house.with_scopes("profiles")).status_code == 200


@pytest.mark.parametrize("path", WAYS)
def test_both_lanes_give_the_default_without_a_reason_to_count(house: Caller, path: str) -> None:
    lanes = taught(house)
    before = lanes.same(path, body_of(path, PERSON))
    refuse(house)
    lanes.same(path, body_of(path, BYSTANDER))
    after = lanes.same(path, body_of(path, PERSON))
    assert (before.by_flask, after.by_flask) == (False, False)
    assert (b'"new"' in before.body, b"no_consent" in before.body) == (True, False)
    told = json.loads(after.body)
    if path == "/v1/assignments/batch":
        others, *mine = [result["assignments"] for result in told["results"]]
        assert {answer["reason"] for answer in others} == {"assigned"}
        told = {"assignments": mine[0] + mine[1]}
    if path.startswith("/v1"):
        assert {answer["experiment"] for answer in told["assignments"]} == {"banner", "spare"}
        for answer in told["assignments"]:
            parts = (answer["variant"], answer["content"], answer["reason"], answer["segment"], answer["counted"])
            assert parts == ("a", OLD, "no_consent", None, False)
    else:
        for flag in told.get("flags", [told]):
            assert (flag["value"], flag["reason"], flag["metadata"]["counted"]) == (OLD, "STATIC", False)
            assert flag["metadata"]["reason"] == "no_consent"
    grant(house)
    assert lanes.same(path, body_of(path, PERSON)).body == before.body


def test_growthbook_s_remote_evaluation_tracks_nothing(house: Caller) -> None:
    path = f"/api/eval/{house.with_scopes('client').key}"
    asked = {"attributes": {"id": PERSON}}
    assert house.anonymous().post(path, asked).json["features"]["banner"]["rules"]
    refuse(house)
    assert house.anonymous().post(path, asked).json["features"]["banner"] == {"defaultValue": OLD}


def test_forced_testers_who_refuse_see_the_default(api: Caller) -> None:
    api.post("/v1/metrics", VISIT)
    api.post("/v1/experiments", {**BANNER, "segments": SPARE["segments"], "forced": {PERSON: "b"}})
    api.post("/v1/experiments/banner/start")
    refuse(api)
    (answer,) = api.post("/v1/assignments", {"unit_id": PERSON}).json["assignments"]
    assert (answer["variant"], answer["reason"]) == ("a", "no_consent")


def test_the_examples_of_the_docs_work(house: Caller) -> None:
    text = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    examples = re.findall(r"```http\n(PUT|POST) (\S+)\n(.*?)\n```", text, re.DOTALL)
    answers = [house.send(method, path, json.loads(body)) for method, path, body in examples]
    assert [answer.status_code for answer in answers] == [200, 200]
    printed = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert {**answers[0].json, "said_by": "key:crm"} == printed
    assert [one["status"] for one in answers[1].json["consents"]] == ["unchanged", "accepted"]


def test_items_of_who_refuses_are_rejected_one_by_one(house: Caller) -> None:
    refuse(house)
    answer = house.post("/v1/events", {"items": [*happened(PERSON, "r"), *happened(BYSTANDER, "b")]})
    assert (answer.status_code, answer.json["accepted"], answer.json["rejected"]) == (202, 3, 3)
    assert [one["code"] for one in answer.json["items"]] == ["no_consent"] * 3 + [None] * 3
    assert {one["path"] for one in answer.json["items"][:3]} == {"/unit_id"}


def test_where_it_is_required_only_who_granted_is_counted(clock: FakeClock) -> None:
    settings = Settings(**{**_given(SETTINGS), "consent": ConsentMode.REQUIRED})
    strict = opened(caller(MemoryDatabase().unit_of_work, clock, settings))
    lanes = taught(strict)
    for path in WAYS:
        assert b"no_consent" in lanes.same(path, body_of(path, PERSON)).body
    patched = {"source": "crm", "attributes": {"city": "Bonn"}}
    unit = f"/v1/units/{quote(PERSON, safe='')}"
    assert refusal(strict.send("PATCH", unit, patched)) == (409, "no_consent", "/unit_id")
    assert strict.post("/v1/events", {"items": happened(PERSON, "r")}).json["rejected"] == 3
    assert strict.get(address(PERSON)).json["stored"] is False
    grant(strict)
    for path in WAYS:
        assert b'"assigned"' in lanes.same(path, body_of(path, PERSON)).body
    assert strict.send("PATCH", unit, patched).status_code == 200
    assert strict.post("/v1/events", {"items": happened(PERSON, "r")}).json["accepted"] == 3
    refuse(strict)
    assert strict.post("/v1/events", {"items": happened(PERSON, "s")}).json["rejected"] == 3


def _given(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("database_url", "secret_key", "cors_origins", "max_body_bytes")}


def test_other_processes_hear_of_it_with_their_next_look_and_keep_it_while_the_database_is_away(
    clock: FakeClock,
) -> None:
    database, away = MemoryDatabase(), []

    def found(*, read_only: bool = False) -> Any:
        if away:
            raise Unavailable("database_unavailable", "Gone.")
        return database.unit_of_work(read_only=read_only)

    here, there = opened(caller(database.unit_of_work, clock)), caller(found, clock)
    poller = CatalogPoller(there.winnow.catalog, PolledFeed(), every_seconds=60, caches=[there.winnow.caches.consents])

    def reasons() -> set[str]:
        answer = there.post("/v1/assignments", {"unit_id": PERSON})
        return {one["reason"] for one in answer.json["assignments"]}

    poller.look()
    refuse(here)
    assert reasons() == {"assigned"}
    poller.look()
    assert reasons() == {"no_consent"}
    away.append(None)
    poller.look()
    assert reasons() == {"no_consent"}
    away.clear()
    grant(here)
    poller.look()
    assert reasons() == {"assigned"}


def test_a_catalog_that_cannot_be_read_keeps_nobody_from_hearing_of_a_refusal(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = MemoryDatabase()
    here, there = opened(caller(database.unit_of_work, clock)), caller(database.unit_of_work, clock)
    caches = [there.winnow.caches.identities, there.winnow.caches.consents]
    poller = CatalogPoller(there.winnow.catalog, PolledFeed(), every_seconds=60, caches=caches)
    poller.look()
    age = poller.numbers()["catalog_age_seconds"]

    def damaged(*_: Any, **__: Any) -> None:
        raise KeyError("variants")

    monkeypatch.setattr(there.winnow.catalog, "refresh", damaged)
    monkeypatch.setattr(caches[0], "follow", damaged)
    refuse(here)
    poller.look()
    assert there.winnow.caches.consents.lacks(PERSON)
    assert poller.numbers()["catalog_age_seconds"] > age  # it is told that something is wrong


def test_before_anything_was_heard_nobody_is_known_to_consent(clock: FakeClock) -> None:
    database, away = MemoryDatabase(), [None]

    def found(*, read_only: bool = False) -> Any:
        if away:
            raise Unavailable("database_unavailable", "Gone.")
        return database.unit_of_work(read_only=read_only)

    cache = build(SETTINGS, open_unit_of_work=found, clock=clock).caches.consents
    assert cache.lacks("u1") is True
    assert cache.is_known_to_lack("u1") is False, "recording waits for no database: it is decided on the way in"
    away.clear()
    cache._away_until = 0.0
    assert cache.lacks("u1") is False


@pytest.fixture
def gate(sql_url: str) -> Iterator[Gate]:
    gate = Gate(sql_url)
    yield gate
    gate.database.close()


@pytest.fixture
def spooled(sql_url: str, gate: Gate, clock: FakeClock, tmp_path: Path) -> Iterator[Caller]:
    settings = Settings(database_url=sql_url, secret_key="s" * 40, spool_dir=tmp_path / "spool", log_level="debug")
    winnow = build(settings, open_unit_of_work=gate, clock=clock, spooled=True)
    key = winnow.keys.create("root", frozenset({"admin"}), actor="test").text
    yield opened(Caller(client=create_app(winnow=winnow).test_client(), winnow=winnow, key=key))
    assert winnow.spool is not None
    winnow.spool.close(within_seconds=5)


def through_every_door(api: Caller, unit_id: str, folder: Path) -> None:
    """Whatever a unit can do, and others can say of it; what was refused is asserted by who calls."""
    lanes, winnow, name = taught(api), api.winnow, f"{len(unit_id)}"
    for path in WAYS:
        lanes.fast(path, body_of(path, unit_id))
        lanes.plain(path, body_of(path, unit_id))
    api.anonymous().post(f"/api/eval/{api.with_scopes('client').key}", {"attributes": {"id": unit_id}})
    for way in (lanes.fast, lanes.plain):
        way("/v1/events", json.dumps({"items": happened(unit_id, f"{name}{way.__name__}")}).encode())
        way("/v1/events", json.dumps({"items": happened(unit_id, f"{name}{way.__name__}2")[:2]}).encode())
    said = {"source": "crm", "attributes": {"city": "Bonn"}}
    api.send("PATCH", f"/v1/units/{quote(unit_id, safe='')}", said)
    api.post("/v1/units/batch", {"source": "crm", "units": [{"unit_id": unit_id, "attributes": {"city": "Bonn"}}]})
    customers = folder / f"{name}.csv"
    customers.write_text(f"unit_id,city\n{unit_id},Köln\n", encoding="utf-8")
    CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock).run(
        ImportWish(path=customers, source="crm", at=winnow.clock())
    )
    wish = ListWish(source=customers, experiment="spare", out=folder / f"{name}-out.csv", types={})
    ListAssigner(winnow.catalog, winnow.assigner, winnow.open_unit_of_work).assign(wish, lambda *_: None)


def follow(api: Caller) -> None:
    winnow = api.winnow

    registering = partial(register, winnow.author.sources, winnow.author.attributes, winnow.open_unit_of_work)

    given = (winnow.open_unit_of_work, winnow.clock, ("purchase",))
    buying = PurchaseFollower(*given, register=registering, cuts=CUTS)
    followers = InTurn((buying.step, ActivityFollower(*given, register=registering).step))
    while followers.step():
        pass


def test_nothing_of_who_refuses_is_stored(
    *, sql_url: str, spooled: Caller, gate: Gate, tmp_path: Path, caplog: Any, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    lists = tmp_path / "lists"
    lists.mkdir()
    refuse(spooled)
    for unit_id in (PERSON, BYSTANDER):
        through_every_door(spooled, unit_id, lists)
    assert (lists / f"{len(PERSON)}-out.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[5:8] == [
        "a",
        "no_consent",
        "false",
    ]
    folder = spool_folder(tmp_path / "spool", identity(sql_url))
    assert in_files(folder, BYSTANDER)
    assert not in_files(folder, PERSON)
    gate.shut = False
    assert spooled.winnow.spool is not None
    spooled.winnow.spool.clean()
    eventually(lambda: in_tables(sql_url, BYSTANDER) == {"exposures", "events", "profiles"})
    follow(spooled)
    assert in_tables(sql_url, BYSTANDER) == {"exposures", "events", "profiles", "behaviour", "activity"}
    assert in_tables(sql_url, PERSON) == set()
    assert not any(in_files(folder, PERSON) for _ in range(3))
    told = caplog.text + "".join(capfd.readouterr())
    assert not holds(told, PERSON)
    if sql_url.startswith("sqlite"):
        files = [path for path in tmp_path.iterdir() if path.name.startswith("winnow.sqlite")]
        assert not any(holds(path.read_bytes().decode(errors="surrogateescape"), PERSON) for path in files)


def test_what_waits_when_the_refusal_comes_is_dropped_and_followers_leave_who_refuses_alone(
    *, sql_url: str, spooled: Caller, gate: Gate, clock: FakeClock
) -> None:
    """Some is in the database before, some waits; then the person refuses, and consents again later."""
    winnow = spooled.winnow
    gate.shut = False
    spooled.post("/v1/events", {"items": [*happened(PERSON, "early"), *happened(BYSTANDER, "early-b")]})
    eventually(lambda: in_tables(sql_url, PERSON) == {"exposures", "events"})
    gate.shut = True
    spooled.post("/v1/events", {"items": [*happened(PERSON, "waits"), *happened(BYSTANDER, "waits-b")]})
    clock.advance(seconds=1)
    refuse(spooled)
    gate.shut = False
    assert winnow.spool is not None
    winnow.spool.clean()
    eventually(lambda: _events(gate) == {"early-v", "early-p", "early-b-v", "early-b-p", "waits-b-v", "waits-b-p"})
    follow(spooled)
    assert in_tables(sql_url, PERSON) == {"exposures", "events"}
    assert in_tables(sql_url, BYSTANDER) == {"exposures", "events", "profiles", "behaviour", "activity"}
    clock.advance(seconds=1)
    grant(spooled)
    spooled.post("/v1/events", {"items": happened(PERSON, "again")})
    eventually(lambda: {"again-v", "again-p"} <= _events(gate))
    follow(spooled)
    assert in_tables(sql_url, PERSON) == {"exposures", "events", "profiles", "behaviour", "activity"}
    before = winnow.profiles.get(PERSON).updated_at
    refuse(spooled)
    clock.advance(days=31)
    follow(spooled)
    assert winnow.profiles.get(PERSON).updated_at == before, "nothing new is said of who refuses"
    assert winnow.profiles.get(BYSTANDER).updated_at == clock()
    receipt = refuse(spooled, erase=True).json["receipt"]
    assert receipt["deleted"] == {"profiles": 1, "exposures": 2, "events": 4, "behaviour": 1, "activity": 1}
    assert in_tables(sql_url, PERSON) == set()


def _events(gate: Gate) -> set[str]:
    with gate(read_only=True) as work:
        return set(work._connection.execute(select(events.c.event_id)).scalars())


def test_the_command_says_and_shows(sqlite_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WINNOW_SPOOL_DIR", str(tmp_path / "spool"))

    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(main, ["customers", "consent", PERSON, *arguments])
        assert not holds(done.output, PERSON)
        return done

    assert "Nothing was said; consent is assumed." in run().output
    assert "Nothing of this unit is stored." in run("--refuse").output
    told = json.loads(run("--json").stdout)
    assert (told["granted"], told["stored"], told["mode"]) == (False, False, "assumed")
    assert "Deleted: 0 profiles" in run("--refuse", "--erase").output
    assert run("--grant", "--erase").exit_code == 2
    assert "is stored." in run("--grant").output
    monkeypatch.setenv("WINNOW_CONSENT", "required")
    assert json.loads(run("--json").stdout)["mode"] == "required"
    monkeypatch.setenv("WINNOW_CONSENT", "perhaps")
    assert "one of assumed, required" in str(run().output) + str(run().exception)
