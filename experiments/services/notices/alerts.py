"""Alerts: what a person should look at, told once for each segment, split and reason."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from experiments.domain.decision import Action, DecisionReason
from experiments.domain.errors import AlreadyExists, NoResults
from experiments.domain.experiment import Status
from experiments.domain.notice import NoticeKind
from experiments.services.notices.announce import announce
from experiments.services.ports import Clock, OpenUnitOfWork
from experiments.services.promoting.look import Look, look_at
from experiments.services.promoting.proposals import Proposal, propose

_ALERTS = uuid.UUID("6f0e5b6a-31c5-4a8e-9d5c-6f3d3f1f7a52")
"""The namespace of their ids: the same alert has the same id, whoever tells it."""


_WORTH_A_LOOK = frozenset({"untrustworthy", "not_confirmed"})


class Alerter:
    """Tells of data that cannot be trusted, and of segments in which waiting is no use."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def tell(self, key: str) -> int:
        """Tell what has not been told yet; return how many alerts that were. Raises NotFound."""
        with self._open(read_only=True) as work:
            try:
                look = look_at(work, key)
            except NoResults:
                return 0
            wanted = [one for one in self._alerts(look) if not work.notices.knows(_id(*one))]
        return sum(self._tell(look, proposal, reason) for proposal, reason in wanted)

    def _alerts(self, look: Look) -> Iterator[tuple[Proposal, DecisionReason]]:
        if look.experiment.status is not Status.RUNNING:
            return
        for segment in look.analysed:
            proposal = propose(look, segment, self._clock(), unattended=False)
            decision = proposal.decision
            if decision.action in (Action.STOP_FUTILE, Action.NO_WINNER):
                yield proposal, decision.reasons[0]
            yield from ((proposal, reason) for reason in decision.reasons if reason.code in _WORTH_A_LOOK)
            # Where a winner is live, the decision looks at its own numbers; the segment's may be broken all the same.
            if proposal.evidence.live is not None:
                broken = (DecisionReason(code="untrustworthy", message=one) for one in proposal.evidence.critical)
                yield from ((proposal, reason) for reason in broken)

    def _tell(self, look: Look, proposal: Proposal, reason: DecisionReason) -> bool:
        now = self._clock()
        name = f"{look.experiment.definition.name}, {proposal.evidence.segment_name}"
        with self._open() as work:
            try:
                announce(
                    work,
                    NoticeKind.ALERT,
                    title=f"{name}: {reason.message}",
                    at=now,
                    experiment=proposal.experiment,
                    segment=proposal.segment,
                    payload={
                        "action": proposal.decision.action,
                        "reasons": [{"code": one.code, "message": one.message} for one in proposal.decision.reasons],
                        "snapshot": proposal.evidence.snapshot_id,
                    },
                    notice_id=_id(proposal, reason),
                )
            except AlreadyExists:
                return False
            work.commit()
        return True


def _id(proposal: Proposal, reason: DecisionReason) -> str:
    """Not the sentence: its numbers change with every snapshot."""
    split = proposal.evidence.current_since_epoch
    return str(uuid.uuid5(_ALERTS, f"{proposal.experiment}/{proposal.segment}/{split}/{reason.code}"))
