"""Experiments as GrowthBook's SDKs want them: features whose rules they evaluate by themselves to our assignment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from experiments.domain.allocation import Allocation
from experiments.domain.bucketing import BUCKETS, traffic_salt, variant_salt
from experiments.domain.canonical import canonical_json
from experiments.domain.condition import NotPortable, portable
from experiments.domain.definition import Definition, ExposurePolicy, Randomisation, SegmentPlan
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.services.assigning.catalog import Catalog, LiveExperiment

HASH_ATTRIBUTE = "id"
"""The attribute that names the unit."""
HASH_VERSION = 2
"""GrowthBook's name for our bucketing version 2."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

Document = dict[str, Any]


def features_payload(catalog: Catalog) -> Document:
    """Return the SDK payload of all live experiments that SDKs can decide; `winnow` says which they cannot, and why."""
    features: Document = {}
    left_out: dict[str, str] = {}
    for key, entry in catalog.live.items():
        try:
            features[key] = _feature(entry)
        except NotPortable as reason:
            left_out[key] = str(reason)
    return payload(features, [entry.experiment for entry in catalog.live.values()], winnow={"left_out": left_out})


def payload(features: Mapping[str, Any], of: Sequence[Experiment], **more: Any) -> Document:
    """Return features in GrowthBook's envelope.

    SDKs take a payload with the `dateUpdated` they know for the one they have. So its seconds are those of the latest
    change, and its fraction follows from what is inside: the same in every process, and another for other features.
    """
    latest = max((experiment.updated_at for experiment in of), default=_NEVER)
    digest = hashlib.sha256(canonical_json([features, more]).encode()).hexdigest()
    updated = latest.astimezone(UTC).replace(microsecond=int(digest[:12], 16) % 1_000_000, tzinfo=None)
    return {
        "status": 200,
        "features": features,
        "dateUpdated": f"{updated.isoformat(timespec='microseconds')}Z",
        **more,
    }


def _feature(entry: LiveExperiment) -> Document:
    experiment, layer = entry.experiment, entry.layer
    _require_evaluable(experiment.definition, layer)
    match experiment.status:
        case Status.RUNNING:
            rules = _experiment_rules(experiment, layer)
        case Status.STOPPED:
            rules = _promoted_rules(experiment.definition, layer)
        case _:
            rules = []
    return {"defaultValue": experiment.definition.control.content, "rules": rules}


def _require_evaluable(definition: Definition, layer: Layer | None) -> None:
    if definition.randomisation is Randomisation.EXTERNAL:
        raise NotPortable("somebody else splits its units")
    if definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT:
        raise NotPortable("its exposures are stored when the server is asked")
    if definition.bucketing != HASH_VERSION:
        raise NotPortable(f"its bucketing is version {definition.bucketing}, not {HASH_VERSION}")
    if layer is not None and layer.bucketing != HASH_VERSION:
        raise NotPortable(f"the bucketing of its layer is version {layer.bucketing}, not {HASH_VERSION}")


def _experiment_rules(experiment: Experiment, layer: Layer | None) -> list[Document]:
    """A rule per segment; who is in a segment but not in its traffic must not reach the rules of later segments."""
    rules: list[Document] = []
    passed_by: list[Document] = []
    for plan in experiment.definition.segments:
        condition = portable(plan.segment.condition)
        if plan.traffic_bp:
            filters = [*_layer_filter(experiment.key, layer), *_traffic_filter(experiment.definition, plan)]
            rules.append(
                {
                    "id": plan.segment.key,
                    **_only(condition, passed_by),
                    **({"filters": filters} if filters else {}),
                    **tracked(experiment, plan.segment.key),
                    "seed": variant_salt(experiment.definition.salt),
                    "hashVersion": HASH_VERSION,
                    "disableStickyBucketing": True,
                    **_arms(experiment.definition, plan.allocation),
                }
            )
        if plan.traffic_bp < BUCKETS:
            passed_by.append(condition)
    return rules


def tracked(experiment: Experiment, segment: str) -> Document:
    """Return what tells a tracking callback all that an exposure needs: segment as `name`, version as `phase`."""
    return {
        "key": experiment.key,
        "name": segment,
        "phase": str(experiment.current.number),
        "hashAttribute": HASH_ATTRIBUTE,
    }


def _promoted_rules(definition: Definition, layer: Layer | None) -> list[Document]:
    """A rule per segment with a winner that is live; all others, and who is held out, have the default: the control."""
    filters = _holdout_filter(layer)
    rules: list[Document] = []
    without: list[Document] = []
    for plan in definition.segments:
        condition = portable(plan.segment.condition)
        winner = definition.variant(plan.promoted) if plan.promoted else None
        if winner is None or winner.is_control:
            without.append(condition)
            continue
        if winner.content is None:
            raise NotPortable("a winner has the content null, which not all SDKs can force")
        rules.append({"id": plan.segment.key, **_only(condition, without), **filters, "force": winner.content})
    return rules


def _only(condition: Document, but_not: Sequence[Document]) -> Document:
    parts = [*([{"$nor": list(but_not)}] if but_not else []), *([condition] if condition else [])]
    if not parts:
        return {}
    return {"condition": parts[0] if len(parts) == 1 else {"$and": parts}}


def _layer_filter(experiment: str, layer: Layer | None) -> list[Document]:
    if layer is None:
        return []
    own = [_share(slot.start, slot.end) for slot in layer.slots if slot.experiment == experiment]
    return [_filter(layer.salt, own)]


def _holdout_filter(layer: Layer | None) -> Document:
    if layer is None or not layer.holdout_bp:
        return {}
    return {"filters": [_filter(layer.salt, [_share(0, BUCKETS - layer.holdout_bp)])]}


def _traffic_filter(definition: Definition, plan: SegmentPlan) -> list[Document]:
    if plan.traffic_bp == BUCKETS:
        return []
    return [_filter(traffic_salt(definition.salt), [_share(0, plan.traffic_bp)])]


def _filter(seed: str, ranges: list[list[float]]) -> Document:
    return {"attribute": HASH_ATTRIBUTE, "seed": seed, "hashVersion": HASH_VERSION, "ranges": ranges}


def _share(start: int, end: int) -> list[float]:
    """SDKs divide the bucket by 10,000 as we do here, so equal buckets are equal floats."""
    return [start / BUCKETS, end / BUCKETS]


def _arms(definition: Definition, allocation: Allocation) -> Document:
    """All variants in order of definition, each with its first range or none; further ranges as further variations.

    So an index below the number of variants always means the same variant, in every segment and version.
    """
    ranges: dict[str, list[list[float]]] = {}
    for piece in allocation.ranges:
        ranges.setdefault(piece.variant, []).append(_share(piece.start, piece.end))
    laid_out = [(variant, ranges.get(variant.key, [_share(0, 0)])[0]) for variant in definition.variants]
    for variant in definition.variants:
        laid_out += [(variant, further) for further in ranges.get(variant.key, [])[1:]]
    return {
        "variations": [variant.content for variant, _ in laid_out],
        "ranges": [share for _, share in laid_out],
        "meta": [{"key": variant.key, "name": variant.name} for variant, _ in laid_out],
    }
