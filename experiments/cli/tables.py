"""Reports as tables for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.domain import wording
from experiments.domain.policy import FAMILYWISE

Doc = Mapping[str, Any]
Names = Mapping[str, str]
NONE = "–"
_VALUE_TITLES = {"conversion": "rate", "quantile": "quantile"}
OUTCOMES = {
    "winner": "winner",
    "tied": "tied",
    "control_wins": "control wins",
    "undecided": "undecided",
    "too_early": "too early",
    "untrustworthy": "not to be trusted",
}
GUARDRAILS = {
    "safe": "safe",
    "harmed": "harmed beyond the margin",
    "worse": "harmed, perhaps within the margin",
    "unknown": "harm not ruled out yet",
}


def print_report(console: Console, report: Doc, variants: Names, segments: Names) -> None:
    """Print what to do, what won in which segment, how sure that is, at what price, and what is wrong with the data."""
    if advice := report.get("recommendation"):
        console.print(f"→ {advice['sentence']}", markup=False)
    console.print(report_table(report, variants, segments))
    if any(metric["role"] == "guardrail" for metric in report["overall"]["metrics"]):
        console.print(guardrail_table(report, variants, segments))
    for scope in _shown_scopes(report):
        console.print(f"• {scope['verdict']['sentence']}", markup=False)
    if further := [metric["metric"] for metric in report["overall"]["metrics"] if metric["role"] == "secondary"]:
        console.print(f"Measured as well: {wording.listed(further)} (--metric shows the figures).", markup=False)
    for line in adaptive_lines(report, variants):
        console.print(line, markup=False)
    for finding in findings(report):
        console.print(f"{finding['severity']}: {finding['message']}", markup=False)


def adaptive_lines(report: Doc, variants: Names) -> Iterator[str]:
    """Say what an adaptive split gained over the declared one, all segments together, and what certainty it cost."""
    found = report["overall"].get("adaptive")
    if not found:
        return
    metric = primary(report["overall"])["metric"]
    gained, interval = found["gained"]["value"], found["gained"]["always_valid"]
    if isinstance(gained, int | float):
        between = f" (between {interval['low']:+,.1f} and {interval['high']:+,.1f})" if "low" in interval else ""
        yield f"Adaptive split: {metric} {gained:+,.1f} against the declared split{between}."
    for cost in found["costs"]:
        missing = cost["units_missing"]
        if isinstance(missing, int | float):
            share = f"{wording.percent(abs(missing), 0)} of the units were {'missing' if missing > 0 else 'added'}"
            yield f"  {variants.get(cost['treatment'], cost['treatment'])}: as certain as if {share}."


def _level(report: Doc) -> str:
    """Levels are said as they are: 97.5%, 99.9%."""
    return f"{100 * (1 - report['alpha']):.10g}%"


def report_table(report: Doc, variants: Names, segments: Names) -> Table:
    """Return a row for each variant, over all and in each segment that has units, on the metric that decides."""
    title = _title(report, primary(report["overall"]), variants)
    title += " for all comparisons together" if report["family"] in FAMILYWISE else " (adjusted for their number)"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("segment")
    table.add_column("units", justify="right")
    table.add_column("variant")
    table.add_column(_VALUE_TITLES.get(primary(report["overall"])["kind"], "mean"), justify="right")
    table.add_column("lift", justify="right")
    table.add_column(interval_title(report), justify="right", no_wrap=True)
    shown = _shown_scopes(report)
    has_beliefs = any(primary(scope).get("beliefs") for scope in shown)
    if has_beliefs:
        table.add_column("chance to be best", justify="right")
    table.add_column("verdict")
    for scope in shown:
        for *cells, chance, mark in _rows(report, scope, variants, segments):
            table.add_row(*cells, *([chance] if has_beliefs else []), mark)
        table.add_section()
    return table


def metric_table(report: Doc, key: str, variants: Names, segments: Names) -> Table:
    """Return a row for each variant, over all and in each segment that has units, on one metric of the report."""
    found = metric_of(report["overall"], key)
    told = "For orientation: it never decides about a winner." if found["role"] == "secondary" else None
    table = Table(title=_title(report, found, variants), caption=told, box=SIMPLE_HEAD)
    for name in ("segment", "units", "variant", _VALUE_TITLES.get(found["kind"], "mean"), "lift"):
        table.add_column(name, justify="left" if name in ("segment", "variant") else "right")
    is_one_look = report["stopping_rule"] == "fixed_horizon"
    table.add_column("at one look" if is_one_look else "always valid", justify="right", no_wrap=True)
    for scope in _shown_scopes(report):
        metric, head = metric_of(scope, key), (_name_of(scope, segments), f"{scope['units']:,}")
        for arm in metric["arms"]:
            effect = comparison(metric, arm["variant"], report["control"])
            lift = percent(effect["lift"]["value"], sign=True) if effect else ""
            interval = interval_of(effect["lift"]["fixed" if is_one_look else "always_valid"]) if effect else ""
            table.add_row(*head, variants.get(arm["variant"], arm["variant"]), _value(metric, arm), lift, interval)
            head = ("", "")
        table.add_section()
    return table


def guardrail_table(report: Doc, variants: Names, segments: Names) -> Table:
    """Return a row for each treatment on each guardrail, over all and in each segment that has units.

    The interval is the one that the state is read from.
    """
    title = f"guardrails: lift over {variants[report['control']]}, with {_level(report)} intervals"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("segment")
    table.add_column("guardrail")
    table.add_column("variant")
    table.add_column("lift", justify="right")
    table.add_column("always valid", justify="right", no_wrap=True)
    table.add_column("state")
    for scope in _shown_scopes(report):
        for row in _guardrail_rows(report, scope, variants, segments):
            table.add_row(*row)
        table.add_section()
    return table


def _guardrail_rows(report: Doc, scope: Doc, variants: Names, segments: Names) -> Iterator[tuple[str | Text, ...]]:
    where = _name_of(scope, segments)
    for metric in scope["metrics"]:
        for effect in metric["comparisons"]:
            if metric["role"] != "guardrail" or effect["baseline"] != report["control"]:
                continue
            lift, name = effect["lift"], variants.get(effect["treatment"], effect["treatment"])
            yield (
                where,
                metric["metric"],
                name,
                percent(lift["value"], sign=True),
                interval_of(lift["always_valid"]),
                _guardrail_state(scope, effect["guardrail"] or "unknown"),
            )
            where = ""


def _guardrail_state(scope: Doc, state: str) -> Text:
    if scope["verdict"]["outcome"] == "untrustworthy":
        return Text(OUTCOMES["untrustworthy"])
    return Text(GUARDRAILS.get(state, state), style="bold red" if state in ("harmed", "worse") else "")


def _rows(report: Doc, scope: Doc, variants: Names, segments: Names) -> Iterator[tuple[str | Text, ...]]:
    metric, control = primary(scope), report["control"]
    best = {belief["variant"]: belief["chance_to_be_best"] for belief in metric.get("beliefs", ())}
    head = (_name_of(scope, segments), f"{scope['units']:,}")
    for arm in metric["arms"]:
        effect = comparison(metric, arm["variant"], control)
        lift = percent(effect["lift"]["value"], sign=True) if effect else ""
        interval = interval_of(effect["lift_in_family"]) if effect else ""
        likely = chance(best.get(arm["variant"]))
        name = variants.get(arm["variant"], arm["variant"])
        yield (*head, name, _value(metric, arm), lift, interval, likely, _mark(report, scope, arm["variant"]))
        head = ("", "")


def _value(metric: Doc, arm: Doc) -> str:
    return percent(arm["value"]) if metric["kind"] == "conversion" else decimal(arm["value"])


def _is_early(report: Doc) -> bool:
    """Whether its one look is still to come."""
    return any((one["code"], one["severity"]) == ("single_look", "warning") for one in report["findings"])


def chance(value: float | None) -> str:
    """A probability that is never said to be certain."""
    if value is None:
        return NONE
    return ">99.9%" if value > 0.999 else "<0.1%" if value < 0.001 else f"{value:.1%}"


def _mark(report: Doc, scope: Doc, variant: str) -> Text:
    verdict = scope["verdict"]
    if verdict["outcome"] in ("winner", "tied", "control_wins") and _is_early(report):
        return Text("ahead so far" if variant == verdict["variant"] or variant in verdict["leaders"] else "")
    if variant == verdict["variant"] or variant in verdict["leaders"]:
        return Text(OUTCOMES[verdict["outcome"]], style="bold green")
    return Text("" if verdict["outcome"] in ("winner", "tied", "control_wins") else OUTCOMES[verdict["outcome"]])


def shown_segments(report: Doc) -> list[Doc]:
    """Return the segments that have units; all of them where none has."""
    return [scope for scope in report["segments"] if scope["units"]] or list(report["segments"])


def _shown_scopes(report: Doc) -> list[Doc]:
    """Return all together, and behind it the segments; where there is one only, that says it all."""
    shown = shown_segments(report)
    return shown if len(shown) == 1 else [report["overall"], *shown]


def _name_of(scope: Doc, segments: Names) -> str:
    return "all together" if scope["segment"] is None else segments.get(scope["segment"], scope["segment"])


def _title(report: Doc, metric: Doc, variants: Names) -> str:
    return f"{metric['metric']}: lift over {variants[report['control']]}, with {_level(report)} intervals"


def findings(report: Doc) -> list[Doc]:
    """Return all that is wrong with the data, each sentence once."""
    everywhere = [*report["findings"], *report["overall"]["findings"]]
    for scope in report["segments"]:
        everywhere.extend(scope["findings"])
    told = [finding for finding in everywhere if finding["severity"] != "info"]
    return list({finding["message"]: finding for finding in told}.values())


def primary(scope: Doc) -> Doc:
    """Return the scope's report on the primary metric."""
    found: Doc = next(metric for metric in scope["metrics"] if metric["role"] == "primary")
    return found


def metric_of(scope: Doc, key: str) -> Doc:
    """Return the scope's report on a metric. Raises StopIteration where it has none."""
    found: Doc = next(metric for metric in scope["metrics"] if metric["metric"] == key)
    return found


def comparison(metric: Doc, treatment: str, baseline: str) -> Doc | None:
    """Return the comparison of two variants, or None where it is not made."""
    found: Doc | None = next(
        (c for c in metric["comparisons"] if (c["treatment"], c["baseline"]) == (treatment, baseline)), None
    )
    return found


def percent(value: object, *, sign: bool = False) -> str:
    """Write a fraction as people read it; what is not defined is a dash."""
    return wording.percent(value, 2, sign=sign) if isinstance(value, int | float) else NONE


def decimal(value: object) -> str:
    """Write a mean; what is not defined is a dash."""
    return f"{value:,.4f}" if isinstance(value, int | float) else NONE


def interval_title(report: Doc) -> str:
    """Say which looks the intervals of the family are for."""
    titles = {"always_valid": "always valid", "group_sequential": "at this look"}
    return titles.get(report["stopping_rule"], "at one look")


def interval_of(interval: Doc) -> str:
    """Write both ends of a lift's interval; what is not defined is a dash."""
    low, high = interval.get("low"), interval.get("high")
    if not isinstance(low, int | float) and not isinstance(high, int | float):
        return NONE
    return f"{_end(low)} … {_end(high)}"


def _end(end: object) -> str:
    return wording.percent(end, 1, sign=True) if isinstance(end, int | float) else NONE
