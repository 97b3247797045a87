"""Why a winner does not go live, where, and what would have to change: in words for the advice."""

from __future__ import annotations

from collections.abc import Sequence

from api.dashboard.names import Names
from api.dashboard.reasons import in_words
from api.dashboard.stored import StoredReport
from experiments.domain.decision import Decision, DecisionReason
from experiments.domain.definition import Definition
from experiments.domain.experiment import Experiment
from experiments.domain.promotion_policy import RULE_OF_WINNER
from experiments.domain.wording import listed
from experiments.services.promoting.proposals import Proposal

_NEVER = frozenset({"not_always_valid", "not_group_sequential", "not_running", "stopped"})
"""Reasons that no waiting does away with."""


def is_for_good(decision: Decision) -> bool:
    """Whether waiting does not help."""
    return bool(decision.codes & _NEVER)


def why_not_live(experiment: Experiment, waiting: Sequence[Proposal], names: Names) -> str:
    """Say for each segment that has a winner why it does not go live, the same reason once."""
    for_good = [one for one in waiting if is_for_good(one.decision)]
    found: dict[str, list[str]] = {}
    for one in waiting:
        (said,) = in_words([_first(one.decision)])
        found.setdefault(said, []).append(names.segment(one.segment))
    alone = len(experiment.definition.segments) == 1
    told = [said if alone else f"For {listed(where)}: {said}" for said, where in found.items()]
    yet = "" if len(for_good) == len(waiting) else " yet"
    way_on = [_who_changes_what(experiment.definition)] if for_good else []
    return " ".join((f"Its rules do not let it go live{yet}.", *told, *way_on))


def _first(decision: Decision) -> DecisionReason:
    """The reason that decided; one that never passes goes before all that do."""
    return next((reason for reason in decision.reasons if reason.code in _NEVER), decision.reasons[0])


def _who_changes_what(definition: Definition) -> str:
    if definition.analysis.stopping_rule in RULE_OF_WINNER.values():
        return "Ask whoever maintains the experiment to choose rules that go with its plan (“promotion.winner”)."
    return (
        "No rules go with a plan of one look. To show it, ask whoever maintains your content to make it the standard "
        "one, or start a new experiment that may be looked at again and again."
    )


def left_unshown(experiment: Experiment, report: StoredReport, names: Names) -> str:
    """After a stop: which winners nobody sees, and the way on; nothing of those that a person took back."""
    plans = {plan.segment.key: plan for plan in experiment.definition.segments}
    left = [
        f"{names.variant(scope.variant)} for {names.segment(scope.segment)}"
        for scope in report.segments
        if scope.outcome == "winner"
        and scope.variant is not None
        and scope.segment in plans
        and scope.variant not in (plans[scope.segment].promoted, plans[scope.segment].declined)
    ]
    if not left or report.is_early:
        return ""
    return (
        f"The experiment was stopped before {listed(left)} was live for all of them, and nothing goes live here any "
        f"more. To show {'it' if len(left) == 1 else 'them'}, ask whoever maintains your content to make "
        f"{'it' if len(left) == 1 else 'them'} the standard one, or start a new experiment."
    )
