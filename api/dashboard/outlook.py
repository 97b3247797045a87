"""When can more be said? What the comparisons that are still open may come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored import Comparison, Number, Outlook, Scope, StoredReport
from experiments.domain.wording import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A figure, or why there is none, which may be so for `span` columns; `label` is the title of the first."""

    label: str
    text: str
    is_reason: bool
    span: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLine:
    """One open comparison: with the control where `variant` is one name, else of two leaders."""

    variant: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGroup:
    segment: str
    lines: tuple[OpenLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """`titles` of the columns; the last names the lift that is worth acting on, where the plan says one.

    `has_ties`: leaders are compared with each other, too.
    """

    control: str
    has_ties: bool
    groups: tuple[OpenGroup, ...]
    titles: tuple[str, ...]


def outlooks_of(report: StoredReport, names: Names, minimum_lift: float | None) -> Outlooks | None:
    """Return all comparisons that have an outlook, or None where none has one."""
    units = plural(names.unit)
    titles = [f"More {units}", "More days", "Smallest lift it finds"]
    if minimum_lift is not None:
        titles.append(f"Chance left to find {100 * minimum_lift:g}%")
    groups = tuple(
        OpenGroup(segment=names.segment(scope.segment), lines=lines)
        for scope in report.scopes
        if scope.units
        if (
            lines := tuple(
                _line(one, outlook, names, titles, control=report.control)
                for one, outlook in (*_between_leaders(report, scope), *_open(report, scope))
            )
        )
    )
    if not groups:
        return None
    has_ties = any(True for scope in report.scopes if scope.units for _ in _between_leaders(report, scope))
    return Outlooks(control=names.variant(report.control), has_ties=has_ties, groups=groups, titles=tuple(titles))


def sooner(report: StoredReport, scope: Scope, names: Names) -> str:
    """Say in one sentence when a verdict on the scope may be expected, or why not; empty where nothing is open."""
    ahead = list(_between_leaders(report, scope) if scope.leaders else _open(report, scope))
    if not ahead or scope.outcome not in ("undecided", "too_early", "tied"):
        return ""
    found = [(one, outlook) for one, outlook in ahead if outlook.units_left.value is not None]
    if not found:
        one, outlook = ahead[0]
        reason = outlook.units_left.missing
        what = f"{names.variant(one.treatment)} can be told from {names.variant(one.baseline)}"
        what = what if scope.leaders else "more can be said"
        return f"When {what} is not known: {reason[:1].lower()}{reason[1:]}" if reason else ""
    one, outlook = min(found, key=lambda pair: pair[1].units_left.value or 0.0)
    units = f"{say.rounded_up(outlook.units_left.value or 0.0)} more {plural(names.unit)}"
    days = "" if outlook.days_left.value is None else f", {say.days(outlook.days_left.value)}"
    treatment, baseline = names.variant(one.treatment), names.variant(one.baseline)
    if one.baseline != report.control:
        return f"If they stay as they are, it takes about {units}{days}, to tell {treatment} from {baseline}."
    return f"If the lift of {treatment} stays as it is, it takes about {units}{days}, to tell it from {baseline}."


def _open(report: StoredReport, scope: Scope) -> Iterator[tuple[Comparison, Outlook]]:
    for one in scope.primary.comparisons if scope.primary else ():
        if one.outlook is not None and one.baseline == report.control:
            yield one, one.outlook


def _between_leaders(report: StoredReport, scope: Scope) -> Iterator[tuple[Comparison, Outlook]]:
    """Between those that beat the control; a single one that has not won yet is compared with its rivals."""
    leaders = scope.leaders
    if not leaders or scope.outcome not in ("tied", "undecided"):
        return
    for one in scope.primary.comparisons if scope.primary else ():
        pair = {one.treatment, one.baseline}
        asked = pair <= {*leaders} if len(leaders) > 1 else leaders[0] in pair
        if asked and one.outlook is not None and one.baseline != report.control:
            yield one, one.outlook


def _line(one: Comparison, outlook: Outlook, names: Names, titles: Sequence[str], *, control: str) -> OpenLine:
    days = outlook.days_left
    if days.value is None and outlook.units_left.value is not None:
        # The engine does not know what units are called.
        days = Number(value=None, missing=days.missing.replace("units", plural(names.unit)))
    numbers: tuple[tuple[Number, say.Words], ...] = (
        (outlook.units_left, say.rounded_up),
        (days, lambda value: say.rounded_up(max(value, 1.0))),
        (outlook.detectable_lift, lambda value: say.lift(value).removeprefix("+")),
        (outlook.power_left, say.chance),
    )
    cells = (_cell(label, number, words) for label, (number, words) in zip(titles, numbers, strict=False))
    against = "" if one.baseline == control else f" against {names.variant(one.baseline)}"
    return OpenLine(variant=f"{names.variant(one.treatment)}{against}", cells=tuple(_joined(cells)))


def _cell(label: str, number: Number, words: say.Words) -> Cell:
    if number.value is None:
        return Cell(label=label, text=number.missing or "Not known.", is_reason=True, span=1)
    return Cell(label=label, text=words(number.value), is_reason=False, span=1)


def _joined(cells: Iterable[Cell]) -> Iterator[Cell]:
    """Say a reason once for all columns beside each other that have it."""
    for (is_reason, _), alike in groupby(cells, key=lambda cell: (cell.is_reason, cell.is_reason and cell.text)):
        found = tuple(alike)
        yield from (replace(found[0], span=len(found)),) if is_reason else found
