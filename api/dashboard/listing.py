"""The list of experiments: one row each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.dashboard import format as say
from api.dashboard.heading import Freshness, State, freshness_of, state_of
from api.dashboard.names import Names, names_of
from api.dashboard.notices import Notice, circumstances, notices_of
from api.dashboard.stored import StoredReport, read_report
from api.dashboard.verdicts import outcome_of
from experiments.domain.experiment import Status
from experiments.services.analysing.results import Overview


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`winners` counts segments with a winner, of those with anybody in them; `worst` is the worst warning, no note."""

    key: str
    name: str
    state: State
    units: str
    winners: str
    has_winner: bool
    freshness: Freshness | None
    worst: Notice | None
    more_warnings: int


def row_of(overview: Overview, now: datetime) -> Row:
    """Return the row of one experiment."""
    experiment, snapshot = overview.experiment, overview.snapshot
    report = read_report(snapshot.report) if snapshot else None
    names, state = names_of(experiment), state_of(experiment)
    notices = (
        (*notices_of(report, names), *circumstances(experiment, snapshot, report, now)) if report and snapshot else ()
    )
    grave = [notice for severity in ("critical", "warning") for notice in notices if notice.severity == severity]
    return Row(
        key=experiment.key,
        name=experiment.definition.name,
        state=state,
        units=say.amount(report.units, names.unit) if report else "",
        winners=_winners(report, names, state),
        has_winner=report is not None
        and not report.is_early
        and any(one.outcome == "winner" for one in report.segments),
        freshness=freshness_of(experiment, snapshot, now) if snapshot else None,
        worst=grave[0] if grave else None,
        more_warnings=max(0, len(grave) - 1),
    )


def _winners(report: StoredReport | None, names: Names, state: State) -> str:
    if report is None:
        return "No results yet"
    if report.is_early:
        return "Not before its end"
    seen = [scope for scope in report.segments if scope.units] or report.segments
    if len(seen) == 1:
        return outcome_of(seen[0], report, names).word
    won = sum(scope.outcome == "winner" for scope in seen)
    if won:
        return f"{'Winners' if won > 1 else 'Winner'} in {won} of {len(seen)} segments"
    kept = sum(scope.outcome == "control_wins" for scope in seen)
    if kept:
        return f"{names.variant(report.control)} stays best in {kept} of {len(seen)} segments"
    return "No winner" if state.code in (Status.STOPPED, Status.ARCHIVED) else "No winner yet"
