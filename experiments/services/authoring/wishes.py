"""What an author asks for: experiments that name segments and metrics, not yet resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.allocation import Allocation
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import Definition, ExposurePolicy, Randomisation, SegmentPlan, Variant
from experiments.domain.errors import DomainError, FrozenField, InvalidInput, NotFound
from experiments.domain.layer import LayerClaim
from experiments.domain.metric import MetricRole, MetricUse
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.segment import EVERYONE, Segment, everyone
from experiments.services.authoring.meant import unknown
from experiments.services.ports import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentWish:
    """A segment by key; without weights every variant gets the same."""

    segment: str
    weights: Mapping[str, int] | None = None
    traffic_bp: int = BUCKETS


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWish:
    """A metric by key, and its role here."""

    metric: str
    role: MetricRole
    margin_lift: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentWish:
    """An experiment as its author writes it. `salt` defaults to the key; `everyone` may be left out."""

    key: str
    name: str
    variants: tuple[Variant, ...]
    metrics: tuple[MetricWish, ...]
    segments: tuple[SegmentWish, ...] = ()
    hypothesis: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    unit_type: str = "customer"
    salt: str | None = None
    bucketing: int = 1
    layer: LayerClaim | None = None
    analysis: AnalysisPlan = field(default_factory=AnalysisPlan)
    promotion: PromotionPolicy = field(default_factory=PromotionPolicy)
    exposure_policy: ExposurePolicy = ExposurePolicy.ON_EVENT
    randomisation: Randomisation = Randomisation.WINNOW
    forced: Mapping[str, str] = field(default_factory=dict)
    adaptive: AdaptivePolicy | None = None


def resolve(work: UnitOfWork, wish: ExperimentWish, live: Definition | None = None) -> Definition:
    """Return the definition, with segments and metrics copied in from the library.

    Against a `live` definition, segments and metrics it has already keep their copies, and splits are derived
    from the present ones with the fewest moves; a segment whose weights did not change keeps its promotion.
    """
    # Here and not in the definition: what was stored before this was asked for can still be read.
    wish.promotion.check_fits(wish.analysis)
    if wish.promotion.automatic and wish.randomisation is Randomisation.EXTERNAL:
        raise InvalidInput(
            "automatic_external",
            "Another system splits the units: Winnow can put nothing live.",
            path="/promotion/automatic",
        )
    return Definition(
        key=wish.key,
        name=wish.name,
        salt=wish.salt or (live.salt if live else wish.key),
        variants=wish.variants,
        segments=tuple(
            _plan(work, segment, wish, live, position) for position, segment in enumerate(_with_everyone(wish.segments))
        ),
        metrics=tuple(_use(work, metric, live, position) for position, metric in enumerate(wish.metrics)),
        hypothesis=wish.hypothesis,
        owner=wish.owner,
        tags=wish.tags,
        unit_type=wish.unit_type,
        layer=wish.layer,
        analysis=wish.analysis,
        promotion=wish.promotion,
        exposure_policy=wish.exposure_policy,
        randomisation=wish.randomisation,
        forced=wish.forced,
        adaptive=wish.adaptive,
        bucketing=wish.bucketing,
    )


def _with_everyone(wishes: tuple[SegmentWish, ...]) -> tuple[SegmentWish, ...]:
    if any(wish.segment == EVERYONE for wish in wishes):
        return wishes
    return (*wishes, SegmentWish(segment=EVERYONE))


def _plan(
    work: UnitOfWork, wish: SegmentWish, experiment: ExperimentWish, live: Definition | None, position: int
) -> SegmentPlan:
    path = f"/segments/{position}"
    weights = dict(wish.weights) if wish.weights is not None else {v.key: 1 for v in experiment.variants}
    present = live.plan_of(wish.segment) if live else None
    try:
        if present is None:
            return SegmentPlan(
                segment=_segment(work, wish.segment),
                weights=weights,
                allocation=Allocation.from_weights(weights),
                traffic_bp=wish.traffic_bp,
            )
        if wish.weights is None or weights == dict(present.weights):
            return replace(present, traffic_bp=wish.traffic_bp)
        allocation = present.allocation.reweighted(weights)
        return replace(
            present,
            weights=weights,
            allocation=allocation,
            traffic_bp=wish.traffic_bp,
            promoted=None,
            promotion=None,
            declined=present.promoted or present.declined,
        )
    except DomainError as refusal:
        raise refusal.at(f"{path}/weights" if refusal.code.startswith("weight") else path) from None


def _segment(work: UnitOfWork, key: str) -> Segment:
    if key == EVERYONE:
        return everyone()
    try:
        return work.segments.get(key).value
    except NotFound as missing:
        raise unknown(missing, work.segments, path="/segment") from None


def _use(work: UnitOfWork, wish: MetricWish, live: Definition | None, position: int) -> MetricUse:
    path = f"/metrics/{position}"
    present = next((use.metric for use in live.metrics if use.metric.key == wish.metric), None) if live else None
    try:
        metric = present or work.metrics.get(wish.metric).value
        return MetricUse(metric=metric, role=wish.role, margin_lift=wish.margin_lift)
    except NotFound as missing:
        raise unknown(missing, work.metrics, path=f"{path}/metric") from None
    except InvalidInput as refusal:
        raise refusal.at(path) from None


def wish_of(definition: Definition) -> ExperimentWish:
    """Return the wish that a definition fulfils: edited and sent back, it changes nothing but what was edited."""
    shared = {
        name: getattr(definition, name)
        for name in (
            "key", "name", "hypothesis", "owner", "tags", "unit_type", "salt", "variants", "layer", "analysis",
            "promotion", "exposure_policy", "randomisation", "forced", "adaptive", "bucketing",
        )
    }  # fmt: skip
    return ExperimentWish(
        **shared,
        segments=tuple(_segment_wish(plan) for plan in definition.segments),
        metrics=tuple(
            MetricWish(metric=use.metric.key, role=use.role, margin_lift=use.margin_lift) for use in definition.metrics
        ),
    )


def _segment_wish(plan: SegmentPlan) -> SegmentWish:
    return SegmentWish(segment=plan.segment.key, weights=plan.weights, traffic_bp=plan.traffic_bp)


def refuse_rename(wanted: str, key: str) -> None:
    """Refuse a body whose key is not that of the address."""
    if wanted != key:
        raise FrozenField("field_frozen", "`key` never changes.", path="/key")
