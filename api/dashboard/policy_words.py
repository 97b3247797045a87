"""The promotion policy in words: who wins, how a winner goes live, and when it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.gain import Measure, measure_of
from api.dashboard.names import Names
from experiments.domain.definition import Definition
from experiments.domain.experiment import Experiment
from experiments.domain.metric import MetricRole
from experiments.domain.policy import FAMILYWISE
from experiments.domain.promotion_policy import (
    RULE_OF_WINNER,
    WEEK_SECONDS,
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    WinnerRule,
)
from experiments.domain.wording import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    term: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`misfit` says that nothing can go live as the experiment is planned; else it is empty."""

    rules: tuple[Rule, ...]
    misfit: str


def rules_of(definition: Definition, names: Names) -> Rules:
    """Put a policy into words."""
    measure = measure_of(definition, names)
    found = tuple(Rule(term=term, text=text) for term, text in _rules(definition, measure))
    return Rules(rules=found, misfit=_misfit(definition))


def _rules(definition: Definition, measure: Measure) -> Iterator[tuple[str, str]]:
    policy = definition.promotion
    yield "Who wins", _winner(policy, measure)
    if len(definition.segments) > 1:
        yield "Where", _scope(policy)
    yield "Guardrails", _guardrails(definition)
    yield "Not before", _minimum(definition)
    if policy.maximum_weeks is not None:
        yield "Not after", f"Without a winner after {say.amount(policy.maximum_weeks, 'week')}, the advice is to stop."
    yield "Approval", approval(definition)
    yield "On the way", ramp(policy, 0) + (" A share that it has already is skipped." if policy.ramp_bp else "")
    yield "Held back", holdback(policy, measure.control)
    if policy.exploration_bp:
        yield "Exploring", exploring(policy)
    yield "Taken back", f"By itself {taken_back(policy, measure)}"
    yield "Quiet hours", quiet_hours(policy) or "None: winners go live at any hour."


def _winner(policy: PromotionPolicy, measure: Measure) -> str:
    if policy.winner is WinnerRule.EXPECTED_LOSS:
        return (
            f"The variant that is expected to cost least if it is the wrong choice, once that is at most "
            f"{100 * (policy.loss_tolerance or 0):g}% of {measure.control}’s {measure.metric}. This limits the harm, "
            "but it is no proof that the variant is better: among equal ones it chooses one."
        )
    more = f" by more than {100 * policy.minimum_lift:g}%" if policy.minimum_lift else ""
    looks = (
        "however often one looks" if policy.winner is WinnerRule.LOWER_BOUND else "at one of the looks that are planned"
    )
    return f"A variant that is surely better than {measure.control}{more} on {measure.metric}, {looks}."


def _scope(policy: PromotionPolicy) -> str:
    if policy.scope is PromotionScope.PER_SEGMENT:
        return "Each segment has its own winner."
    return "One winner for all segments, unless these are shown to differ; then each has its own."


def _guardrails(definition: Definition) -> str:
    if not any(use.role is MetricRole.GUARDRAIL for use in definition.metrics):
        return "None are set: nothing but the metric that decides is looked at."
    if definition.promotion.guardrails is GuardrailRule.PROVEN_SAFE:
        return "Harm to them beyond what is tolerated has to be ruled out first."
    return "No harm to them may be shown; what is not known yet does not stop a winner."


def _minimum(definition: Definition) -> str:
    policy, plan = definition.promotion, definition.analysis
    units = max(plan.minimum_units, policy.minimum_units)
    wait = max(plan.minimum_duration_seconds, policy.minimum_weeks * WEEK_SECONDS)
    people = f"{say.amount(units, definition.unit_type)} in each variant"
    return f"{say.duration(wait)} of data, and {people}." if wait else f"{people[0].upper()}{people[1:]}."


def approval(definition: Definition) -> str:
    """Whether a person is asked."""
    policy = definition.promotion
    asked = f"A person approves; a proposal expires after {say.duration(policy.expires_after_seconds)}."
    if not policy.automatic:
        return asked
    if definition.analysis.family not in FAMILYWISE and policy.winner is not WinnerRule.EXPECTED_LOSS:
        return f"{asked} These tests do not limit the chance of a wrong winner, so no winner goes live by itself."
    return "None: a winner goes live by itself."


def ramp(policy: PromotionPolicy, present_bp: int) -> str:
    """Say the shares still to come, with how long each is watched."""
    *watched, last = [share for share in policy.shares_bp if share > present_bp] or [policy.shares_bp[-1]]
    if not watched:
        return f"It is shown to {say.basis_points(last)} at once."
    each = "each of which is" if len(watched) > 1 else "which are"
    first = listed([say.basis_points(share) for share in watched])
    soak = f", {each} watched for {say.duration(policy.soak_seconds)} at least" if policy.soak_seconds else ""
    return f"It is shown to {first} first{soak}; then to {say.basis_points(last)}."


def holdback(policy: PromotionPolicy, control: str) -> str:
    """Who goes on seeing the control, and what for."""
    held = f"{say.basis_points(policy.holdback_bp)} keep seeing {control}"
    if not policy.hold_seconds:
        return f"{held}; the winner is kept as soon as it is live."
    return (
        f"{held}. For {say.duration(policy.hold_seconds)} they show whether the winner keeps winning; then it is kept, "
        "unless it is behind: then the holdback goes on measuring, and you are told."
    )


def exploring(policy: PromotionPolicy) -> str:
    """Who goes on seeing any content, and what for; nothing where nobody does."""
    if not policy.exploration_bp:
        return ""
    return (
        f"{say.basis_points(policy.exploration_bp)} still see any content, on purpose: evenly split between all "
        "variants, so that none is lost from sight. That goes on after the hold, as long as the winner is live."
    )


def coming(experiment: Experiment, names: Names, present_bp: int) -> tuple[str, ...]:
    """Say what follows once a variant with that share is approved."""
    definition = experiment.definition
    policy, measure = definition.promotion, measure_of(definition, names)
    return tuple(
        filter(
            None,
            (
                ramp(policy, present_bp),
                holdback(policy, measure.control),
                exploring(policy),
                f"It is taken back by itself {taken_back(policy, measure)}",
                quiet_hours(policy),
            ),
        )
    )


def taken_back(policy: PromotionPolicy, measure: Measure) -> str:
    """When a winner is taken back by itself."""
    at = policy.revert_below_lift
    worse = (
        f"surely worse than {measure.control}"
        if at == 0
        else f"surely {measure.short_of(at)} against {measure.control}"
    )
    return f"until it is kept, as soon as it is {worse}, or harms a guardrail beyond what is tolerated."


def quiet_hours(policy: PromotionPolicy) -> str:
    """When nothing goes live by itself; nothing where there are no such hours."""
    hours = policy.quiet_hours
    if hours is None:
        return ""
    return (
        f"From {hours.start:%H:%M} to {hours.end:%H:%M} ({hours.timezone}) nothing goes live by itself, "
        "and what is approved then waits until they are over; what does harm is taken back all the same."
    )


def rules_fit(definition: Definition) -> bool:
    """Whether the policy looks at the numbers in the way that the experiment is planned for."""
    return RULE_OF_WINNER[definition.promotion.winner] is definition.analysis.stopping_rule


def _misfit(definition: Definition) -> str:
    if rules_fit(definition):
        return ""
    return (
        "As this experiment is planned, nothing can go live by these rules: they want another way of looking at the "
        "numbers than the one it has. Its author has to change one of the two."
    )
