"""Other people's SDKs with the same experiment, each as its documents say, without a network."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import Missing, Work
from benchmarks.online.question import CONTROL, COUNTRY, KEY, NOBODY, TREATMENT, decisions, looped

EPPO, STATSIG, GROWTHBOOK = "eppo_client:Configuration", "statsig_python_core", "growthbook:GrowthBook"
LAUNCHDARKLY, OPTIMIZELY, UNLEASH = "ldclient", "optimizely", "UnleashClient"


def eppo(count: int) -> Work:
    """Its core is Rust; the configuration is given, and never asked for again."""
    import eppo_client  # noqa: PLC0415
    from eppo_client.config import Config  # noqa: PLC0415

    ranges = {CONTROL: {"start": 0, "end": 5_000}, TREATMENT: {"start": 5_000, "end": 10_000}}
    flag = {
        "key": KEY,
        "enabled": True,
        "variationType": "STRING",
        "variations": {key: {"key": key, "value": key} for key in ranges},
        "totalShards": 10_000,
        "allocations": [
            {
                "key": "british",
                "doLog": False,
                "rules": [{"conditions": [{"attribute": "country", "operator": "ONE_OF", "value": [COUNTRY]}]}],
                "splits": [
                    {"variationKey": key, "shards": [{"salt": KEY, "ranges": [given]}]} for key, given in ranges.items()
                ],
            }
        ],
    }
    document = {
        "createdAt": "2026-01-01T00:00:00Z",
        "format": "SERVER",
        "environment": {"name": "benchmark"},
        "flags": {KEY: flag},
    }
    client = eppo_client.init(
        Config(
            api_key="none",
            assignment_logger=eppo_client.AssignmentLogger(),
            initial_configuration=eppo_client.Configuration(flags_configuration=json.dumps(document).encode()),
            poll_interval_seconds=None,
        )
    )
    ask = client.get_string_assignment

    def loop(ids: Sequence[str]) -> None:
        attributes = {"country": COUNTRY}
        for unit_id in ids:
            ask(KEY, unit_id, attributes, NOBODY)

    return decisions(lambda unit_id, attributes: ask(KEY, unit_id, attributes, NOBODY), loop, count=count)


def statsig(count: int) -> Work:
    """Its core is Rust too; the specification comes from a data store of ours, exposures are not logged."""
    from statsig_python_core import (  # noqa: PLC0415
        DataStore,
        DataStoreResponse,
        ExperimentEvaluationOptions,
        Statsig,
        StatsigOptions,
        StatsigUser,
    )

    made_at = 1_700_000_000_000

    class Store(DataStore):  # type: ignore[misc, unused-ignore]
        def get(self, key: str) -> Any:
            return DataStoreResponse(result=json.dumps(_statsig_document(made_at)), time=made_at)

    options = StatsigOptions()
    options.data_store = Store()
    options.disable_network = options.disable_all_logging = True
    options.disable_country_lookup = options.disable_disk_access = True
    options.output_log_level = "none"
    client = Statsig("secret-none", options)
    client.initialize().wait()
    quietly = ExperimentEvaluationOptions(disable_exposure_logging=True)
    if client.get_experiment(StatsigUser("1", country=COUNTRY), KEY, quietly).get_string("v", "") == "":
        raise Missing("a specification that statsig-python-core reads")

    def decide(unit_id: str, attributes: Mapping[str, Any]) -> str:
        user = StatsigUser(unit_id, country=attributes["country"])
        found: str = client.get_experiment(user, KEY, quietly).get_string("v", NOBODY)
        return found

    def loop(ids: Sequence[str]) -> None:
        ask = client.get_experiment
        for unit_id in ids:
            ask(StatsigUser(unit_id, country=COUNTRY), KEY, quietly)

    return decisions(decide, loop, count=count)


def _statsig_document(made_at: int) -> dict[str, Any]:
    conditions: dict[str, Any] = {
        "elsewhere": {"type": "user_field", "field": "country", "operator": "none", "targetValue": [COUNTRY]},
        "first": {"type": "user_bucket", "operator": "lt", "targetValue": 500, "field": None},
        "all": {"type": "user_bucket", "operator": "lt", "targetValue": 1_000, "field": None},
    }
    for condition in conditions.values():
        condition |= {"idType": "userID", "isDeviceBased": False, "additionalValues": {"salt": KEY}}
    rules = [("elsewhere", NOBODY), ("first", CONTROL), ("all", TREATMENT)]
    experiment = {
        "name": KEY,
        "type": "dynamic_config",
        "entity": "experiment",
        "salt": KEY,
        "enabled": True,
        "isActive": True,
        "isDeviceBased": False,
        "idType": "userID",
        "version": 1,
        "defaultValue": {"v": NOBODY},
        "rules": [
            {
                "id": condition,
                "name": variant,
                "groupName": variant,
                "salt": condition,
                "idType": "userID",
                "passPercentage": 100,
                "returnValue": {"v": variant},
                "isExperimentGroup": variant != NOBODY,
                "conditions": [condition],
            }
            for condition, variant in rules
        ],
    }
    empty = "feature_gates layer_configs layers id_lists param_stores sdk_configs experiment_to_layer"
    return {
        **{name: {} for name in empty.split()},
        "has_updates": True,
        "time": made_at,
        "company_id": "none",
        "dynamic_configs": {KEY: experiment},
        "condition_map": conditions,
    }


def growthbook(count: int) -> Work:
    """One client whose attributes are set for every unit: making a new one each time takes longer."""
    from growthbook import GrowthBook  # noqa: PLC0415

    rule = {
        "condition": {"country": COUNTRY},
        "variations": [CONTROL, TREATMENT],
        "weights": [0.5, 0.5],
        "hashAttribute": "id",
        "hashVersion": 2,
        "seed": KEY,
    }
    client = GrowthBook(features={KEY: {"defaultValue": NOBODY, "rules": [rule]}})

    def decide(unit_id: str, attributes: Mapping[str, Any]) -> str:
        client.set_attributes({"id": unit_id, **attributes})
        found: str = client.get_feature_value(KEY, NOBODY)
        return found

    return decisions(decide, looped(decide), count=count)


def launchdarkly(count: int) -> Work:
    """Flags from a file: the SDK's data source for tests knows no rollouts."""
    import ldclient  # noqa: PLC0415
    from ldclient.config import Config  # noqa: PLC0415
    from ldclient.integrations import Files  # noqa: PLC0415

    logging.getLogger("ldclient").setLevel(logging.CRITICAL)
    clause = {"attribute": "country", "op": "in", "values": [COUNTRY], "contextKind": "user"}
    halves = [{"variation": 1, "weight": 50_000}, {"variation": 2, "weight": 50_000}]
    flag = {
        "key": KEY,
        "version": 1,
        "on": True,
        "variations": [NOBODY, CONTROL, TREATMENT],
        "fallthrough": {"variation": 0},
        "offVariation": 0,
        "salt": KEY,
        "targets": [],
        "contextTargets": [],
        "prerequisites": [],
        "rules": [{"id": "1", "clauses": [clause], "rollout": {"contextKind": "user", "variations": halves}}],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"flags": {KEY: flag}}, file)
        file.flush()
        source = Files.new_data_source(paths=[file.name])
        client = ldclient.LDClient(Config("none", update_processor_class=source, send_events=False))
    make = ldclient.Context.builder

    def decide(unit_id: str, attributes: Mapping[str, Any]) -> str:
        found: str = client.variation(KEY, make(unit_id).set("country", attributes["country"]).build(), NOBODY)
        return found

    return replace(decisions(decide, looped(decide), count=count), close=client.close)


def optimizely(count: int) -> Work:
    """A datafile of version 4; no decision is sent anywhere."""
    from optimizely.decision.optimizely_decide_option import OptimizelyDecideOption  # noqa: PLC0415
    from optimizely.optimizely import Optimizely  # noqa: PLC0415

    leaf = {"name": "country", "type": "custom_attribute", "value": COUNTRY, "match": "exact"}
    variations = {CONTROL: "1", TREATMENT: "2"}
    experiment = {
        "id": "10",
        "key": KEY,
        "status": "Running",
        "layerId": "20",
        "audienceIds": ["30"],
        "audienceConditions": ["or", "30"],
        "variations": [
            {"id": id_, "key": key, "featureEnabled": True, "variables": []} for key, id_ in variations.items()
        ],
        "trafficAllocation": [{"entityId": "1", "endOfRange": 5_000}, {"entityId": "2", "endOfRange": 10_000}],
        "forcedVariations": {},
    }
    datafile = {
        "version": "4",
        "projectId": "1",
        "accountId": "1",
        "revision": "1",
        "anonymizeIP": True,
        "botFiltering": False,
        "featureFlags": [{"id": "40", "key": KEY, "rolloutId": "", "experimentIds": ["10"], "variables": []}],
        "experiments": [experiment],
        "audiences": [{"id": "30", "name": "British", "conditions": json.dumps(["and", ["or", ["or", leaf]]])}],
        "attributes": [{"id": "50", "key": "country"}],
        "typedAudiences": [],
        "variables": [],
        "rollouts": [],
        "groups": [],
        "events": [],
    }
    client = Optimizely(json.dumps(datafile))
    quietly = [OptimizelyDecideOption.DISABLE_DECISION_EVENT]

    def decide(unit_id: str, attributes: Mapping[str, Any]) -> str | None:
        user = client.create_user_context(unit_id, dict(attributes))
        found: str | None = user.decide(KEY, quietly).variation_key
        return found

    return decisions(decide, looped(decide), count=count)


def unleash(count: int) -> Work:
    """Its core is Rust, called with JSON; toggles are given at the start, and never asked for again."""
    from UnleashClient import UnleashClient  # noqa: PLC0415
    from UnleashClient.cache import FileCache  # noqa: PLC0415

    for name in ("UnleashClient", "apscheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    strategy = {
        "name": "default",
        "parameters": {},
        "constraints": [{"contextName": "country", "operator": "IN", "values": [COUNTRY]}],
        "variants": [
            {"name": key, "weight": 500, "weightType": "variable", "stickiness": "userId"}
            for key in (CONTROL, TREATMENT)
        ],
    }
    feature = {"name": KEY, "type": "experiment", "enabled": True, "strategies": [strategy], "variants": []}
    folder = tempfile.TemporaryDirectory(prefix="winnow-bench-unleash-")
    cache = FileCache(KEY, directory=str(Path(folder.name)))
    cache.bootstrap_from_dict({"version": 2, "features": [feature]})
    client = UnleashClient(
        url="http://127.0.0.1:9", app_name=KEY, cache=cache, disable_metrics=True, disable_registration=True
    )
    client.initialize_client(fetch_toggles=False)

    def decide(unit_id: str, attributes: Mapping[str, Any]) -> str:
        found: str = client.get_variant(KEY, {"userId": unit_id, "properties": attributes})["name"]
        return found

    def close() -> None:
        client.destroy()
        folder.cleanup()

    return replace(decisions(decide, looped(decide), count=count), close=close)
