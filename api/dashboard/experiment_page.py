"""Everything on the page of one experiment, put together from what the worker stored and what the policy says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import format as say
from api.dashboard.adaptive import AdaptiveSplit, adaptive_split
from api.dashboard.channels import Channels, channels_of, identities_of
from api.dashboard.drift import DriftView, drift_view
from api.dashboard.figures import Figures, figures_of
from api.dashboard.heading import Freshness, State, freshness_of, state_of
from api.dashboard.history import Entry, history_of
from api.dashboard.names import Names, names_of
from api.dashboard.notices import Notice, circumstances, notices_of
from api.dashboard.novelty import ByDay, by_day
from api.dashboard.outlook import Outlooks, outlooks_of
from api.dashboard.policy_words import Rules, rules_of
from api.dashboard.quality import Quality, quality_of
from api.dashboard.recommendation import Advice, advice_of
from api.dashboard.side_by_side import SideBySide, side_by_side
from api.dashboard.standing import watched_since
from api.dashboard.stored import StoredReport, read_report
from api.dashboard.verdicts import Verdict, overall_verdict, verdicts_of
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer
from experiments.domain.metric import MetricRole
from experiments.domain.wording import plural
from experiments.services.analysing.ports import Snapshot
from experiments.services.analysing.results import Overview
from experiments.services.drift.ports import Drift
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTab:
    key: str
    name: str
    role: str
    selected: bool
    harmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPage:
    """`snapshot_id` is set while an earlier snapshot is shown, `None` for the latest."""

    key: str
    name: str
    hypothesis: str
    owner: str
    state: State
    freshness: Freshness | None
    units: str
    unit: str
    control: str
    snapshot_id: int | None
    warnings: tuple[Notice, ...]
    notes: tuple[Notice, ...]
    verdicts: tuple[Verdict, ...]
    overall: Verdict | None
    tabs: tuple[MetricTab, ...]
    figures: Figures | None
    history: tuple[Entry, ...]
    holdback: str
    exploration: str
    rules: Rules
    looking: str
    advice: Advice | None
    outlooks: Outlooks | None
    side_by_side: tuple[SideBySide, ...]
    by_day: tuple[ByDay, ...]
    adaptive: AdaptiveSplit | None
    quality: Quality | None
    channels: Channels | None
    identities: str
    drift: DriftView | None

    @property
    def untrustworthy(self) -> bool:
        return any(notice.severity == "critical" for notice in self.warnings)


def experiment_page(
    overview: Overview,
    snapshot: Snapshot | None,
    *,
    metric: str | None,
    proposals: Mapping[str, Proposal],
    now: datetime,
    drift: Drift | None,
    layer: Layer | None,
) -> ExperimentPage:
    """Build the page on one snapshot, which may be an earlier one than `overview.snapshot`."""
    experiment = overview.experiment
    definition, names = experiment.definition, names_of(experiment)
    report = read_report(snapshot.report) if snapshot else None
    is_latest = snapshot is None or (overview.snapshot is not None and snapshot.id == overview.snapshot.id)
    since = watched_since(proposals.values())
    notices = _notices(experiment, snapshot, report, names, now, is_latest=is_latest)
    return ExperimentPage(
        key=experiment.key,
        name=definition.name,
        hypothesis=definition.hypothesis,
        owner=definition.owner,
        state=state_of(experiment),
        freshness=freshness_of(experiment, snapshot, now) if snapshot else None,
        units=say.amount(report.units, names.unit) if report else "",
        unit=plural(names.unit),
        control=names.variant(definition.control.key),
        snapshot_id=None if is_latest or snapshot is None else snapshot.id,
        warnings=tuple(notice for notice in notices if notice.severity != "info"),
        notes=tuple(notice for notice in notices if notice.severity == "info"),
        verdicts=verdicts_of(
            experiment, report, names, proposals if is_latest else {}, overview.promotions, since=since, layer=layer
        ),
        overall=overall_verdict(report, names) if report else None,
        tabs=_tabs(report, metric, names) if report else (),
        figures=_figures(experiment, report, metric, names) if report else None,
        history=history_of(experiment, overview.promotions, names, since, layer=layer),
        holdback=say.basis_points(definition.promotion.holdback_bp),
        exploration=say.basis_points(definition.promotion.exploration_bp)
        if definition.promotion.exploration_bp
        else "",
        rules=rules_of(definition, names),
        looking=report.stopping_rule if report else definition.analysis.stopping_rule,
        advice=advice_of(experiment, report, names, proposals if is_latest else {}) if report else None,
        outlooks=outlooks_of(report, names, definition.analysis.minimum_lift) if report else None,
        side_by_side=side_by_side(report, names) if report else (),
        by_day=by_day(report, names) if report else (),
        adaptive=adaptive_split(report, definition, names) if report else None,
        quality=quality_of(report, names) if report else None,
        channels=channels_of(snapshot.supplement, definition.control.key, names) if snapshot else None,
        identities=identities_of(snapshot.supplement, names) if snapshot else "",
        drift=drift_view(drift, names, counted=report.units if report else 0) if is_latest else None,
    )


def _notices(
    experiment: Experiment,
    snapshot: Snapshot | None,
    report: StoredReport | None,
    names: Names,
    now: datetime,
    *,
    is_latest: bool,
) -> tuple[Notice, ...]:
    if report is None or snapshot is None:
        return ()
    around = circumstances(experiment, snapshot, report, now) if is_latest else ()
    return (*notices_of(report, names), *around)


def _tabs(report: StoredReport, selected: str | None, names: Names) -> tuple[MetricTab, ...]:
    chosen = _chosen(report, selected)
    return tuple(
        MetricTab(
            key=metric.metric,
            name=names.metric(metric.metric),
            role=metric.role,
            selected=metric.metric == chosen,
            harmed=any(
                one.guardrail == "harmed"
                for scope in report.scopes
                if (there := scope.metric(metric.metric)) is not None
                for one in there.comparisons
            ),
        )
        for metric in report.overall.metrics
    )


def _chosen(report: StoredReport, selected: str | None) -> str:
    keys = {metric.metric for metric in report.overall.metrics}
    if selected is not None and selected in keys:
        return selected
    return next(metric.metric for metric in report.overall.metrics if metric.role == MetricRole.PRIMARY)


def _figures(experiment: Experiment, report: StoredReport, selected: str | None, names: Names) -> Figures | None:
    key = _chosen(report, selected)
    uses = {use.metric.key: use for use in experiment.definition.metrics}
    return figures_of(report, key, names, margin_lift=uses[key].margin_lift if key in uses else None)
