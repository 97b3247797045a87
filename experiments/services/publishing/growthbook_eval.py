"""GrowthBook's remote evaluation: any experiment, decided here, told as features that SDKs only hand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.domain.assignment import Assignment, Reason
from experiments.domain.experiment import Experiment
from experiments.services.assigning.assign import Assigner, Unit
from experiments.services.assigning.catalog import Catalog
from experiments.services.assigning.sight import Sight
from experiments.services.publishing.growthbook import HASH_ATTRIBUTE, Document, payload, tracked


class RemoteEvaluator:
    """Decides all live experiments that a key sees, for the unit that `attributes` name as `id`."""

    def __init__(self, seen: Sight[Catalog], assigner: Assigner) -> None:
        self._seen = seen
        self._assigner = assigner

    def evaluate(
        self, attributes: Mapping[str, Any], forced_variations: Mapping[str, Any], *, tags: frozenset[str]
    ) -> Document:
        """Return the payload. Variations that the caller forces are shown, and neither tracked nor exposed.

        Without an `id` nobody is asked about, and everybody sees the control.
        Raises InvalidInput for an unfit `id`, Unavailable before the catalog was first loaded.
        """
        seen = self._seen.of(tags)
        features = {key: _default(entry.experiment) for key, entry in seen.live.items()}
        forced = _forced(seen, forced_variations)
        unit_id = _unit_id(attributes.get(HASH_ATTRIBUTE))
        if unit_id is not None:
            unit = Unit(unit_id=unit_id, attributes=attributes)
            for entry, answer in self._assigner.evaluate(unit, tags=tags, leaving_out=forced):
                features[answer.experiment] = _told(entry.experiment, answer, unit_id)
        return payload(features | forced, [entry.experiment for entry in seen.live.values()])


def _unit_id(given: object) -> str | None:
    """Read an id as JavaScript does: whole numbers are their digits, while nothing, "" and 0 name nobody."""
    if isinstance(given, str):
        return given or None
    if isinstance(given, bool) or not isinstance(given, int | float) or not float(given).is_integer():
        return None
    return str(int(given)) if given else None


def _default(experiment: Experiment) -> Document:
    return {"defaultValue": experiment.definition.control.content}


def _forced(seen: Catalog, wanted: Mapping[str, Any]) -> dict[str, Document]:
    """SDKs name variations by their index; what is no index of a variant is ignored, as SDKs do."""
    features = {}
    for key, index in wanted.items():
        entry = seen.live.get(key)
        if entry is None or isinstance(index, bool) or not isinstance(index, int):
            continue
        variants = entry.experiment.definition.variants
        if 0 <= index < len(variants):
            features[key] = {"defaultValue": variants[index].content}
    return features


def _told(experiment: Experiment, answer: Assignment, unit_id: str) -> Document:
    """Tell the content and, for who is counted, what the SDK is to track; of other variants only that they are."""
    told: Document = {"defaultValue": answer.content}
    if answer.reason is Reason.ASSIGNED and answer.segment is not None:
        track = _track(experiment, answer, answer.segment, unit_id)
        told["rules"] = [{"id": answer.segment, "force": answer.content, "tracks": [track]}]
    return told


def _track(experiment: Experiment, answer: Assignment, segment: str, unit_id: str) -> Document:
    variants = experiment.definition.variants
    index = next(place for place, variant in enumerate(variants) if variant.key == answer.variant)
    return {
        "experiment": {
            **tracked(experiment, segment),
            "variations": [answer.content if place == index else None for place in range(len(variants))],
        },
        "result": {
            "featureId": experiment.key,
            "inExperiment": True,
            "hashUsed": True,
            "stickyBucketUsed": False,
            "hashAttribute": HASH_ATTRIBUTE,
            "hashValue": unit_id,
            "variationId": index,
            "key": answer.variant,
            "name": variants[index].name,
            "value": answer.content,
        },
    }
