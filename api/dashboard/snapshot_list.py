"""Earlier snapshots: when they were taken and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import names_of
from api.dashboard.stored import read_report
from experiments.domain.experiment import Experiment
from experiments.services.analysing.ports import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    id: int
    data_until: str
    units: str
    winners: tuple[str, ...]
    version: int
    engine_version: str
    input_short: str


def snapshot_rows(experiment: Experiment, snapshots: Iterable[Snapshot]) -> tuple[SnapshotRow, ...]:
    """Return one row per snapshot, in the order given."""
    names = names_of(experiment)
    rows = []
    for snapshot in snapshots:
        report = read_report(snapshot.report)
        rows.append(
            SnapshotRow(
                id=snapshot.id,
                data_until=say.instant(snapshot.watermark.at),
                units=say.amount(report.units, names.unit),
                winners=tuple(
                    f"{names.segment(scope.segment)}: {names.variant(scope.variant)}"
                    for scope in report.segments
                    if scope.outcome == "winner" and scope.variant is not None and not report.is_early
                ),
                version=snapshot.version,
                engine_version=snapshot.engine_version,
                input_short=snapshot.input_sha256[:12],
            )
        )
    return tuple(rows)
