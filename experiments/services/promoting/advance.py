"""Advance: what the machine does with promotions by itself, one step of one segment at a time."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.domain.decision import Action, DecisionReason
from experiments.domain.errors import NoResults
from experiments.domain.experiment import Status
from experiments.domain.next_step import AT_STOP, Next, next_step
from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.promoting.acts import Actor, give_share, move, open_promotion, take_back
from experiments.services.promoting.look import Look, look_at
from experiments.services.promoting.proposals import Proposal, propose
from experiments.services.retry import retried

MACHINE = "worker"
MOST_STEPS = 5
"""In one go, of one segment: proposed, approved, live. More would be a loop that does not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The one step that is due in a segment; `promotion` None: to propose one."""

    promotion: Promotion | None
    next: Next
    proposal: Proposal


class Advancer:
    """Every step is a transaction of its own, decided again inside it: killed in between, the next round goes on."""

    def __init__(self, catalog: CatalogHolder, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._clock = clock

    def due(self, key: str) -> tuple[str, ...]:
        """Return the segments in which something is to be done now. Raises NotFound."""
        with self._open(read_only=True) as work:
            try:
                look = look_at(work, key)
            except NoResults:
                return ()
        now = self._clock()
        actor = Actor(name=MACHINE, now=now, unattended=True)
        return tuple(segment for segment in look.analysed if self._intent(look, segment, actor) is not None)

    def step(self, key: str, segment: str, *, name: str = MACHINE) -> Promotion | None:
        """Do the one step that is due in that segment, None where there is none (any more). Raises NotFound."""
        return retried(lambda: self._step(key, segment, name))

    def _step(self, key: str, segment: str, name: str) -> Promotion | None:
        actor = Actor(name=name, now=self._clock(), unattended=True)
        with self._open() as work:
            look = look_at(work, key)
            intent = self._intent(look, segment, actor)
            if intent is None:
                return None
            proposal, before = intent.proposal, intent.promotion
            state, reasons = intent.next.state, intent.next.reasons
            if before is None:
                after = open_promotion(work, look, proposal, actor)
            elif state in (PromotionState.RAMPING, PromotionState.HELD):
                after = give_share(work, look, before, proposal, actor)
            elif state is PromotionState.REVERTED:
                after = take_back(work, look.experiment, before, actor, proposal=proposal, reasons=reasons)
            else:
                after = move(work, look.experiment, before, state, actor, proposal=proposal, reasons=reasons)
            work.commit()
        self._catalog.catch_up()
        return after

    def _intent(self, look: Look, segment: str, actor: Actor) -> Intent | None:
        policy, promotion = look.experiment.definition.promotion, look.open_in(segment)
        # What a person has approved is held to what a person may do.
        by_machine = promotion is None or promotion.is_live or not promotion.approved_by_person
        proposal = propose(look, segment, actor.now, unattended=by_machine)
        if promotion is None:
            if proposal.decision.action is not Action.PROMOTE:
                return None
            proposed = Next(state=PromotionState.PROPOSED, reasons=proposal.decision.reasons)
            return Intent(promotion=None, next=proposed, proposal=proposal)
        stopped = look.experiment.status in (Status.STOPPED, Status.ARCHIVED)
        due = next_step(promotion, proposal.decision, policy, actor.now, stopped=stopped)
        return None if due is None else Intent(promotion=promotion, next=due, proposal=proposal)


EXPIRED_AT_STOP = Next(
    state=PromotionState.EXPIRED,
    reasons=(DecisionReason(code="stopped", message="The experiment has been stopped."),),
)


def end_at_stop(work: UnitOfWork, key: str, actor: Actor) -> None:
    """End what a stopped experiment has open, as the machine would have done: nobody looks at an archived one."""
    for promotion in work.promotions.standing(key):
        if not promotion.is_open:
            continue
        # As it stands after the one before.
        experiment = work.experiments.get(key)
        end = AT_STOP.get(promotion.state, EXPIRED_AT_STOP)
        if end.state is PromotionState.REVERTED:
            take_back(work, experiment, promotion, actor, reasons=end.reasons)
        else:
            move(work, experiment, promotion, end.state, actor, reasons=end.reasons)
