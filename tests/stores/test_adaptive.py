"""Steps of an adaptive experiment on every store."""

from __future__ import annotations

from datetime import timedelta

from analysis.moments import MetricKey, Moments, MomentTable
from experiments.domain.adaptive import AdaptivePolicy, read_step, recompute
from experiments.services.analysing.adapt import Adapted, Adapter
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.recording.ports import Watermark
from experiments.storage.documents.definition import definition_from_document, definition_to_document

POLICY = AdaptivePolicy(batch_seconds=7_200, floor_bp=123, draws=1_000, seed="ü", warm_up_units=7)


def test_a_policy_is_kept(definition):
    value = definition(adaptive=POLICY)
    assert definition_from_document(definition_to_document(value)) == value


def test_a_definition_of_an_earlier_release_is_not_adaptive(definition):
    document = definition_to_document(definition())
    del document["adaptive"]
    assert definition_from_document({**document, "schema": 2}).adaptive is None


def test_of_many_workers_one_makes_the_step(open_unit_of_work, experiment, snapshot, now, at_once):
    later = now + timedelta(hours=2)
    table = MomentTable(
        moments={
            MetricKey(1, "everyone", "a", "bought"): Moments(n=500, mean=0.1, m2=45.0),
            MetricKey(1, "everyone", "b", "bought"): Moments(n=500, mean=0.13, m2=56.55),
        }
    )
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment(adaptive=POLICY).start(now))
        watermark = Watermark(exposure_id=0, event_id=0, at=later)
        unit.snapshots.add(snapshot(version=1, watermark=watermark, moments=table.to_dict()))
        unit.commit()
    catalog = CatalogHolder(open_unit_of_work)

    def step(actor):
        return Adapter(catalog, open_unit_of_work, lambda: later).step("checkout", actor=actor)

    outcomes = at_once(step, ["ada", "bob", "cyd", "dan"])
    made = [outcome for outcome in outcomes if isinstance(outcome, Adapted)]
    assert [outcome for outcome in outcomes if outcome not in made] == [None] * 3
    with open_unit_of_work(read_only=True) as unit:
        found = unit.experiments.get("checkout")
        [entry] = unit.audit.page(subject="checkout", after=None, limit=10).items
        assert len(unit.experiments.versions("checkout")) == 2
    assert found.current == made[0].version
    [record] = entry.detail["steps"]
    assert recompute(read_step(record)) == found.definition.segments[0].allocation.weights_bp
