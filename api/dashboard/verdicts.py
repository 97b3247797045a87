"""One verdict per segment: who won, how the segment stands now, and what would happen next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import format as say
from api.dashboard.guardrails import Guardrail, guardrails_of
from api.dashboard.judgement import concludes
from api.dashboard.live import Live, exploring_of, live_of
from api.dashboard.names import Names
from api.dashboard.outlook import sooner
from api.dashboard.reasons import reasons_of
from api.dashboard.standing import Standing, declined_before, in_segments, live_in, standing_of
from api.dashboard.stored import Scope, StoredReport
from api.dashboard.why_not_live import is_for_good
from experiments.domain.decision import Action
from experiments.domain.definition import SegmentPlan
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion, PromotionState
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`code` chooses icon and colour, `word` says the same to everybody; `variant` is the winner's name."""

    code: str
    word: str
    variant: str = ""


_WORDS = {
    "winner": "Winner",
    "tied": "Tie",
    "undecided": "No difference shown yet",
    "too_early": "Too early",
    "control_wins": "Control wins",
    "untrustworthy": "Do not trust",
}
_SO_FAR = {"winner": "Ahead so far", "tied": "Ahead so far", "control_wins": "Control ahead so far"}
"""Before the one look of a plan that has one."""
NO_DATA = Outcome(code="no_data", word="No data yet")
NOT_IN = Outcome(code="no_data", word="Takes no part")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What the promotion policy says; `promotes` names the variant that may go live now.

    `futile`: waiting is no use. `for_good`: it will not go live, however long one waits. `declined` says who said no to
    it before; else it is empty.
    """

    promotes: str | None
    reasons: tuple[str, ...]
    futile: bool = False
    for_good: bool = False
    declined: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """The promotion that is under way in a segment, or live there."""

    id: str
    variant: str
    standing: Standing
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    segment: str | None
    name: str
    description: str
    outcome: Outcome
    sentence: str
    units: str
    outlook: str
    guardrails: tuple[Guardrail, ...]
    live: Live | None
    next_step: NextStep | None
    promotion: Promoted | None


def outcome_of(scope: Scope, report: StoredReport, names: Names) -> Outcome:
    """Return the status of a scope. What is undecided may still hold a difference that was shown."""
    if report.is_early and scope.outcome in _SO_FAR:
        return Outcome(code="ahead" if scope.leaders else "undecided", word=_SO_FAR[scope.outcome])
    if scope.outcome == "winner" and scope.variant is not None:
        return Outcome(code="winner", word=_WORDS["winner"], variant=names.variant(scope.variant))
    if scope.outcome == "undecided" and scope.leaders:
        return Outcome(code="ahead", word="Ahead, not decided")
    if scope.outcome == "undecided" and concludes(report, scope):
        return Outcome(code="undecided", word="No winner yet")
    return Outcome(code=scope.outcome, word=_WORDS.get(scope.outcome, scope.outcome))


def verdicts_of(
    experiment: Experiment,
    report: StoredReport | None,
    names: Names,
    proposals: Mapping[str, Proposal],
    promotions: Iterable[Promotion],
    *,
    since: Mapping[str, datetime],
    layer: Layer | None,
) -> tuple[Verdict, ...]:
    """Return one verdict per segment: those of the experiment in their order, then those that only the report knows."""
    plans = {plan.segment.key: plan for plan in experiment.definition.segments}
    history = tuple(promotions)
    there = in_segments(history, experiment)
    known = [
        _of_plan(
            experiment,
            plan,
            names,
            report,
            proposal=proposals.get(key),
            promotion=there.get(key),
            history=history,
            since=since,
            layer=layer,
        )
        for key, plan in plans.items()
    ]
    if report is None:
        return tuple(known)
    former = [_of_scope(scope, report, names) for scope in report.segments if scope.segment not in plans]
    return (*known, *former)


def overall_verdict(report: StoredReport, names: Names) -> Verdict | None:
    """Return the verdict on all together, where that is something else than the only segment."""
    return _of_scope(report.overall, report, names) if len(report.segments) > 1 else None


def _of_plan(
    experiment: Experiment,
    plan: SegmentPlan,
    names: Names,
    report: StoredReport | None,
    *,
    proposal: Proposal | None,
    promotion: Promotion | None,
    history: Iterable[Promotion],
    since: Mapping[str, datetime],
    layer: Layer | None,
) -> Verdict:
    scope = report.scope_of(plan.segment.key) if report else None
    if plan.traffic_bp == 0 and promotion is None and not (scope and scope.units):
        return _left_out(experiment, plan, names, layer)
    alone = len(experiment.definition.segments) == 1
    started = experiment.status is not Status.DRAFT
    waiting = "Its first numbers come with the next analysis." if started else "The experiment has not started."
    sentence = _said(scope, report) if scope and report else waiting
    return Verdict(
        segment=plan.segment.key,
        name=names.segment(plan.segment.key),
        description=plan.segment.description
        or ("" if alone or plan.segment.condition else "Whoever is in no other segment"),
        outcome=outcome_of(scope, report, names) if scope and report else NO_DATA,
        sentence=sentence,
        units=say.amount(scope.units, names.unit) if scope else "",
        outlook=sooner(report, scope, names) if scope and report and experiment.status is Status.RUNNING else "",
        guardrails=guardrails_of(report, scope, names) if scope and report else (),
        live=live_of(experiment, plan, names, exploring_of(live_in(history, plan)), layer=layer),
        next_step=None if promotion is not None else _next_step(proposal, names, sentence, history),
        promotion=None if promotion is None else _promoted(experiment, promotion, names, since, layer),
    )


def _left_out(experiment: Experiment, plan: SegmentPlan, names: Names, layer: Layer | None) -> Verdict:
    """A segment without traffic that nobody ever counted in: there is nothing to wait for."""
    return Verdict(
        segment=plan.segment.key,
        name=names.segment(plan.segment.key),
        description=plan.segment.description or ("" if plan.segment.condition else "Whoever is in no other segment"),
        outcome=NOT_IN,
        sentence="It has no traffic, so nothing is found out about it here.",
        units="",
        outlook="",
        guardrails=(),
        live=live_of(experiment, plan, names, layer=layer),
        next_step=None,
        promotion=None,
    )


def _of_scope(scope: Scope, report: StoredReport, names: Names) -> Verdict:
    return Verdict(
        segment=scope.segment,
        name=names.segment(scope.segment),
        description="" if scope.segment is None else "Not part of the experiment any more",
        outcome=outcome_of(scope, report, names),
        sentence=_said(scope, report),
        units=say.amount(scope.units, names.unit),
        outlook="",
        guardrails=guardrails_of(report, scope, names),
        live=None,
        next_step=None,
        promotion=None,
    )


def _said(scope: Scope, report: StoredReport) -> str:
    """Return the verdict's sentence; before the one look of a plan that has one it is none to act on."""
    is_conclusion = scope.outcome in _SO_FAR or scope.leaders
    return f"So far, and not to be acted on: {scope.sentence}" if report.is_early and is_conclusion else scope.sentence


def _promoted(
    experiment: Experiment, promotion: Promotion, names: Names, since: Mapping[str, datetime], layer: Layer | None
) -> Promoted:
    return Promoted(
        id=promotion.id,
        variant=names.variant(promotion.variant),
        standing=standing_of(experiment, promotion, names, since, layer=layer),
        waits=promotion.state is PromotionState.PROPOSED and experiment.status is Status.RUNNING,
    )


def _next_step(proposal: Proposal | None, names: Names, sentence: str, history: Iterable[Promotion]) -> NextStep | None:
    if proposal is None:
        return None
    decision = proposal.decision
    if decision.action is Action.PROMOTE and decision.variant is not None:
        before = decision.variant in proposal.evidence.declined
        return NextStep(
            promotes=names.variant(decision.variant),
            reasons=(),
            declined=declined_before(history, proposal.segment, decision.variant) if before else "",
        )
    if decision.action is Action.STOP_FUTILE:
        return NextStep(promotes=None, reasons=reasons_of(decision)[:1], futile=True)
    if proposal.evidence.outcome != "winner" or proposal.evidence.already_promoted is not None:
        return None
    return NextStep(
        promotes=None,
        reasons=tuple(said for said in reasons_of(decision) if said != sentence),
        for_good=is_for_good(decision),
    )
