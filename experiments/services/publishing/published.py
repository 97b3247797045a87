"""What a trusted client needs to assign by itself: every live experiment, as one document."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer
from experiments.services.assigning.catalog import Catalog, CatalogHolder, LiveExperiment
from experiments.services.assigning.sight import Sight
from experiments.services.publishing.growthbook import features_payload

SCHEMA = "winnow.catalog/1"
"""Says how to read the document; a reader that does not know the number must not guess."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A document written out, and its hash."""

    body: bytes
    sha256: str


class Publisher:
    """Writes out each document once per catalog and set of tags."""

    def __init__(self, catalog: CatalogHolder) -> None:
        self._catalogs = Sight(catalog, lambda seen: _written(catalog_document(seen)))
        self._features = Sight(catalog, lambda seen: _written(features_payload(seen)))

    def catalog(self, tags: frozenset[str]) -> Published:
        """Return the whole catalog, testers included. Raises Unavailable before it was first loaded."""
        return self._catalogs.of(tags)

    def features(self, tags: frozenset[str]) -> Published:
        """Return GrowthBook's SDK payload, without testers. Raises Unavailable before the catalog was first loaded."""
        return self._features.of(tags)


def catalog_document(catalog: Catalog) -> Document:
    """Return all that assigning needs, and nothing else: no names, metrics or policies, and no other experiment."""
    return {
        "schema": SCHEMA,
        "version": catalog.version,
        "experiments": [_experiment(entry) for _, entry in sorted(catalog.live.items())],
    }


def _experiment(entry: LiveExperiment) -> Document:
    experiment, definition = entry.experiment, entry.experiment.definition
    return {
        "key": experiment.key,
        "status": experiment.status.value,
        "version": experiment.current.number,
        "epoch": experiment.current.epoch,
        "unit_type": definition.unit_type,
        "randomisation": definition.randomisation.value,
        "exposure_policy": definition.exposure_policy.value,
        "bucketing": definition.bucketing,
        "salt": definition.salt,
        "layer": _layer(experiment, entry.layer),
        "control": definition.control.key,
        "variants": [{"key": variant.key, "content": variant.content} for variant in definition.variants],
        "segments": [_segment(definition, plan) for plan in definition.segments],
        "forced": dict(definition.forced),
    }


def _layer(experiment: Experiment, layer: Layer | None) -> Document | None:
    """Return the experiment's own part: whose the rest is, is nobody's business here."""
    if layer is None:
        return None
    return {
        "key": layer.key,
        "bucketing": layer.bucketing,
        "salt": layer.salt,
        "holdout_bp": layer.holdout_bp,
        "slots": [{"start": slot.start, "end": slot.end} for slot in layer.slots if slot.experiment == experiment.key],
    }


def _segment(definition: Definition, plan: SegmentPlan) -> Document:
    return {
        "key": plan.segment.key,
        "condition": dict(plan.segment.condition),
        "traffic_bp": plan.traffic_bp,
        "ranges": [
            {"start": piece.start, "end": piece.end, "variant": piece.variant} for piece in plan.allocation.ranges
        ],
        "after_stop": plan.promoted or definition.control.key,
    }


def _written(document: Document) -> Published:
    # Not in order of key: contents keep the order in which their authors wrote them.
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    return Published(body=body, sha256=hashlib.sha256(body).hexdigest())
