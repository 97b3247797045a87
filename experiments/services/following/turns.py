"""Those who follow the log, each in its turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from experiments.domain.attribute import Attribute
from experiments.services.following.activity import ActivityFollower
from experiments.services.following.purchases import PurchaseFollower
from experiments.services.ports import Clock, OpenUnitOfWork


class InTurn:
    """One step at a time, so that nobody waits for another one's backlog; who fails is the last to be tried again."""

    def __init__(self, steps: Sequence[Callable[[], bool]]) -> None:
        self._steps = deque(steps)

    def step(self) -> bool:
        """Do one step of the next who has any to do; False where nobody has."""
        for _ in range(len(self._steps)):
            step = self._steps[0]
            self._steps.rotate(-1)
            if step():
                return True
        return False


def follow_log(
    open_unit_of_work: OpenUnitOfWork,
    clock: Clock,
    register: Callable[[Sequence[Attribute]], None],
    *,
    purchases: Sequence[str],
    engagement: Sequence[str],
    cuts_seconds: float,
) -> InTurn:
    """`purchases`, `engagement`: the events of which customers are made, and how much units do."""
    buying = PurchaseFollower(open_unit_of_work, clock, purchases, register=register, cuts_seconds=cuts_seconds)
    doing = ActivityFollower(open_unit_of_work, clock, engagement, register=register)
    return InTurn((buying.step, doing.step))
