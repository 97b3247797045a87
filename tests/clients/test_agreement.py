"""Server, fast lane, and Winnow's own clients decide alike; `make agree` asks 1,000,000 units, this fewer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.clients.agreement.compare import Comparison


def test_all_sides_agree(tmp_path: Path) -> None:
    comparison = Comparison(seed=2, experiments=50, folder=tmp_path)
    for _ in range(10):
        comparison.compare(2_000, each=5)
    assert comparison.disagreements == []
    assert set(comparison.decisions) == {"domain", "lane", "client in Python", "client in JavaScript"}
    assert set(comparison.decisions.values()) == {100_000}
    # What is compared is worth it: every reason was given, and both versions of bucketing were in use.
    reasons = {json.loads(answer)[6] for answer in comparison.answers}
    assert reasons == {"assigned", "forced", "holdout", "other_experiment", "not_in_traffic", "paused", "stopped"}
    assert {entry.experiment.definition.bucketing for entry in comparison.live} == {1, 2}


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
