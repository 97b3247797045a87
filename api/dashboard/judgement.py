"""What may be concluded from a comparison: never more than the report's own rule has concluded."""

from __future__ import annotations

from api.dashboard import format as say
from api.dashboard.stored import Comparison, MetricReport, Scope, StoredReport

_GUARDRAIL_WORDS = {
    "safe": "Safe: harm beyond the margin is ruled out",
    "harmed": "Harmed beyond the margin",
    "worse": "Harmed, perhaps within the margin",
    "unknown": "Harm not ruled out yet",
}


def judgement(report: StoredReport, scope: Scope, metric: MetricReport, comparison: Comparison) -> str:
    """Say what may be concluded from one comparison, in words and with the number that decides it."""
    if scope.outcome == "untrustworthy":
        return "Cannot be trusted"
    if metric.role == "guardrail":
        return _GUARDRAIL_WORDS.get(comparison.guardrail or "unknown", "Harm not ruled out yet")
    if metric.role != "primary":
        return "For orientation"
    p = comparison.p_value_adjusted.value
    if scope.outcome == "too_early" or report.is_early:
        return "Too early to judge"
    if p is None:
        return comparison.p_value_adjusted.missing or "Not judged"
    word = {"better": "Better", "worse": "Worse"}.get(tone_of(report, scope, metric, comparison), "Not shown yet")
    return f"{word} (adjusted {say.p_value(p)})"


def tone_of(report: StoredReport, scope: Scope, metric: MetricReport, comparison: Comparison) -> str:
    """`better` and `worse` only where the report's own rule has concluded so; anything else is `open`."""
    if scope.outcome in ("untrustworthy", "too_early"):
        return "open"
    if metric.role == "guardrail":
        return {"safe": "better", "harmed": "worse", "worse": "worse"}.get(comparison.guardrail or "", "open")
    p, gain = comparison.p_value_adjusted.value, _gain(metric, comparison)
    if metric.role != "primary" or report.is_early or p is None or p >= report.alpha or not gain:
        return "open"
    return "better" if gain > 0 else "worse"


def _gain(metric: MetricReport, comparison: Comparison) -> float:
    value = comparison.difference.value.value or 0.0
    return value if metric.direction == "increase" else -value


def concludes(report: StoredReport, scope: Scope) -> bool:
    """Say whether any comparison on the primary metric has a conclusion, for better or for worse."""
    return any(
        tone_of(report, scope, metric, comparison) != "open"
        for metric in scope.metrics
        if metric.role == "primary"
        for comparison in metric.comparisons
    )


def legend(role: str) -> tuple[tuple[str, str], ...]:
    """Return the tones that a metric of that role can have, with what they mean."""
    if role == "guardrail":
        return (("better", "safe"), ("worse", "harmed"), ("open", "harm not ruled out yet"))
    if role == "primary":
        return (("better", "shown to be better"), ("worse", "shown to be worse"), ("open", "no conclusion yet"))
    return (("open", "for orientation only"),)
