"""Server, fast lane, and Winnow's own clients decide alike; `make agree` asks 1,000,000 units, this fewer."""

from __future__ import annotations

import json
import random
from pathlib import Path

from experiments.services.publishing.published import catalog_document
from tests.clients.agreement.compare import Comparison
from tests.clients.agreement.draws import experiments, units
from tests.clients.agreement.sides import catalog_of, lane_answers
from winnow_client import compile_catalog
from winnow_client import openfeature as provider


def test_all_sides_agree(tmp_path: Path) -> None:
    comparison = Comparison(seed=2, experiments=50, folder=tmp_path)
    for _ in range(10):
        comparison.compare(2_000, each=5)
    assert comparison.disagreements == []
    # In bulk is asked where NumPy is, which these clients may bring along.
    assert set(comparison.decisions) - {"bulk"} == {"domain", "lane", "client in Python", "client in JavaScript"}
    assert set(comparison.decisions.values()) == {100_000}
    # What is compared is worth it: every reason was given, and both versions of bucketing were in use.
    reasons = {json.loads(answer)[6] for answer in comparison.answers}
    assert reasons == {"assigned", "forced", "holdout", "other_experiment", "not_in_traffic", "paused", "stopped"}
    assert {entry.experiment.definition.bucketing for entry in comparison.live} == {1, 2}


def test_the_provider_says_what_ofrep_says() -> None:
    """Reason, variant and metadata of an evaluation are the same, whether it is made here or there."""
    draw = random.Random(3)
    catalog = catalog_of(experiments(draw, 50))
    served = lane_answers(catalog).live
    local = compile_catalog(json.loads(json.dumps(catalog_document(catalog)))).assigns
    seen = set()
    for unit_id, attributes in units(draw, 400):
        for key, assign in local.items():
            (evaluate,) = served[key].assigns
            theirs, ours = json.loads(evaluate(unit_id, attributes).evaluation), assign(unit_id, attributes)
            metadata = {**theirs["metadata"]}
            del metadata["exposure_policy"]
            assert (provider.reason(ours), ours.variant) == (theirs["reason"], theirs["variant"])
            assert provider.metadata(ours) == metadata
            seen.add(theirs["reason"])
    assert seen == {"SPLIT", "STATIC", "TARGETING_MATCH", "DISABLED"}


def test_a_disagreement_is_found(tmp_path: Path) -> None:
    """The client in JavaScript is told other salts."""
    comparison = Comparison(seed=2, experiments=50, folder=tmp_path)
    document = json.loads((tmp_path / "catalog.json").read_text(encoding="utf-8"))
    for experiment in document["experiments"]:
        experiment["salt"] += "!"
    (tmp_path / "catalog.json").write_text(json.dumps(document), encoding="utf-8")
    comparison.compare(200, each=50)
    assert comparison.disagreements
    assert {line.split(":")[0] for line in comparison.disagreements} == {"client in JavaScript"}
