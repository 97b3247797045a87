"""Where a promotion stands, in words: waiting, going live, live with a holdback, kept, or over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.dashboard import format as say
from api.dashboard.live import live_of
from api.dashboard.names import Names
from api.dashboard.reasons import in_words
from api.dashboard.taking_part import of_those
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import SegmentPlan
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.next_step import waits_for_a_person
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.promoting.proposals import Proposal

WORDS = {
    PromotionState.PROPOSED: "Waiting for approval",
    PromotionState.APPROVED: "Approved",
    PromotionState.RAMPING: "Going live",
    PromotionState.HELD: "Live",
    PromotionState.KEPT: "Kept",
    PromotionState.REVERTED: "Taken back",
    PromotionState.EXPIRED: "Expired",
    PromotionState.REJECTED: "Rejected",
    PromotionState.SUPERSEDED: "Replaced",
}

_WAITING = (PromotionState.PROPOSED, PromotionState.APPROVED)

TO_BE_CARRIED_OUT = "To be carried out by the system that decides who sees what: "
"""Before what a promotion shows to whom, where Winnow shows nothing to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`code` is the state; `is_shown`: somebody sees the variant because of it, now.

    `taken_back_to` says what its segment sees once it is taken back.
    """

    code: str
    word: str
    sentence: str
    is_shown: bool
    revertible: bool
    taken_back_to: str


def watched_since(proposals: Iterable[Proposal]) -> Mapping[str, datetime]:
    """Return since when each promotion that is live is watched at its present share, later by all pauses; by its id."""
    seen = (proposal.evidence.live for proposal in proposals)
    return {live.promotion: live.share_since for live in seen if live is not None}


def standing_of(
    experiment: Experiment,
    promotion: Promotion,
    names: Names,
    since: Mapping[str, datetime],
    *,
    layer: Layer | None,
) -> Standing:
    """Say where it stands, given the state of its experiment; `since` is of `watched_since`."""
    plan = experiment.definition.plan_of(promotion.segment)
    in_place = promotion.is_live and plan is not None and plan.promotion == promotion.id
    running = experiment.status is Status.RUNNING
    elsewhere = promotion.is_live and experiment.definition.is_split_elsewhere
    word, sentence = _word(promotion, elsewhere=elsewhere), _sentence(experiment, promotion, names, since)
    if plan is not None and in_place and not running:
        seen = live_of(experiment, plan, names, layer=layer).sentence
        word, sentence = _interrupted(promotion, experiment.status, seen)
    elif promotion.state in _WAITING and not running:
        word, sentence = f"{word}, {experiment.status}", _held_up(experiment, promotion, names, layer)
    elif elsewhere:
        sentence = TO_BE_CARRIED_OUT + sentence
    return Standing(
        code=str(promotion.state),
        word=word,
        sentence=sentence,
        is_shown=in_place and running and not elsewhere,
        revertible=in_place and experiment.is_live,
        taken_back_to=_taken_back_to(experiment, names, promotion.segment),
    )


def in_segments(promotions: Iterable[Promotion], experiment: Experiment) -> Mapping[str, Promotion]:
    """Return each segment's promotion that is under way, or else the one that is live there; given newest first."""
    found: dict[str, Promotion] = {}
    plans = {plan.segment.key: plan for plan in experiment.definition.segments}
    for promotion in promotions:
        plan = plans.get(promotion.segment)
        is_there = promotion.is_live and plan is not None and plan.promotion == promotion.id
        if is_there or (promotion.is_open and not promotion.is_live):
            found.setdefault(promotion.segment, promotion)
    return found


def live_in(promotions: Iterable[Promotion], plan: SegmentPlan | None) -> Promotion | None:
    """Return the promotion because of which a segment's split is what it is."""
    return next((one for one in promotions if plan is not None and one.id == plan.promotion and one.is_live), None)


def share_of(promotion: Promotion) -> str:
    """Return the variant's share because of it, while it is live."""
    shares = promotion.shares
    return say.basis_points(shares[-1].share_bp or 0) if promotion.is_live and shares else ""


def person_of(step: PromotionStep) -> str:
    """Return who made a step."""
    return "Winnow itself" if step.unattended else step.by.removeprefix("key:")


def declined_before(promotions: Iterable[Promotion], segment: str, variant: str) -> str:
    """Say who said no to that variant in that segment before, and why; given newest first."""
    over = (PromotionState.REVERTED, PromotionState.REJECTED, PromotionState.SUPERSEDED)
    for promotion in promotions:
        last = promotion.steps[-1]
        if (promotion.segment, promotion.variant) == (segment, variant) and last.state in over:
            said = f"{WORDS[last.state]} {say.day(last.at)} by {person_of(last)}"
            return f"{said}: “{last.note}”." if last.note else f"{said}. {why(last)}".strip()
    return "It was rejected or taken back here before."


def why(step: PromotionStep) -> str:
    """Return a step's reason: that of the person, or else of the policy."""
    return step.note or " ".join(in_words(step.reasons))


def _taken_back_to(experiment: Experiment, names: Names, segment: str) -> str:
    where = names.segment(segment)
    if experiment.status is Status.STOPPED:
        return f"All of {where} then see {names.variant(experiment.definition.control.key)}."
    return f"{where} gets back exactly the split of before."


def _word(promotion: Promotion, *, elsewhere: bool) -> str:
    word = "Decided" if elsewhere and promotion.state is not PromotionState.KEPT else WORDS[promotion.state]
    return f"{word}, {share_of(promotion)}" if promotion.state is PromotionState.RAMPING else word


def _interrupted(promotion: Promotion, status: Status, seen: str) -> tuple[str, str]:
    """Return word and sentence while the experiment does not run: its shares are not what anybody sees."""
    word = WORDS[promotion.state]
    if promotion.state is PromotionState.KEPT:
        return word, f"Kept since {say.instant(promotion.steps[-1].at)}. {seen}"
    return f"{word}, {status}", seen


def _held_up(experiment: Experiment, promotion: Promotion, names: Names, layer: Layer | None) -> str:
    """What waits while the experiment does not run: a pause only puts it off, if it does not expire meanwhile."""
    plan = experiment.definition.plan_of(promotion.segment)
    seen = live_of(experiment, plan, names, layer=layer).sentence if plan else ""
    if experiment.status is not Status.PAUSED:
        return f"Nothing comes of it, as the experiment has been {experiment.status}. {seen}".strip()
    what = "be approved" if promotion.state is PromotionState.PROPOSED else "go live"
    until = promotion.steps[-1].at + timedelta(seconds=experiment.definition.promotion.expires_after_seconds)
    return f"It cannot {what} before the experiment is started again, and expires {say.instant(until)}. {seen}".strip()


def _sentence(experiment: Experiment, promotion: Promotion, names: Names, since: Mapping[str, datetime]) -> str:
    policy, last = experiment.definition.promotion, promotion.steps[-1]
    began = since.get(promotion.id, last.at)
    control = names.variant(experiment.definition.control.key)
    of_those_in = of_those(experiment.definition, experiment.definition.plan_of(promotion.segment))
    match promotion.state:
        case PromotionState.PROPOSED:
            until = last.at + timedelta(seconds=policy.expires_after_seconds)
            return f"Somebody has to approve it until {say.instant(until)}; nothing has changed yet."
        case PromotionState.APPROVED:
            until = last.at + timedelta(seconds=policy.expires_after_seconds)
            return f"It goes live as soon as quiet hours are over, or not at all after {say.instant(until)}."
        case PromotionState.RAMPING:
            until = began + timedelta(seconds=policy.soak_seconds)
            share = say.basis_points(last.share_bp or 0)
            began_at, least = say.instant(last.at), say.instant(until)
            watched = f"{share}{of_those_in} see it since {began_at}; watched until {least} at least."
            return watched + _exploring(last, of_those_in) + _waiting_for_a_person(promotion, policy)
        case PromotionState.HELD:
            until = began + timedelta(seconds=policy.hold_seconds)
            held = f"{_held(last)} are held back with {control} until {say.instant(until)}."
            return f"{share_of(promotion)}{of_those_in} see it; {held}{_exploring(last, of_those_in)}"
        case PromotionState.KEPT:
            final = promotion.shares[-1]
            held = f"{_held(final)}{of_those_in} still see {control}."
            return f"Kept since {say.instant(last.at)}; {held}{_exploring(final, of_those_in)}"
    return _over(last)


def _held(step: PromotionStep) -> str:
    return say.basis_points(BUCKETS - (step.share_bp or 0) - step.exploration_bp)


def _exploring(step: PromotionStep, of_those_in: str) -> str:
    """On the way and for good: who sees something else is no fault."""
    if not step.exploration_bp:
        return ""
    whose = of_those_in or " of this segment"
    return f" {say.basis_points(step.exploration_bp)}{whose} still see any content, on purpose."


def _waiting_for_a_person(promotion: Promotion, policy: PromotionPolicy) -> str:
    if not waits_for_a_person(promotion, policy):
        return ""
    return (
        " It goes no further by itself, as its policy is not automatic any more and nobody has approved it: "
        f"“winnow promote {promotion.experiment} --segment {promotion.segment}” gives it its next share."
    )


def _over(last: PromotionStep) -> str:
    if last.state is PromotionState.SUPERSEDED:
        return f"The split of the segment was changed by hand {say.instant(last.at)}, by {person_of(last)}."
    reason = why(last)
    return f"{WORDS[last.state]} {say.instant(last.at)} by {person_of(last)}{': ' if reason else ''}{reason}"
