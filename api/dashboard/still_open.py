"""What is still open once winners are live, segment by segment, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from api.dashboard import format as say
from api.dashboard.judgement import tone_of
from api.dashboard.names import Names
from api.dashboard.stored import Scope, StoredReport
from api.dashboard.taking_part import of_those
from experiments.domain.decision import Action
from experiments.domain.experiment import Experiment, Status
from experiments.domain.wording import listed
from experiments.services.promoting.proposals import Proposal

WHO_SETS_IT = "No page sets a split: ask whoever maintains the experiment to edit the “weights” of the segment."
"""The way on where it is advised to set a split by hand; docs/experiments.md tells how."""


class _Sentence(NamedTuple):
    text: str
    sets_a_split: bool = False


def still_open(experiment: Experiment, report: StoredReport, rest: Sequence[Proposal], names: Names) -> str:
    """Return a sentence or two for each of the segments that have no winner; nothing where there are none."""
    found = list(_sentences(experiment, report, rest, names))
    is_ours = not experiment.definition.is_split_elsewhere
    if is_ours and any(one.sets_a_split for one in found):
        found.append(_Sentence(WHO_SETS_IT))
    return " ".join(one.text for one in found)


def _sentences(
    experiment: Experiment, report: StoredReport, rest: Sequence[Proposal], names: Names
) -> Iterator[_Sentence]:
    undecided: list[str] = []
    futile: list[str] = []
    doubtful: list[str] = []
    for one in rest:
        scope, where = report.scope_of(one.segment), names.segment(one.segment)
        if scope is not None and scope.outcome in ("tied", "control_wins"):
            yield from _settled_in_part(experiment, report, scope, names)
        elif scope is not None and scope.outcome == "untrustworthy":
            doubtful.append(where)
        else:
            (futile if one.decision.action is Action.STOP_FUTILE else undecided).append(where)
    if doubtful:
        yield _Sentence(f"The numbers for {listed(doubtful)} cannot be relied on: have the warnings looked into.")
    if futile:
        yield _Sentence(f"For {listed(futile)} waiting is no use any more: try something bolder there.")
    if undecided:
        yield _Sentence(f"Nothing is decided yet for {listed(undecided)}: let it run.")


def _settled_in_part(experiment: Experiment, report: StoredReport, scope: Scope, names: Names) -> Iterator[_Sentence]:
    """It is known there which variants are worse than another: whoever still sees them need not."""
    where = names.segment(scope.segment)
    best = scope.leaders if scope.outcome == "tied" else (experiment.definition.control.key,)
    called = listed([names.variant(variant) for variant in best])
    worse = _worse_shown(experiment, scope, _beaten(report, scope, best), names)
    if scope.outcome == "control_wins":
        yield _Sentence(f"For {where}, {called} stays best.")
        if worse:
            yield _Sentence(f"{worse}: change that by hand.", sets_a_split=True)
        return
    yield _Sentence(f"For {where}, {called} cannot be told apart yet.")
    waiting = "wait for a winner, or choose one of them by hand."
    first = f"{worse}: change the split there by hand. Then {waiting}" if worse else say.sentence(waiting)
    yield _Sentence(first, sets_a_split=True)


def _beaten(report: StoredReport, scope: Scope, best: Sequence[str]) -> set[str]:
    """Those that one of the best is shown to be better than: who only trails may yet turn out to be as good."""
    if scope.outcome == "control_wins":
        return {*report.variants} - {*best}
    beaten = {report.control}
    metric = scope.primary
    for one in metric.comparisons if metric else ():
        tone = tone_of(report, scope, metric, one) if metric else "open"
        if tone == "better" and one.treatment in best:
            beaten.add(one.baseline)
        elif tone == "worse" and one.baseline in best:
            beaten.add(one.treatment)
    return beaten


def _worse_shown(experiment: Experiment, scope: Scope, beaten: set[str], names: Names) -> str:
    """Say how many see a variant that is shown to be worse; nothing where nobody does, or that is not ours to know."""
    plan = experiment.definition.plan_of(scope.segment) if scope.segment is not None else None
    if plan is None or experiment.status is not Status.RUNNING or experiment.definition.is_split_elsewhere:
        return ""
    shares = {key: share for key, share in plan.allocation.weights_bp.items() if share and key in beaten}
    if not shares or not plan.traffic_bp:
        return ""
    many = "Some" if of_those(experiment.definition, plan) else say.basis_points(sum(shares.values()))
    called = listed([names.variant(key) for key in shares], "or")
    return f"{many} of them still see {called}, which {'is' if len(shares) == 1 else 'are'} shown to be worse"
