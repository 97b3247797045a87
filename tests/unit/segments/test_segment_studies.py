"""Clusterings from end to end by the command: planted customers, noise, learning again, segments made of rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from experiments.bootstrap import Winnow as Services
from experiments.bootstrap import build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.source import Source, SourceKind
from experiments.domain.study import StudyKind
from experiments.services.profiles.profiles import ProfileChange
from experiments.settings import Settings
from segmentation.learnt import assign, from_document
from tests.unit.commands.test_cli import Winnow

CUSTOMERS = 420
NAMES = ("recency_days", "orders", "total_spent")
QUICK = ("--attributes", ",".join(NAMES), "--seed", "3", "--sample", "150", "--most-clusters", "4")
CENTRES = np.array([[30.0, 20.0, 500.0], [200.0, 4.0, 90.0], [60.0, 6.0, 900.0]])
SPREAD = np.array([8.0, 1.2, 40.0])

Known = dict[str, dict[str, float]]


def planted(seed: int, drift: float = 0.0) -> tuple[Known, Any]:
    """Three kinds of customers; with a drift the second kind has come nearer to the first."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, size=CUSTOMERS, p=[0.5, 0.3, 0.2])
    centres = CENTRES + drift * np.outer([0, 1, 0], CENTRES[0] - CENTRES[1])
    values = np.round(np.maximum(centres[kind] + SPREAD * rng.normal(size=(CUSTOMERS, 3)), 0), 3)
    return {f"unit-{n:04}": dict(zip(NAMES, row.tolist(), strict=True)) for n, row in enumerate(values)}, kind


def tell(services: Services, known: Known) -> None:
    changes = [ProfileChange(unit_id=one, source="crm", attributes=said) for one, said in known.items()]
    assert {one.status for one in services.profiles.upsert_many(changes)} == {"accepted"}


def settle(url: str) -> Services:
    services = build(Settings(database_url=url))
    crm = Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1)
    services.author.sources.create(crm, actor="t")
    for name in (*NAMES, "income"):
        attribute = Attribute(key=name, name=name, type=AttributeType.NUMBER, personal=name == "income")
        services.author.attributes.create(attribute, actor="t")
    services.author.attributes.create(Attribute(key="city", name="City", type=AttributeType.TEXT), actor="t")
    return services


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


def members(known: Known, condition: dict[str, Any]) -> set[str]:
    test = compile_condition(condition)
    return {unit_id for unit_id, values in known.items() if test(values)}


def test_planted_customers_are_found_adopted_and_followed(winnow: Winnow, sqlite_url: str) -> None:
    services, (known, truth) = settle(sqlite_url), planted(1)
    tell(services, known)
    learnt = winnow("segments", "learn", "habits", *QUICK)
    assert learnt.exit_code == 0, learnt.output
    study = services.studies.get(StudyKind.CLUSTERING, "habits")
    groups = study.document["groups"]
    labels = np.full(CUSTOMERS, -1)
    for place, group in enumerate(groups):
        inside = members(known, group["condition"])
        labels[[unit in inside for unit in known]] = place
        assert f"{group['units']:,}" in learnt.stdout
        assert group["fidelity"]["agreement"] >= 0.95
    assert adjusted_rand_score(truth, labels) >= 0.9
    assert sorted(group["units"] for group in groups) == pytest.approx(sorted(np.bincount(truth)), abs=8)
    check_map(study.document["chart"], groups, labels)
    assert "unit-" not in json.dumps(study.document), "no unit is named"
    assert study.document["mixture"]["components"] >= 2
    check_adopting(winnow, services, known, groups)
    check_learning_again(winnow, services, known)


def check_map(chart: dict[str, Any], groups: list[dict[str, Any]], labels: Any) -> None:
    """The points of a cluster lie around its centre, and as many of each are shown as there are of it."""
    assert len(chart["points"]) == 300
    centres = {one["key"]: np.array([one["x"], one["y"]]) for one in chart["centres"]}
    for place, group in enumerate(groups):
        own = np.array([[one["x"], one["y"]] for one in chart["points"] if one["key"] == group["key"]])
        assert len(own) / 300 == pytest.approx((labels == place).mean(), abs=0.06)
        assert own.mean(axis=0) == pytest.approx(centres[group["key"]], abs=0.15)
    first, second = chart["axes"]
    assert first["share"] > second["share"] > 0
    assert sum(weight**2 for weight in first["loadings"].values()) == pytest.approx(1)


def check_adopting(winnow: Winnow, services: Services, known: Known, groups: list[dict[str, Any]]) -> None:
    for place, group in enumerate(groups):
        adopted = winnow("segments", "adopt", "habits", "--cluster", group["key"], "--as", f"kind-{place}")
        assert adopted.exit_code == 0, adopted.output
    segment = services.author.segments.get("kind-0").value
    assert (segment.kind, segment.condition) == ("learnt", groups[0]["condition"])
    (report,) = json.loads(winnow("segments", "card", "kind-0", "--now", "--json").stdout)["reports"]
    assert report["card"]["size"]["units"] == len(members(known, groups[0]["condition"]))
    trail = services.results.audit(subject="kind-0", after=None, limit=9).items
    assert [(one.action, one.actor.startswith("cli")) for one in trail] == [("segment.create", True)]
    assert winnow("segments", "adopt", "habits", "--as", "x").exit_code == 2
    refused = winnow("segments", "adopt", "habits", "--cluster", "c9", "--as", "x")
    assert refused.stderr.startswith("winnow: cluster_not_found")


def check_learning_again(winnow: Winnow, services: Services, known: Known) -> None:
    """Who moved is counted here by the two stored versions, each placing today's customers."""
    later, _ = planted(1, drift=0.45)
    tell(services, later)
    told = winnow("segments", "refit", "habits")
    assert told.exit_code == 0, told.output
    old, new = (
        from_document(services.studies.get(StudyKind.CLUSTERING, "habits", version).document["learnt"])
        for version in (1, 2)
    )
    today = {name: np.array([values[name] for values in later.values()]) for name in NAMES}
    keys = [np.array(one.keys)[assign(one, today)] for one in (old, new)]
    moved = int((keys[0] != keys[1]).sum())
    document = services.studies.get(StudyKind.CLUSTERING, "habits").document
    assert (document["movement"]["moved_units"], document["movement"]["units"]) == (moved, CUSTOMERS)
    assert 0 < moved < CUSTOMERS / 4
    assert f"{moved:,} of {CUSTOMERS} customers" in told.stdout
    crossed = [[int(((keys[0] == a) & (keys[1] == b)).sum()) for b in new.keys] for a in old.keys]
    assert document["movement"]["table"] == crossed
    assert sorted(new.keys) == ["c1", "c2", "c3"], "matched clusters keep their keys"
    check_nothing_changed_by_itself(winnow, services, later, told.stdout)


def check_nothing_changed_by_itself(winnow: Winnow, services: Services, known: Known, told: str) -> None:
    versions = [services.studies.get(StudyKind.CLUSTERING, "habits", number) for number in (1, 2)]
    changed = 0
    for place, group in enumerate(versions[0].groups):
        segment = services.author.segments.get(f"kind-{place}").value
        rule = versions[1].group(group.key).condition
        assert segment.condition == group.condition
        assert (f"Segment {segment.key} ({group.key}) asks something else" in told) is (rule != group.condition)
        changed += rule != group.condition
        now, then = members(known, group.condition), members(known, rule)
        sentence = f"Segment {segment.key} has {len(now)} customers today, and would have {len(then)} by its new rule"
        assert (f"{sentence}, {len(now & then)} of them the same." in told) is (rule != group.condition)
    assert changed
    shown = winnow("segments", "clusters", "habits").stdout
    assert "version 1" in shown
    key = versions[0].groups[0].key
    assert winnow("segments", "adopt", "habits", "--cluster", key, "--as", "kind-0").exit_code == 0
    assert services.author.segments.get("kind-0").value.condition == versions[1].group(key).condition
    refused = winnow("segments", "learn", "habits", *QUICK)
    assert refused.stderr.startswith("winnow: clustering_exists")


def test_noise_is_refused_and_the_refusal_kept(winnow: Winnow, sqlite_url: str) -> None:
    services = settle(sqlite_url)
    values = np.round(np.random.default_rng(5).lognormal(size=(300, 3)), 6)
    tell(services, {f"unit-{n}": dict(zip(NAMES, row.tolist(), strict=True)) for n, row in enumerate(values)})
    told = winnow("segments", "learn", "noise", *QUICK, "--method", "kmeans")
    assert told.exit_code == 0, told.output
    assert "There is no structure to go by" in told.stdout
    study = services.studies.get(StudyKind.CLUSTERING, "noise")
    assert (study.outcome, study.groups, study.document["units"]) == ("no_structure", (), 300)
    assert study.document["structure"]["p_value"] > 0.05
    assert "no_structure" in winnow("segments", "clusters").stdout
    refused = winnow("segments", "refit", "noise")
    assert refused.stderr.startswith("winnow: nothing_to_refit")
    assert winnow("segments", "refit", "none").stderr.startswith("winnow: clustering_not_found")


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ("orders,nothing", "attribute_unknown"),
        ("orders,income", "attribute_personal"),
        ("city", "attribute_type_unfit"),
        (",", "attributes_count"),
        ("orders", "no_profiles"),
    ],
)
def test_what_cannot_be_learnt_from(winnow: Winnow, sqlite_url: str, attributes: str, code: str) -> None:
    settle(sqlite_url)
    refused = winnow("segments", "learn", "habits", "--attributes", attributes)
    assert (refused.exit_code, refused.stderr.split(":")[1].strip()) == (1, code)
    assert ("`winnow attributes add`" in refused.stderr) is (code == "attribute_unknown")


def test_the_same_seed_gives_the_same_document(winnow: Winnow, sqlite_url: str) -> None:
    tell(settle(sqlite_url), planted(2)[0])
    quick = (*QUICK[:-4], "--sample", "120", "--most-clusters", "2", "--json", "--method", "kmeans")
    first, second = (json.loads(winnow("segments", "learn", name, *quick).stdout) for name in ("a", "b"))
    assert json.dumps(first).replace("clustering a", "clustering b") == json.dumps(second)
