"""The experiment's life: its steps, its versions and epochs, and what freezes at the start."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from experiments.domain.definition import Variant
from experiments.domain.epoch import follow_up_end
from experiments.domain.errors import FrozenField, IllegalTransition, InvalidInput
from experiments.domain.experiment import Experiment, Status, draft
from experiments.domain.metric import MetricRole, MetricUse
from experiments.domain.policy import AnalysisPlan
from experiments.domain.segment import Segment
from tests.unit.builders import NOW, SPEND, VISIT, definition, plan, running

MENS = Segment(key="mens", name="Men's", condition={"mens": 1})
LATER = NOW + timedelta(days=1)

STATES: dict[Status, Experiment] = {
    Status.DRAFT: draft(definition(), by="test", now=NOW),
    Status.RUNNING: running(),
    Status.PAUSED: running().pause(NOW),
    Status.STOPPED: running().stop(NOW),
    Status.ARCHIVED: running().stop(NOW).archive(NOW),
}
LEGAL = {
    ("draft", "start"): "running",
    ("running", "pause"): "paused",
    ("paused", "start"): "running",
    ("running", "stop"): "stopped",
    ("paused", "stop"): "stopped",
    ("stopped", "archive"): "archived",
}


@pytest.mark.parametrize("step", ["start", "pause", "stop", "archive"])
@pytest.mark.parametrize("state", list(Status))
def test_each_step_from_each_state(state: Status, step: str) -> None:
    before = STATES[state]
    wanted = LEGAL.get((state.value, step))
    if wanted is None:
        with pytest.raises(IllegalTransition, match=f"is {state.value}: it cannot {step}"):
            getattr(before, step)(LATER)
    else:
        after = getattr(before, step)(LATER)
        assert (after.status, after.revision, after.updated_at) == (wanted, before.revision + 1, LATER)


def test_started_and_stopped_are_dated_once() -> None:
    experiment = running().pause(LATER).start(LATER).stop(LATER)
    assert (experiment.started_at, experiment.stopped_at) == (NOW, LATER)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"variants": definition().variants[:1]}, "variants_count", "/variants"),
        ({"variants": (*definition().variants, Variant(key="a", name="again"))}, "key_repeated", "/variants/2"),
        ({"variants": tuple(replace(v, is_control=True) for v in definition().variants)}, "control_count", "/variants"),
        ({"variants": tuple(Variant(key=f"v{n}", name="V") for n in range(21))}, "variants_count", "/variants"),
        ({"segments": ()}, "segments_count", "/segments"),
        ({"segments": (plan(MENS),)}, "everyone_last", "/segments"),
        ({"segments": (plan(), plan(MENS))}, "everyone_last", "/segments"),
        ({"segments": (plan(MENS), plan(MENS), plan())}, "key_repeated", "/segments/1"),
        ({"segments": (plan(weights={"a": 1, "z": 1}),)}, "variant_unknown", "/segments/0/weights/z"),
        ({"metrics": ()}, "primary_count", "/metrics"),
        ({"metrics": (MetricUse(metric=VISIT, role=MetricRole.SECONDARY),)}, "primary_count", "/metrics"),
        ({"forced": {"u": "z"}}, "variant_unknown", "/forced/u"),
        ({"key": "no spaces"}, "key_invalid", "/key"),
        ({"key": ""}, "key_invalid", "/key"),
        ({"key": "k\n"}, "key_invalid", "/key"),
        ({"name": ""}, "text_invalid", "/name"),
        ({"hypothesis": "a\x00b"}, "text_invalid", "/hypothesis"),
        ({"tags": ("good", "not good")}, "key_invalid", "/tags/1"),
    ],
)
def test_an_invalid_definition_cannot_be_built(changes: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        definition(**changes)
    assert (refusal.value.code, refusal.value.path) == (code, path)


def test_a_draft_is_rewritten_in_its_first_version() -> None:
    experiment = STATES[Status.DRAFT].edit(definition(name="Better"), by="ann", now=LATER)
    assert (experiment.current.number, experiment.current.epoch, experiment.revision) == (1, 1, 2)
    assert (experiment.definition.name, experiment.current.created_by) == ("Better", "ann")


def test_a_new_name_is_a_version_but_no_epoch() -> None:
    experiment = running().edit(definition(name="Better"), by="ann", now=LATER)
    assert (experiment.current.number, experiment.current.epoch) == (2, 1)


def test_only_the_segment_whose_split_changed_is_dated_anew() -> None:
    before = running(segments=(plan(MENS), plan()))
    changed = definition(segments=(plan(MENS, weights={"a": 1, "b": 3}), plan()))
    after = before.edit(changed, by="ann", now=LATER)
    assert after.current.epoch == 2
    assert [p.since_epoch for p in after.definition.segments] == [2, 1]


def test_a_new_segment_in_front_dates_those_behind_it_anew() -> None:
    """Everyone else loses members to it: the same split is not the same experiment any more."""
    after = running().edit(definition(segments=(plan(MENS), plan())), by="ann", now=LATER)
    assert (after.current.epoch, [p.since_epoch for p in after.definition.segments]) == (2, [2, 2])


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"salt": "other"}, "/salt"),
        ({"analysis": AnalysisPlan(alpha=0.1)}, "/analysis"),
        ({"unit_type": "device"}, "/unit_type"),
        ({"variants": (definition().variants[0], Variant(key="b", name="B", content={"text": "new"}))}, "/variants"),
        ({"metrics": (MetricUse(metric=SPEND, role=MetricRole.PRIMARY),)}, "/metrics"),
    ],
)
def test_what_results_rest_on_is_frozen_at_the_start(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(FrozenField) as refusal:
        running().edit(definition(**changes), by="ann", now=LATER)
    assert refusal.value.path == path
    assert STATES[Status.DRAFT].edit(definition(**changes), by="ann", now=LATER).current.number == 1


@pytest.mark.parametrize("state", [Status.STOPPED, Status.ARCHIVED])
def test_what_has_ended_is_not_edited(state: Status) -> None:
    with pytest.raises(IllegalTransition):
        STATES[state].edit(definition(name="Better"), by="ann", now=LATER)


class TestFollowUp:
    """Outcomes count until units may have been moved: by their own split, or by a segment before theirs."""

    first = running(segments=(plan(MENS), plan()))

    def ends(self, *later: Any) -> tuple[Any, Any]:
        experiment, versions = self.first, [self.first.current]
        for days, segments in enumerate(later, start=1):
            experiment = experiment.edit(definition(segments=segments), by="ann", now=NOW + timedelta(days=days))
            versions.append(experiment.current)
        return follow_up_end(versions, 1, "mens"), follow_up_end(versions, 1, "everyone")

    def test_nothing_changed(self) -> None:
        assert self.ends() == (None, None)

    def test_one_split_changed(self) -> None:
        assert self.ends((plan(MENS, weights={"a": 1, "b": 3}), plan())) == (LATER, None)

    def test_more_traffic_moves_nobody_who_is_in(self) -> None:
        few = (plan(MENS, traffic_bp=1_000), plan())
        experiment = running(segments=few)
        more = experiment.edit(definition(segments=(plan(MENS, traffic_bp=5_000), plan())), by="ann", now=LATER)
        less = experiment.edit(definition(segments=(plan(MENS, traffic_bp=500), plan())), by="ann", now=LATER)
        assert follow_up_end([experiment.current, more.current], 1, "mens") is None
        assert follow_up_end([experiment.current, less.current], 1, "mens") == LATER

    def test_a_segment_that_goes_ends_its_own_and_changes_the_next(self) -> None:
        assert self.ends((plan(),)) == (LATER, LATER)

    def test_the_first_change_counts(self) -> None:
        changed = (plan(MENS, weights={"a": 1, "b": 3}), plan())
        assert self.ends(changed, (plan(MENS), plan())) == (LATER, None)
