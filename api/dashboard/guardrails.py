"""How guardrails stand for the variants that a verdict speaks of: an author may not overlook the price of a lift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dashboard.names import Names
from api.dashboard.stored import Scope, StoredReport
from experiments.domain.evidence import Evidence, Live

_WORDS = {
    "safe": "safe",
    "harmed": "harmed beyond the margin",
    "worse": "harmed, perhaps within the margin",
    "unknown": "harm not ruled out yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """`state` is safe, harmed, worse or unknown, `word` says so to people."""

    metric: str
    variant: str
    state: str
    word: str


def guardrails_of(report: StoredReport, scope: Scope, names: Names) -> tuple[Guardrail, ...]:
    """Return every guardrail of the variants in front, and whatever is harmed by any other."""
    if scope.outcome in ("too_early", "untrustworthy"):
        return ()
    return tuple(_guardrails(report, scope, names))


def guardrails_of_evidence(evidence: Evidence, names: Names) -> tuple[Guardrail, ...]:
    """Return the guardrails of the variant that would go live."""
    return tuple(
        _guardrail(one.metric, one.variant, one.state, names)
        for one in evidence.guardrails
        if one.variant == evidence.variant
    )


def guardrails_of_live(live: Live, names: Names) -> tuple[Guardrail, ...]:
    """Return how guardrails have stood since the variant went live."""
    return tuple(
        _guardrail(one.metric, one.variant, one.state, names) for one in live.guardrails if one.variant == live.variant
    )


def _guardrail(metric: str, variant: str, state: str, names: Names) -> Guardrail:
    return Guardrail(
        metric=names.metric(metric), variant=names.variant(variant), state=state, word=_WORDS.get(state, state)
    )


def _guardrails(report: StoredReport, scope: Scope, names: Names) -> Iterator[Guardrail]:
    in_front = {*scope.leaders, scope.variant}
    for metric in scope.metrics:
        for comparison in metric.comparisons:
            state = comparison.guardrail
            if state is None or comparison.baseline != report.control:
                continue
            if state in ("harmed", "worse") or comparison.treatment in in_front:
                yield _guardrail(metric.metric, comparison.treatment, state, names)
