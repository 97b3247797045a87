"""The numbers of one metric: the same rows for the plot, the table behind it, and the comparison among treatments."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.forest import NARROW, WIDE, Forest, Group, Mark, forest
from api.dashboard.judgement import judgement, legend, tone_of
from api.dashboard.names import Names
from api.dashboard.stored import Arm, Bounds, Comparison, MetricReport, Number, Scope, StoredReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One arm in one segment. `lift` and what follows are empty for the baseline itself, but not what is believed.

    `missing` says why there is no value, `unlikely` why no `chance` is told.
    """

    variant: str
    is_baseline: bool
    units: str
    value: str
    lift: str
    interval: str
    judgement: str
    tone: str
    missing: str = ""
    noise: str = ""
    chance: str = ""
    loss: str = ""
    unlikely: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    segment: str
    note: str
    caution: str
    lines: tuple[Line, ...]
    pairs: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One metric in all segments."""

    metric: str
    name: str
    role: str
    value_title: str
    control: str
    blocks: tuple[Block, ...]
    wide: Forest
    narrow: Forest
    left_side: str
    right_side: str
    legend: tuple[tuple[str, str], ...]
    lines: str
    description: str
    has_beliefs: bool

    @property
    def has_pairs(self) -> bool:
        return any(block.pairs for block in self.blocks)


def figures_of(report: StoredReport, metric: str, names: Names, *, margin_lift: float | None = None) -> Figures | None:
    """Return the figures of one metric, or None where the report does not hold it."""
    scopes = [scope for scope in report.scopes if scope.units] or report.scopes
    found = [(scope, block) for scope in scopes if (block := scope.metric(metric)) is not None]
    if not found:
        return None
    first = found[0][1]
    groups = tuple(_group(report, scope, block, names) for scope, block in found)
    rising = first.direction == "increase"
    return Figures(
        metric=metric,
        name=names.metric(metric),
        role=first.role,
        value_title=_VALUE_TITLES.get(first.kind, "Average"),
        control=names.variant(report.control),
        blocks=tuple(_block(report, scope, block, names) for scope, block in found),
        wide=forest(groups, WIDE),
        narrow=forest(groups, NARROW),
        left_side="worse" if rising else "better",
        right_side="better" if rising else "worse",
        legend=legend(first.role),
        lines=_lines(report, first),
        description=_described(first, names, margin_lift),
        has_beliefs=any(block.has_beliefs for _, block in found),
    )


def _described(metric: MetricReport, names: Names, margin_lift: float | None) -> str:
    wish = "up" if metric.direction == "increase" else "down"
    if metric.role == "primary":
        return f"The metric that decides. It should go {wish}."
    if metric.role == "guardrail":
        margin = "" if margin_lift is None else f" by more than {100 * margin_lift:g}%"
        turn = "fall" if metric.direction == "increase" else "rise"
        return f"A guardrail: whoever wins, it must not {turn}{margin}."
    return f"For orientation: it should go {wish}, but it never decides about a winner."


def _group(report: StoredReport, scope: Scope, metric: MetricReport, names: Names) -> Group:
    against = [one for one in metric.comparisons if one.baseline == report.control]
    return Group(
        title=names.segment(scope.segment),
        note=say.amount(scope.units, names.unit),
        marks=tuple(_mark(report, scope, metric, comparison, names) for comparison in against),
    )


def _mark(report: StoredReport, scope: Scope, metric: MetricReport, comparison: Comparison, names: Names) -> Mark:
    shown = report.shown(metric, comparison)
    interval, value = shown.interval, comparison.lift.value.value
    drawn = value is not None and interval is not None
    return Mark(
        label=names.variant(comparison.treatment),
        text=say.lift(value) if drawn and value is not None else "no interval yet",
        detail=f"{say.lift(interval.low)} to {say.lift(interval.high)}"
        if drawn and interval
        else comparison.lift.value.missing or shown.missing,
        tone=tone_of(report, scope, metric, comparison),
        value=value if drawn else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _block(report: StoredReport, scope: Scope, metric: MetricReport, names: Names) -> Block:
    against = {one.treatment: one for one in metric.comparisons if one.baseline == report.control}
    lines = [
        Line(
            variant=names.variant(arm.variant),
            is_baseline=arm.variant == report.control,
            units=say.count(arm.units),
            value=_value(arm.value, metric.kind),
            missing=arm.value.missing if arm.value.value is None else "",
            **_compared(report, scope, metric, against.get(arm.variant)),
            **_believed(scope, arm, metric),
        )
        for arm in metric.arms
    ]
    pairs = [
        Line(
            variant=f"{names.variant(one.treatment)} against {names.variant(one.baseline)}",
            is_baseline=False,
            units="",
            value="",
            **_compared(report, scope, metric, one),
        )
        for one in metric.comparisons
        if one.baseline != report.control
    ]
    return Block(
        segment=names.segment(scope.segment),
        note=say.amount(scope.units, names.unit),
        caution=_caution(scope),
        lines=tuple(lines),
        pairs=tuple(pairs),
    )


def _caution(scope: Scope) -> str:
    """What to know before one compares the rates in the table: the lift is not what follows from them."""
    return next((say.sentence(one.message) for one in scope.findings if one.code == "pooled_over_epochs"), "")


def _compared(
    report: StoredReport, scope: Scope, metric: MetricReport, comparison: Comparison | None
) -> dict[str, str]:
    if comparison is None:
        return {"lift": "", "interval": "", "judgement": "", "tone": ""}
    lift = comparison.lift
    return {
        "lift": "not known" if lift.value.value is None else say.lift(lift.value.value),
        "interval": _interval(report.shown(metric, comparison)),
        "judgement": judgement(report, scope, metric, comparison),
        "tone": tone_of(report, scope, metric, comparison),
        "noise": _noise(comparison.variance_kept),
    }


def _believed(scope: Scope, arm: Arm, metric: MetricReport) -> dict[str, str]:
    """What is likely, beside what is shown; a reason instead where the data cannot be trusted, or nothing is known."""
    chance, loss = arm.chance_to_be_best.value, arm.expected_loss.value
    if scope.outcome == "untrustworthy":
        return {"unlikely": "not told: do not trust"}
    if chance is None:
        return {"unlikely": "not on offer" if metric.has_beliefs else "not known yet"}
    return {"chance": say.chance(chance), "loss": say.cost(loss, metric.kind) if loss else ""}


def _noise(kept: Number) -> str:
    removed = 0.0 if kept.value is None else 1 - kept.value
    return f"{100 * removed:.0f}%" if removed >= 0.005 else ""


def _interval(bounds: Bounds) -> str:
    interval = bounds.interval
    return say.between(interval.low, interval.high) if interval else bounds.missing


_VALUE_TITLES = {"conversion": "Rate", "quantile": "Quantile"}

_LOOKS = {
    "always_valid": "at every look",
    "fixed_horizon": "at the one look that was planned",
    "group_sequential": "at every look that was counted",
}


def _lines(report: StoredReport, metric: MetricReport) -> str:
    """What the intervals promise: on the metric that decides, for all comparisons together."""
    level = f"{100 * (1 - report.alpha):g}%"
    if metric.role != "primary":
        return (
            f"Lines are {level} intervals for the one look that was planned."
            if report.one_look
            else f"Lines are {level} intervals, valid at every look."
        )
    look = _LOOKS[report.stopping_rule]
    if report.holds_together:
        return f"Lines are {level} intervals that hold for all comparisons together, {look}."
    return f"Lines are intervals for as many comparisons as are made: of those with a conclusion, {level} hold, {look}."


def _value(value: Number, kind: str) -> str:
    if value.value is None:
        return "–" if value.missing else "not known"
    return say.share(value.value) if kind == "conversion" else say.plain_number(value.value)
