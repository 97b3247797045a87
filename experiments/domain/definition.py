"""What an author decides: variants, segments with their splits, metrics, and the rules of judging."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.allocation import Allocation, to_basis_points
from experiments.domain.bucketing import BUCKETS, check_bucketing
from experiments.domain.errors import InvalidInput
from experiments.domain.layer import LayerClaim
from experiments.domain.metric import MetricKind, MetricRole, MetricUse
from experiments.domain.names import check_id, check_key, check_text, pointer
from experiments.domain.nearest import did_you_mean
from experiments.domain.policy import AnalysisPlan, Family, StoppingRule
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.segment import Segment, everyone

MAX_VARIANTS = 20
MAX_SEGMENTS = 100
MAX_FORCED = 1_000
MAX_METRICS = 100
MAX_TAGS = 50
MAX_CONTENT_CHARACTERS = 65_536


class ExposurePolicy(StrEnum):
    ON_ASSIGNMENT = "on_assignment"
    ON_EVENT = "on_event"


class Randomisation(StrEnum):
    """`external`: somebody else split the units, so exposures are taken as reported."""

    WINNOW = "winnow"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An arm with its content, any JSON value."""

    key: str
    name: str
    content: Any = None
    is_control: bool = False

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        if len(json.dumps(self.content)) > MAX_CONTENT_CHARACTERS:
            raise InvalidInput(
                "content_too_large",
                f"Content is at most {MAX_CONTENT_CHARACTERS} characters of JSON: put large things where it can link.",
                path="/content",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPlan:
    """One segment inside one experiment: a frozen copy of the segment, its split and its traffic share.

    `weights` are the relative weights as declared, `allocation` the buckets that follow from them and from history
    (in an adaptive experiment: from the outcomes too, while `weights` stay what was declared).
    `since_epoch` is the first epoch with exactly this plan. `promoted` is the variant that won here and was put live,
    by the act `promotion`; `declined` is one that a person took back, which only a person may put live again.
    """

    segment: Segment
    weights: Mapping[str, int]
    allocation: Allocation
    traffic_bp: int = BUCKETS
    since_epoch: int = 1
    promoted: str | None = None
    promotion: str | None = None
    declined: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.traffic_bp <= BUCKETS:
            raise InvalidInput(
                "traffic_invalid", f"A traffic share is 0 to {BUCKETS} basis points.", path="/traffic_bp"
            )

    @property
    def is_promoted(self) -> bool:
        """Whether a promotion decides the split: then no adaptive policy does."""
        return self.promoted is not None or self.promotion is not None

    def same_split(self, other: SegmentPlan) -> bool:
        """Say whether both would send every unit to the same place."""
        mine = (self.segment.condition, self.allocation, self.traffic_bp)
        return mine == (other.segment.condition, other.allocation, other.traffic_bp)

    def may_have_moved(self, later: SegmentPlan) -> bool:
        """Say whether a unit counted under this plan may see something else under the later one."""
        return (
            self.segment.condition != later.segment.condition
            or self.allocation != later.allocation
            or later.traffic_bp < self.traffic_bp
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """All that an author decides; immutable, and stored whole with every version.

    `bucketing` is the version of the hash (`domain/bucketing.py`).
    """

    key: str
    name: str
    salt: str
    variants: tuple[Variant, ...]
    segments: tuple[SegmentPlan, ...]
    metrics: tuple[MetricUse, ...]
    hypothesis: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    unit_type: str = "customer"
    layer: LayerClaim | None = None
    analysis: AnalysisPlan = field(default_factory=AnalysisPlan)
    promotion: PromotionPolicy = field(default_factory=PromotionPolicy)
    exposure_policy: ExposurePolicy = ExposurePolicy.ON_EVENT
    randomisation: Randomisation = Randomisation.WINNOW
    forced: Mapping[str, str] = field(default_factory=dict)
    adaptive: AdaptivePolicy | None = None
    bucketing: int = 1

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.salt, "/salt", least=1, most=200)
        check_text(self.hypothesis, "/hypothesis")
        check_text(self.owner, "/owner", most=200)
        check_key(self.unit_type, "/unit_type")
        check_bucketing(self.bucketing)
        if len(self.tags) > MAX_TAGS:
            raise InvalidInput("tags_count", f"An experiment has at most {MAX_TAGS} tags.", path="/tags")
        for position, tag in enumerate(self.tags):
            check_key(tag, f"/tags/{position}")
        self._check_variants()
        self._check_segments()
        self._check_metrics()
        self._check_forced()
        if self.adaptive is not None:
            _check_adaptive(self, self.adaptive)
        if 0 < self.promotion.exploration_bp < len(self.variants):
            raise InvalidInput(
                "exploration_too_small",
                f"Split over {len(self.variants)} variants it leaves each less than a basis point.",
                path="/promotion/exploration_bp",
            )

    def _check_variants(self) -> None:
        if not 2 <= len(self.variants) <= MAX_VARIANTS:
            raise InvalidInput("variants_count", f"An experiment has 2 to {MAX_VARIANTS} variants.", path="/variants")
        _refuse_repeats([variant.key for variant in self.variants], "/variants")
        if sum(variant.is_control for variant in self.variants) != 1:
            raise InvalidInput("control_count", "Exactly one variant is the control.", path="/variants")

    def _check_segments(self) -> None:
        if not 1 <= len(self.segments) <= MAX_SEGMENTS:
            raise InvalidInput("segments_count", f"An experiment has 1 to {MAX_SEGMENTS} segments.", path="/segments")
        _refuse_repeats([plan.segment.key for plan in self.segments], "/segments")
        if self.segments[-1].segment != everyone():
            raise InvalidInput(
                "everyone_last", "The last segment is always `everyone`, unconditional.", path="/segments"
            )
        known = {variant.key for variant in self.variants}
        for position, plan in enumerate(self.segments):
            for variant in {*plan.weights, *plan.allocation.weights_bp}:
                if variant not in known:
                    raise InvalidInput(
                        "variant_unknown",
                        f"There is no variant {variant!r}.{did_you_mean(variant, known)}",
                        path=pointer("segments", position, "weights", variant),
                    )

    def _check_metrics(self) -> None:
        if len(self.metrics) > MAX_METRICS:
            raise InvalidInput("metrics_count", f"An experiment has at most {MAX_METRICS} metrics.", path="/metrics")
        _refuse_repeats([use.metric.key for use in self.metrics], "/metrics")
        if sum(use.role is MetricRole.PRIMARY for use in self.metrics) != 1:
            raise InvalidInput("primary_count", "Exactly one metric is primary.", path="/metrics")

    def _check_forced(self) -> None:
        if len(self.forced) > MAX_FORCED:
            raise InvalidInput("forced_count", f"At most {MAX_FORCED} testers can be forced.", path="/forced")
        known = {variant.key for variant in self.variants}
        for unit_id, variant in self.forced.items():
            check_id(unit_id, pointer("forced", unit_id))
            if variant not in known:
                message = f"There is no variant {variant!r}.{did_you_mean(variant, known)}"
                raise InvalidInput("variant_unknown", message, path=pointer("forced", unit_id))

    @property
    def control(self) -> Variant:
        return next(variant for variant in self.variants if variant.is_control)

    @property
    def is_split_elsewhere(self) -> bool:
        """Whether another system decides who sees what: then our split is what it should do, and not what happens."""
        return self.randomisation is Randomisation.EXTERNAL

    @property
    def primary(self) -> MetricUse:
        return next(use for use in self.metrics if use.role is MetricRole.PRIMARY)

    @property
    def event_names(self) -> frozenset[str]:
        """Names of all events that any metric reads."""
        return frozenset(name for use in self.metrics for name in use.metric.event_names)

    def variant(self, key: str) -> Variant | None:
        return next((variant for variant in self.variants if variant.key == key), None)

    def plan_of(self, segment: str) -> SegmentPlan | None:
        return next((plan for plan in self.segments if plan.segment.key == segment), None)

    def intended_shares(self, plan: SegmentPlan) -> dict[str, int]:
        """Return what a split should give every variant: our buckets, or the weights that somebody else declared."""
        intended = plan.weights if self.randomisation is Randomisation.EXTERNAL else plan.allocation.weights_bp
        return {variant.key: intended.get(variant.key, 0) for variant in self.variants}

    def with_plan(self, changed: SegmentPlan) -> Definition:
        """Return the definition with the plan of that one segment replaced."""
        plans = tuple(changed if plan.segment.key == changed.segment.key else plan for plan in self.segments)
        return replace(self, segments=plans)


def _check_adaptive(definition: Definition, policy: AdaptivePolicy) -> None:
    """Refuse what would not stay valid, or could never be known, while the split follows the outcomes."""
    rules = definition.analysis
    for refused, code, message, path in (
        (
            definition.randomisation is Randomisation.EXTERNAL,
            "adaptive_external",
            "Somebody else splits the units: the split cannot be adapted here.",
            "/randomisation",
        ),
        (
            rules.stopping_rule is StoppingRule.GROUP_SEQUENTIAL,
            "adaptive_stopping_rule",
            "The boundaries of planned looks are not made for adaptive splits; take always_valid.",
            "/analysis/stopping_rule",
        ),
        (
            rules.family is Family.DUNNETT,
            "adaptive_family",
            "Dunnett's correlations are those of one split for all epochs; take holm.",
            "/analysis/family",
        ),
        (
            rules.post_stratified,
            "adaptive_post_stratified",
            "Small segments would be pooled; with adaptive splits nothing is.",
            "/analysis/post_stratified",
        ),
        (
            definition.primary.metric.kind is MetricKind.QUANTILE,
            "adaptive_metric",
            "The primary metric is a quantile, which has no posterior here.",
            "/metrics",
        ),
    ):
        if refused:
            raise InvalidInput(code, message, path=path)
    _check_windows(definition, policy)
    for position, plan in enumerate(definition.segments):
        splits = (plan.allocation.weights_bp, to_basis_points(plan.weights))
        if not plan.is_promoted and not all(policy.has_room(split) for split in splits):
            raise InvalidInput(
                "adaptive_floor",
                f"Every variant starts at {policy.floor_bp} basis points or more, and the floors leave room together.",
                path=pointer("segments", position, "weights"),
            )


def _check_windows(definition: Definition, policy: AdaptivePolicy) -> None:
    """Outcomes end where the next batch begins: a window as long as a batch is never complete."""
    for position, use in enumerate(definition.metrics):
        window = use.metric.window_seconds
        if window is not None and window >= policy.batch_seconds:
            raise InvalidInput(
                "adaptive_window",
                f"The window of {use.metric.key} is not shorter than a batch: it would never be complete.",
                path=pointer("metrics", position),
            )


def _refuse_repeats(keys: list[str], path: str) -> None:
    for position, key in enumerate(keys):
        if key in keys[:position]:
            raise InvalidInput("key_repeated", f"{key!r} stands twice.", path=f"{path}/{position}")
