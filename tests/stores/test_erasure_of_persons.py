"""Erasing who has several ids, while others go on: who joins ids, and who follows the log."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.errors import NotFound
from experiments.services.following.activity import ActivityFollower
from experiments.services.following.purchases import PurchaseFollower
from experiments.services.following.saying import register
from experiments.services.following.turns import InTurn
from experiments.settings import Settings
from segmentation.behaviour.cuts import Cuts
from tests.conftest import FakeClock

CUTS = Cuts(recency_days=(30, 90, 180, 365), frequency=(1, 2, 4, 8), monetary_cents=(2_000, 5_000, 10_000, 20_000))


@pytest.fixture
def winnow(open_unit_of_work, clock: FakeClock) -> Winnow:
    made = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    made.catalog.refresh()
    return made


@pytest.fixture
def follow(winnow: Winnow) -> Callable[[], None]:
    """Follow the log to its end, and write into profiles what there is to say."""

    registering = partial(register, winnow.author.sources, winnow.author.attributes, winnow.open_unit_of_work)

    given = (winnow.open_unit_of_work, winnow.clock, ["purchase"])
    buying = PurchaseFollower(*given, register=registering, cuts=CUTS)
    following = InTurn((buying.step, ActivityFollower(*given, register=registering).step))

    def to_the_end() -> None:
        while following.step():
            pass

    return to_the_end


def meanwhile(winnow: Winnow, monkeypatch: pytest.MonkeyPatch, *, after: str, do: Callable[[], object]) -> None:
    """Do something as soon as that id was erased, and the others of the person were not."""
    erase, done = winnow.eraser._erase, list[str]()

    def erasing(unit_id: str, actor: str):
        receipt = erase(unit_id, actor)
        if unit_id == after and not done:
            done.append(unit_id)
            do()
        return receipt

    monkeypatch.setattr(winnow.eraser, "_erase", erasing)


def left_of(winnow: Winnow, *units: str) -> set[str]:
    """Name what is still there of them: purchases, activity, identities, profiles."""
    found = set()
    with winnow.open_unit_of_work(read_only=True) as work:
        found |= {f"behaviour {unit}" for unit in work.behaviour.some(units)}
        found |= {f"activity {unit}" for unit in work.activity.some(units)}
        found |= {f"identity {unit}" for unit in work.identities.some(units)}
    for unit in units:
        try:
            winnow.profiles.get(unit)
            found.add(f"profile {unit}")
        except NotFound:
            pass
    return found


@pytest.mark.parametrize("is_joined_before", [True, False])
def test_what_another_id_bought_does_not_come_back_under_one_that_was_erased(
    *, winnow, follow, event, monkeypatch, is_joined_before
) -> None:
    """The worker counts purchases of the device for the person, after the person's id and before the device's."""
    follow()
    if is_joined_before:
        winnow.identifier.identify("device", "ann", trusted=True)
    with winnow.open_unit_of_work() as work:
        work.log.append_events([event("e1", "device"), event("e2", "bob")], received_at=winnow.clock())
        work.commit()
    if not is_joined_before:
        follow()
        winnow.identifier.identify("device", "ann", trusted=True)
    meanwhile(winnow, monkeypatch, after="ann", do=follow)
    winnow.eraser.erase("ann", actor="test")
    assert left_of(winnow, "ann", "device") == set()
    follow()
    assert left_of(winnow, "ann", "device", "bob") == {"activity bob", "behaviour bob", "profile bob"}


@pytest.mark.parametrize(("anonymous_id", "unit_id"), [("device", "ann"), ("ann", "zoe")])
def test_ids_that_are_joined_meanwhile_are_erased_too(*, winnow, event, monkeypatch, anonymous_id, unit_id) -> None:
    """Nobody knew of another id when the erasure began."""
    other = ({anonymous_id, unit_id} - {"ann"}).pop()
    with winnow.open_unit_of_work() as work:
        work.log.append_events([event("e1", other), event("e2", "ann")], received_at=winnow.clock())
        work.commit()
    mark = winnow.eraser._mark

    def joining(unit: str):
        if unit == "ann":
            winnow.identifier.identify(anonymous_id, unit_id, trusted=True)
        return mark(unit)

    monkeypatch.setattr(winnow.eraser, "_mark", joining)
    receipt = winnow.eraser.erase("ann", actor="test")
    assert (receipt.deleted["events"], receipt.deleted["identities"]) == (2, 2)
    assert left_of(winnow, anonymous_id, unit_id) == set()
