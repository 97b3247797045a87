"""Authoring through the services: libraries are copied in, live splits change with few moves, all is audited."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation, Variant
from experiments.domain.errors import AlreadyExists, FrozenField, InvalidInput, LayerFull, RevisionMismatch, Unavailable
from experiments.domain.layer import Layer, LayerClaim, Slot
from experiments.domain.metric import MetricRole
from experiments.domain.policy import AnalysisPlan, StoppingRule
from experiments.domain.promotion_policy import PromotionPolicy, WinnerRule
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish


def test_a_draft_holds_copies_and_ends_with_everyone(winnow: Winnow, wish: ExperimentWish) -> None:
    experiment = winnow.author.create(wish, actor="ann")
    assert [plan.segment.key for plan in experiment.definition.segments] == ["mens", "new", "everyone"]
    assert experiment.definition.segments[0].segment.condition == {"mens": 1}
    assert experiment.definition.segments[0].allocation.weights_bp == {"a": 5_000, "b": 5_000}
    assert (experiment.definition.salt, experiment.current.created_by) == ("banner", "ann")


def test_editing_the_library_leaves_a_running_experiment_alone(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    started = winnow.author.step("banner", "start", actor="ann")
    winnow.author.segments.edit(
        "mens", Segment(key="mens", name="Men", condition={"mens": 2}), expected_revision=1, actor="ann"
    )
    after = winnow.author.edit(
        "banner", replace(wish, name="New name"), expected_revision=started.revision, actor="ann"
    )
    assert after.definition.segments[0].segment.condition == {"mens": 1}
    assert (after.current.number, after.current.epoch) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"segments": (SegmentWish(segment="nobody"),)}, "segment_unknown", "/segments/0/segment"),
        ({"metrics": (MetricWish(metric="no", role=MetricRole.PRIMARY),)}, "metric_unknown", "/metrics/0/metric"),
        (
            {"metrics": (MetricWish(metric="visit", role=MetricRole.GUARDRAIL),)},
            "margin_missing",
            "/metrics/0/margin_lift",
        ),
        (
            {"segments": (SegmentWish(segment="mens", weights={"a": 0, "b": 0}),)},
            "weights_all_zero",
            "/segments/0/weights",
        ),
        (
            {"segments": (SegmentWish(segment="mens", weights={"a": 1, "b": -1}),)},
            "weight_invalid",
            "/segments/0/weights/b",
        ),
        ({"segments": (SegmentWish(segment="mens", traffic_bp=10_001),)}, "traffic_invalid", "/segments/0/traffic_bp"),
        ({"layer": LayerClaim(layer="nowhere", share_bp=1)}, "layer_unknown", "/layer/layer"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_its_path(
    winnow: Winnow, wish: ExperimentWish, changes: dict[str, object], code: str, path: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        winnow.author.create(replace(wish, **changes), actor="ann")
    assert (refusal.value.code, refusal.value.path) == (code, path)
    assert winnow.author.page(after=None, limit=10).items == ()
    assert list(winnow.results.audit(subject="banner", after=None, limit=10).items) == []


def test_a_key_is_taken_once_and_everyone_is_ours(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    with pytest.raises(AlreadyExists):
        winnow.author.create(wish, actor="ann")
    with pytest.raises(InvalidInput, match="taken by Winnow"):
        winnow.author.segments.create(Segment(key="everyone", name="Mine"), actor="ann")


def test_two_editors_do_not_overwrite_each_other(winnow: Winnow, wish: ExperimentWish) -> None:
    first = winnow.author.create(wish, actor="ann")
    winnow.author.edit("banner", replace(wish, name="Ann's"), expected_revision=first.revision, actor="ann")
    with pytest.raises(RevisionMismatch):
        winnow.author.edit("banner", replace(wish, name="Bob's"), expected_revision=first.revision, actor="bob")
    assert winnow.author.get("banner").definition.name == "Ann's"


def test_a_live_split_changes_with_the_fewest_moves(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    before = winnow.author.step("banner", "start", actor="ann")
    wanted = (SegmentWish(segment="mens", weights={"a": 1, "b": 3}), SegmentWish(segment="new"))
    after = winnow.author.edit("banner", replace(wish, segments=wanted), expected_revision=before.revision, actor="ann")
    old, new = before.definition.segments[0].allocation, after.definition.segments[0].allocation
    assert sum(old.variant_at(n) != new.variant_at(n) for n in range(0, 10_000, 10)) == 250
    assert after.definition.segments[1].since_epoch == 1


def test_a_layer_is_claimed_at_the_start_and_given_back_at_the_stop(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.layers.create(Layer(key="home", name="Home", salt="home"), actor="ann")
    claim = LayerClaim(layer="home", share_bp=6_000)
    for key in ("banner", "footer"):
        winnow.author.create(replace(wish, key=key, layer=claim), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    assert winnow.author.layers.get("home").value.slots == (Slot(start=0, end=6_000, experiment="banner"),)
    with pytest.raises(LayerFull):
        winnow.author.step("footer", "start", actor="ann")
    assert winnow.author.get("footer").status == "draft"
    winnow.author.step("banner", "stop", actor="ann")
    winnow.author.step("footer", "start", actor="ann")
    assert winnow.author.layers.get("home").value.slots == (Slot(start=0, end=6_000, experiment="footer"),)


def test_an_edit_of_a_layer_keeps_its_slots_and_its_salt(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.layers.create(Layer(key="home", name="Home", salt="home"), actor="ann")
    winnow.author.create(replace(wish, layer=LayerClaim(layer="home", share_bp=6_000)), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    revision = winnow.author.layers.get("home").revision
    edited = Layer(key="home", name="Home page", salt="home", holdout_bp=1_000)
    stored = winnow.author.layers.edit("home", edited, expected_revision=revision, actor="ann")
    assert stored.value.slots == (Slot(start=0, end=6_000, experiment="banner"),)
    with pytest.raises(InvalidInput, match="reach into the holdout"):
        winnow.author.layers.edit(
            "home", replace(edited, holdout_bp=4_001), expected_revision=stored.revision, actor="ann"
        )
    with pytest.raises(FrozenField):
        winnow.author.layers.edit("home", replace(edited, salt="new"), expected_revision=stored.revision, actor="ann")


def test_every_change_leaves_an_audit_entry(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    winnow.author.step("banner", "start", actor="bob")
    entries = winnow.results.audit(subject="banner", after=None, limit=10).items
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("bob", "experiment.start"),
        ("ann", "experiment.create"),
    ]


def test_an_edit_that_changes_nothing_is_no_version(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    started = winnow.author.step("banner", "start", actor="ann")
    assert winnow.author.edit("banner", wish, expected_revision=started.revision, actor="ann") == started
    assert winnow.author.get("banner") == started


def test_a_pause_and_what_follows_are_epochs_of_their_own(winnow: Winnow, wish: ExperimentWish) -> None:
    winnow.author.create(wish, actor="ann")
    for step in ("start", "pause", "start"):
        winnow.author.step("banner", step, actor="ann")
    versions = winnow.author.versions("banner")
    assert [(v.number, v.epoch, v.paused) for v in versions] == [(1, 1, False), (2, 2, True), (3, 3, False)]
    assert [plan.since_epoch for plan in versions[-1].definition.segments] == [1, 1, 1]


def test_content_and_weights_have_their_limits(winnow: Winnow, wish: ExperimentWish) -> None:
    large = Variant(key="c", name="C", content="x" * 65_534)
    assert len(json.dumps(large.content)) == 65_536
    with pytest.raises(InvalidInput) as refusal:
        Variant(key="c", name="C", content="x" * 65_535)
    assert refusal.value.code == "content_too_large"
    tiny = (SegmentWish(segment="mens", weights={"a": 99_999, "b": 1}),)
    with pytest.raises(InvalidInput) as refusal:
        winnow.author.create(replace(wish, segments=tiny), actor="ann")
    assert (refusal.value.code, refusal.value.path) == ("weight_too_small", "/segments/0/weights/b")


def test_a_change_that_is_stored_is_not_answered_with_trouble(
    winnow: Winnow, wish: ExperimentWish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog catches up with the next look; only the picture in memory is late."""

    def away() -> None:
        raise Unavailable("database_unavailable", "The database does not answer.")

    winnow.author.create(wish, actor="ann")
    monkeypatch.setattr(winnow.catalog, "refresh", away)
    assert winnow.author.step("banner", "start", actor="ann").status == "running"
    assert winnow.catalog.current.running == ()
    monkeypatch.undo()
    assert [entry.experiment.key for entry in winnow.catalog.refresh().running] == ["banner"]


def test_who_names_no_revision_is_not_refused_for_losing_a_race(
    winnow: Winnow, wish: ExperimentWish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look meets somebody else's change; the second one counts. Who names a revision is told."""
    winnow.author.create(wish, actor="ann")
    real, looks = winnow.author._step, []

    def lost_once(*arguments: object) -> object:
        looks.append(arguments)
        if len(looks) == 1:
            raise RevisionMismatch("experiment", "banner")
        return real(*arguments)

    monkeypatch.setattr(winnow.author, "_step", lost_once)
    assert winnow.author.step("banner", "start", actor="ann").status == "running"
    looks.clear()
    with pytest.raises(RevisionMismatch):
        winnow.author.step("banner", "pause", expected_revision=2, actor="ann")


def test_a_policy_that_is_left_alone_must_fit_its_plan(winnow: Winnow, wish: ExperimentWish) -> None:
    looks = AnalysisPlan(stopping_rule=StoppingRule.GROUP_SEQUENTIAL, planned_units=10_000)
    alone = replace(wish, analysis=looks, promotion=PromotionPolicy(automatic=True))
    with pytest.raises(InvalidInput) as refusal:
        winnow.author.create(alone, actor="ann")
    assert (refusal.value.code, refusal.value.path) == ("winner_rule_unfit", "/promotion/winner")
    at_looks = PromotionPolicy(automatic=True, winner=WinnerRule.BOUNDARY)
    assert winnow.author.create(replace(alone, promotion=at_looks), actor="ann").revision == 1


def test_who_does_not_split_the_units_promotes_nothing_alone(winnow: Winnow, wish: ExperimentWish) -> None:
    alone = replace(wish, randomisation=Randomisation.EXTERNAL, promotion=PromotionPolicy(automatic=True))
    with pytest.raises(InvalidInput) as refusal:
        winnow.author.create(alone, actor="ann")
    assert (refusal.value.code, refusal.value.path) == ("automatic_external", "/promotion/automatic")
