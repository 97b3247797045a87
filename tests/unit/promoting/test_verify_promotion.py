"""Every step of a promotion can be decided again from what was stored, and a changed record is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from experiments.domain.policy import DAY_SECONDS
from experiments.services.promoting.verify import verify_promotion
from tests.unit.promoting.advancing import AUTOMATIC, RAMP, Begin, S


def test_another_state_than_the_one_that_was_decided_does_not_hold(begin: Begin) -> None:
    world = begin(RAMP)
    world.advance()
    world.after(1)
    promotion = world.promotion
    assert verify_promotion(world.winnow.open_unit_of_work, promotion.id).holds
    *before, last = promotion.steps
    assert last.state is S.RAMPING
    with world.winnow.open_unit_of_work() as work:
        changed = replace(promotion, steps=(*before, replace(last, state=S.REVERTED)))
        work.promotions.save(changed, expected_revision=promotion.revision)
        work.commit()
    assert not verify_promotion(world.winnow.open_unit_of_work, promotion.id).holds


def test_every_step_can_be_decided_again(begin: Begin) -> None:
    world = begin(RAMP)
    world.advance()
    for _ in range(2):
        world.after(1)
    world.after(1, realised=(-0.3, -0.01))
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert [step.state for step in found.steps] == [S.PROPOSED, S.APPROVED, S.RAMPING, S.RAMPING, S.HELD, S.REVERTED]
    assert [(one.same_hash, one.same_answer, one.same_evidence) for one in found.steps] == [(True, True, True)] * 6


def test_what_an_earlier_release_ramped_unasked_can_be_decided_again(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not ask whether the policy was automatic still."""
    world = begin(RAMP)
    world.advance()
    world.edit(replace(world.wish, promotion=replace(RAMP, automatic=False)))
    with monkeypatch.context() as earlier:
        earlier.setattr("experiments.domain.next_step.waits_for_a_person", lambda *_: False)
        assert world.after(1) == [S.RAMPING]
    assert verify_promotion(world.winnow.open_unit_of_work, world.promotion.id).holds


def test_a_person_who_acts_leaves_what_can_be_decided_again(begin: Begin) -> None:
    world = begin(replace(RAMP, automatic=False, expires_after_seconds=DAY_SECONDS))
    world.advance()
    world.winnow.promoter.approve(world.promotion.id, actor="eve")
    world.after(1)
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert [step.state for step in found.steps] == [S.PROPOSED, S.RAMPING, S.RAMPING]
    assert found.holds


def _other_evidence(step: Any) -> Any:
    return replace(step, evidence=replace(step.evidence, gain_low=0.5))


@pytest.mark.parametrize(
    ("forge", "broken"),
    [
        pytest.param(
            lambda step: replace(step, evidence=replace(step.evidence, gain_low=0.5)), "same_hash", id="evidence"
        ),
        pytest.param(lambda step: replace(step, reasons=()), "same_answer", id="reasons"),
        pytest.param(lambda step: replace(step, share_bp=5_000), "same_answer", id="a share that it never had"),
    ],
)
def test_a_forged_record_does_not_hold(begin: Begin, forge: Callable[[Any], Any], broken: str) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    promotion = world.promotion
    forged = replace(promotion, steps=(forge(promotion.steps[0]), *promotion.steps[1:]))
    with world.winnow.open_unit_of_work() as work:
        work.promotions.save(forged, expected_revision=forged.revision)
        work.commit()
    found = verify_promotion(world.winnow.open_unit_of_work, promotion.id)
    assert getattr(found.steps[0], broken) is False
    assert not found.holds


def test_a_snapshot_that_was_changed_gives_other_evidence(begin: Begin) -> None:
    world = begin(AUTOMATIC)
    world.advance()
    with world.winnow.open_unit_of_work() as work:
        snapshot = work.snapshots.get("banner", world.promotion.evidence.snapshot_id)
        snapshot.report["segments"][0]["verdict"]["sentence"] = "b wins by far."  # type: ignore[index]
        work.commit()
    found = verify_promotion(world.winnow.open_unit_of_work, world.promotion.id)
    assert [(one.same_hash, one.same_answer, one.same_evidence) for one in found.steps] == [(True, True, False)] * 3
