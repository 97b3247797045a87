"""The first thing on the page: what to do with all segments, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api.dashboard.names import Names
from api.dashboard.still_open import WHO_SETS_IT, still_open
from api.dashboard.stored import Recommendation, StoredReport
from api.dashboard.why_not_live import left_unshown, why_not_live
from experiments.domain.decision import Action
from experiments.domain.experiment import Experiment, Status
from experiments.domain.promotion import PromotionState
from experiments.domain.wording import listed
from experiments.services.promoting.proposals import Proposal

_SIZES_FIRST = "Look at the warning on the groups' sizes first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`code` chooses icon and colour, as that of an outcome does; `acts`: the verdicts below hold the button."""

    code: str
    word: str
    sentence: str
    next_step: str
    acts: bool


def advice_of(
    experiment: Experiment, report: StoredReport, names: Names, proposals: Mapping[str, Proposal]
) -> Advice | None:
    """Return the report's advice, with what the policy lets one do about it now; None where the report has none."""
    found = report.recommendation
    if found is None:
        return None
    ready = [
        proposal.segment
        for proposal in proposals.values()
        if proposal.decision.action is Action.PROMOTE and proposal.promotion is None and not _is_declined(proposal)
    ]
    nobody = [names.segment(scope.segment) for scope in report.segments if not scope.units]
    code, word = _word(found, report, names)
    acts = bool(ready) and found.advice in ("one_for_all", "per_segment")
    return Advice(
        code=code,
        word=word,
        sentence=f"{found.sentence} ({listed(nobody)}: nobody yet)" if nobody and code == "winner" else found.sentence,
        next_step=_ready(report, ready, names) if acts else _next(experiment, report, found, proposals, names),
        acts=acts,
    )


def _is_declined(proposal: Proposal) -> bool:
    return proposal.decision.variant in proposal.evidence.declined


def _word(found: Recommendation, report: StoredReport, names: Names) -> tuple[str, str]:
    match found.advice:
        case "one_for_all":
            return "winner", "One for everybody" if len(report.segments) > 1 else "A winner"
        case "per_segment":
            return "winner" if found.winners else "open", "Each segment its own"
        case "wait":
            return "too_early", "Wait"
    if report.overall.outcome == "control_wins":
        return "control_wins", f"Keep {names.variant(report.control)}"
    if _wins_but_harms(report):
        return "warning", "Not yet"
    return "untrustworthy", "No advice"


def _wins_but_harms(report: StoredReport) -> bool:
    """Nothing is recommended, though somebody wins: only harm to a guardrail does that."""
    return report.overall.outcome == "winner"


def _ready(report: StoredReport, segments: list[str], names: Names) -> str:
    where = ", ".join(names.segment(segment) for segment in segments)
    if report.doubts_sizes:
        return f"{_SIZES_FIRST}; the rules would let it go live for {where}."
    return f"Put it live: the rules of this experiment allow it now for {where}."


def _next(
    experiment: Experiment,
    report: StoredReport,
    found: Recommendation,
    proposals: Mapping[str, Proposal],
    names: Names,
) -> str:
    if experiment.status in (Status.STOPPED, Status.ARCHIVED):
        # Without proposals it is an earlier snapshot, or archived: there is nothing to be done about it.
        return left_unshown(experiment, report, names) if proposals and found.advice != "none" else ""
    if experiment.status is Status.PAUSED and found.advice != "none":
        return "While it is paused nobody is in it: start it again, or stop it."
    match found.advice:
        case "wait" if proposals and all(one.decision.action is Action.STOP_FUTILE for one in proposals.values()):
            return "Stop the experiment: by its own rules waiting is no use any more. Try something bolder."
        case "wait":
            return _waiting(report, found)
        case "none":
            return _nothing(report)
    return _held(experiment, report, found, [one for one in proposals.values() if _is_seen(report, one)], names)


def _nothing(report: StoredReport) -> str:
    if report.overall.outcome == "control_wins":
        return "Stop the experiment, and try other content."
    if _wins_but_harms(report):
        return "Find out where the harm comes from, before anybody is shown more of it."
    return "Have the warnings looked into first; until then nothing here can be relied on."


def _is_seen(report: StoredReport, proposal: Proposal) -> bool:
    """With one winner for all, who has nobody in it is judged by the others: nothing waits there."""
    scope = report.scope_of(proposal.segment)
    return scope is None or scope.units > 0


def _waiting(report: StoredReport, found: Recommendation) -> str:
    if found.waits_for == "nothing":
        return "Letting it run on does not help: do what is said above, or decide without a winner."
    if found.waits_for == "time":
        return "Change nothing until then."
    if report.stopping_rule == "group_sequential":
        return "Let it run. Every analysis is one of its planned looks and is paid for, so do not ask for more of them."
    if report.one_look:
        return "Let it run until its planned end; looking earlier tells nothing."
    return "Let it run and change nothing. Look as often as you like, it does no harm."


def _held(
    experiment: Experiment, report: StoredReport, found: Recommendation, judged: list[Proposal], names: Names
) -> str:
    """Why there is nothing to put live: it is already, no segment has decided by itself, or the policy has a reason."""
    if not judged:
        # An earlier snapshot: there is nothing to be done about it.
        return ""
    stages = {one.segment: _stage(one) for one in judged}
    proposed = [segment for segment, stage in stages.items() if stage is PromotionState.PROPOSED]
    if proposed:
        first = f"{_SIZES_FIRST}; then approve" if report.doubts_sizes else "Approve"
        return f"{first} or reject what is proposed for {', '.join(map(names.segment, proposed))}."
    rest = [one for one in judged if stages[one.segment] is None]
    won = [one for one in rest if one.evidence.outcome == "winner"]
    waiting = [one for one in won if one.decision.action is not Action.PROMOTE]
    if waiting:
        return why_not_live(experiment, waiting, names)
    if won:
        where = ", ".join(names.segment(one.segment) for one in won)
        return f"Nothing: somebody has said no to it for {where}, so Winnow does not propose it again."
    said = " ".join(_under_way(stages, names, elsewhere=experiment.definition.is_split_elsewhere))
    if found.advice == "one_for_all" and any(units for one in rest for _, units in one.evidence.units):
        others = "The others have not decided by themselves" if said else "No segment has decided by itself"
        return f"{said} {others} yet: wait for that{_or_by_hand(experiment)}".strip()
    left = still_open(experiment, report, rest, names) or ("Nothing else is to be done." if said else "")
    return f"{said} {left}".strip()


def _or_by_hand(experiment: Experiment) -> str:
    """Weights do nothing where another system splits."""
    return "." if experiment.definition.is_split_elsewhere else f", or set the split by hand. {WHO_SETS_IT}"


def _stage(one: Proposal) -> PromotionState | None:
    """How far the winner of a segment has come; None where there is none under way."""
    if one.evidence.already_promoted is not None:
        return PromotionState.HELD
    return None if one.promotion is None else one.promotion.state


def _under_way(stages: Mapping[str, PromotionState | None], names: Names, *, elsewhere: bool) -> Iterator[str]:
    live, ramping = ("to be shown by the other system", "to be shown to some") if elsewhere else ("live", "going live")
    for state, said, then in (
        (PromotionState.HELD, live, ""),
        (PromotionState.RAMPING, ramping, ""),
        (PromotionState.APPROVED, "approved", ", and goes live as soon as quiet hours are over"),
    ):
        segments = [names.segment(segment) for segment, stage in stages.items() if stage is state]
        if segments:
            yield f"It is {said} for {', '.join(segments)}{then}."
