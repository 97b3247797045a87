"""What a results file of an experiment that ran elsewhere means: a plan document -> checked values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiments.domain.covariate import Covariate
from experiments.domain.definition import ExposurePolicy, Randomisation, Variant
from experiments.domain.errors import InvalidInput
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole
from experiments.domain.policy import (
    AnalysisPlan,
    Family,
    LiftPrior,
    Spending,
    StoppingRule,
)
from experiments.domain.promotion_policy import GuardrailRule, PromotionPolicy, PromotionScope, QuietHours, WinnerRule
from experiments.domain.segment import EVERYONE, Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.replaying.plan_document import Doc, one_of, only, table_of, tables_of, text_of, under

AttributeKind = Literal["integer", "number", "text", "boolean"]
ATTRIBUTE_KINDS: tuple[AttributeKind, ...] = ("integer", "number", "text", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeColumn:
    """A column whose numbers other than 0 become events of its name; `is_flag`: only 0 and 1 make sense in it.

    `is_before`: its events are from before the exposure, since a metric has the column for a covariate.
    """

    column: str
    is_flag: bool
    is_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """`unit_column` None: the row's number is the unit. `variants_by_value`: what the file calls each variant."""

    wish: ExperimentWish
    segments: tuple[Segment, ...]
    metrics: tuple[Metric, ...]
    unit_column: str | None
    variant_column: str
    variants_by_value: Mapping[str, str]
    attributes: Mapping[str, AttributeKind]
    outcomes: tuple[OutcomeColumn, ...]
    sha256: str

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns the file must have."""
        units = (self.unit_column,) if self.unit_column else ()
        outcomes = (outcome.column for outcome in self.outcomes)
        return tuple(dict.fromkeys((*units, self.variant_column, *self.attributes, *outcomes)))


def read_plan(document: Doc, *, key: str | None = None) -> ReplayPlan:
    """Return the plan that a document describes; `key` takes the place of its experiment's key.

    Raises InvalidInput with the path of the first thing that is missing, unknown or wrong.
    """
    only(document, "", "experiment", "file", "attributes", "variants", "segments", "metrics", "analysis", "promotion")
    file = table_of(document, "file")
    only(file, "/file", "unit", "variant")
    variant_tables, metric_tables = tables_of(document, "variants"), tables_of(document, "metrics")
    segment_tables = tables_of(document, "segments", default=())
    metrics = tuple(_metric(table, f"/metrics/{position}") for position, table in enumerate(metric_tables))
    return ReplayPlan(
        wish=_wish(document, key, variant_tables, segment_tables, metric_tables),
        segments=tuple(_segment(table, f"/segments/{position}") for position, table in enumerate(segment_tables)),
        metrics=metrics,
        unit_column=file.get("unit") or None,
        variant_column=text_of(file, "variant", "/file"),
        variants_by_value=_values(variant_tables),
        attributes=_attributes(table_of(document, "attributes", default={})),
        outcomes=_outcomes(metrics),
        sha256=hashlib.sha256(json.dumps([document, key], sort_keys=True, default=str).encode()).hexdigest(),
    )


def _wish(
    document: Doc, key: str | None, variants: Sequence[Doc], segments: Sequence[Doc], metrics: Sequence[Doc]
) -> ExperimentWish:
    head = table_of(document, "experiment")
    only(head, "/experiment", "key", "name", "hypothesis", "owner", "tags", "unit_type", "weights")
    arms = tuple(_variant(table, f"/variants/{position}") for position, table in enumerate(variants))
    keys = [arm.key for arm in arms]
    common = _weights(head, keys, "/experiment", None)
    wishes = [
        SegmentWish(segment=text_of(table, "key"), weights=_weights(table, keys, f"/segments/{position}", common))
        for position, table in enumerate(segments)
    ]
    return ExperimentWish(
        key=key or text_of(head, "key", "/experiment"),
        name=text_of(head, "name", "/experiment"),
        hypothesis=head.get("hypothesis", ""),
        owner=head.get("owner", ""),
        tags=tuple(head.get("tags", ())),
        unit_type=head.get("unit_type", "customer"),
        variants=arms,
        segments=(*wishes, SegmentWish(segment=EVERYONE, weights=common)),
        metrics=tuple(_use(table, f"/metrics/{position}") for position, table in enumerate(metrics)),
        analysis=_analysis(table_of(document, "analysis", default={})),
        promotion=_promotion(table_of(document, "promotion", default={})),
        exposure_policy=ExposurePolicy.ON_EVENT,
        randomisation=Randomisation.EXTERNAL,
    )


def _variant(table: Doc, path: str) -> Variant:
    only(table, path, "key", "name", "content", "control", "value")
    key = text_of(table, "key", path)
    with under(path):
        return Variant(
            key=key, name=table.get("name", key), content=table.get("content"), is_control=table.get("control", False)
        )


def _values(tables: Sequence[Doc]) -> dict[str, str]:
    values: dict[str, str] = {}
    for position, table in enumerate(tables):
        value = str(table.get("value", table["key"]))
        if value in values:
            path = f"/variants/{position}/value"
            raise InvalidInput("value_repeated", f"Two variants are {value!r} in the file.", path=path)
        values[value] = table["key"]
    return values


def _segment(table: Doc, path: str) -> Segment:
    only(table, path, "key", "name", "condition", "description", "weights")
    with under(path):
        key = text_of(table, "key")
        if key == EVERYONE:
            raise InvalidInput("key_reserved", f"{EVERYONE!r} is taken by Winnow itself.", path="/key")
        return Segment(
            key=key,
            name=table.get("name", key),
            condition=table.get("condition", {}),
            description=table.get("description", ""),
        )


def _weights(table: Doc, variants: Sequence[str], path: str, default: dict[str, int] | None) -> dict[str, int] | None:
    weights = table.get("weights")
    if weights is None:
        return default
    if not isinstance(weights, list) or len(weights) != len(variants):
        message = f"Wanted are {len(variants)} weights, in order of variants."
        raise InvalidInput("weights_count", message, path=f"{path}/weights")
    return dict(zip(variants, weights, strict=True))


BEFORE_SECONDS = 1
"""A file does not say when covariates were measured, only that it was before the exposure."""

_METRIC_FIELDS = (
    "key", "name", "kind", "column", "denominator_column", "direction", "cap", "description",
    "quantile", "winsor_quantile", "covariates",
)  # fmt: skip


def _metric(table: Doc, path: str) -> Metric:
    only(table, path, *_METRIC_FIELDS, "role", "margin_lift")
    with under(path):
        key, kind = text_of(table, "key"), one_of(MetricKind, table, "kind", MetricKind.CONVERSION)
        if kind is MetricKind.COUNT:
            raise InvalidInput("kind_unfit", "A column of counts makes a metric of kind `mean`.", path="/kind")
        return Metric(
            key=key,
            name=table.get("name", key),
            kind=kind,
            event_name=table.get("column", key),
            denominator_event_name=table.get("denominator_column"),
            direction=one_of(Direction, table, "direction", Direction.INCREASE),
            cap=table.get("cap"),
            description=table.get("description", ""),
            quantile=table.get("quantile"),
            winsor_quantile=table.get("winsor_quantile"),
            covariates=tuple(_covariates(table.get("covariates", ()))),
        )


def _covariates(columns: Sequence[str]) -> Iterator[Covariate]:
    for position, column in enumerate(columns):
        with under(f"/covariates/{position}"):
            yield Covariate(key=column, event_name=column, lookback_seconds=BEFORE_SECONDS)


def _use(table: Doc, path: str) -> MetricWish:
    with under(path):
        return MetricWish(
            metric=text_of(table, "key"),
            role=one_of(MetricRole, table, "role", MetricRole.SECONDARY),
            margin_lift=table.get("margin_lift"),
        )


def _outcomes(metrics: Sequence[Metric]) -> tuple[OutcomeColumn, ...]:
    """A column is one of flags as long as no metric adds its numbers up; it is an outcome or a covariate, not both."""
    columns = dict.fromkeys(name for metric in metrics for name in sorted(metric.event_names))
    before = {covariate.event_name for metric in metrics for covariate in metric.covariates}
    for position, metric in enumerate(metrics):
        if both := before & {metric.event_name, metric.denominator_event_name}:
            message = (
                f"Column {min(map(str, both))!r} is an outcome here, and a covariate elsewhere: it cannot be both."
            )
            raise InvalidInput("covariate_unfit", message, path=f"/metrics/{position}/column")
    added_up = {name for metric in metrics if metric.kind is not MetricKind.CONVERSION for name in metric.event_names}
    return tuple(
        OutcomeColumn(column=name, is_flag=name not in added_up | before, is_before=name in before) for name in columns
    )


def _attributes(table: Doc) -> dict[str, AttributeKind]:
    for name, kind in table.items():
        if kind not in ATTRIBUTE_KINDS:
            message = f"A kind is one of {', '.join(ATTRIBUTE_KINDS)}."
            raise InvalidInput("attribute_kind", message, path=f"/attributes/{name}")
    return dict(table)


def _analysis(table: Doc) -> AnalysisPlan:
    with under("/analysis"):
        words: dict[str, Any] = {
            "stopping_rule": one_of(StoppingRule, table, "stopping_rule", StoppingRule.ALWAYS_VALID),
            "family": one_of(Family, table, "family", Family.HOLM),
            "spending": one_of(Spending, table, "spending", Spending.OBRIEN_FLEMING),
        }
        prior = table.get("lift_prior")
        with under("/lift_prior"):
            words["lift_prior"] = None if prior is None else LiftPrior(**prior)
        return AnalysisPlan(**{**table, **words})


def _promotion(table: Doc) -> PromotionPolicy:
    with under("/promotion"):
        words: dict[str, Any] = {
            "guardrails": one_of(GuardrailRule, table, "guardrails", GuardrailRule.PROVEN_SAFE),
            "winner": one_of(WinnerRule, table, "winner", WinnerRule.LOWER_BOUND),
            "scope": one_of(PromotionScope, table, "scope", PromotionScope.PER_SEGMENT),
            "ramp_bp": tuple(table.get("ramp_bp", ())),
        }
        hours = table.get("quiet_hours")
        with under("/quiet_hours"):
            words["quiet_hours"] = None if hours is None else QuietHours(**hours)
        return PromotionPolicy(**{**table, **words})
