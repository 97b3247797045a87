"""The catalog once more, with every answer written out: what is handed out is bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from experiments.domain.assignment import Assign, Assignment, Reason, compile_answers
from experiments.domain.definition import ExposurePolicy
from experiments.services.catalog import EMPTY, Catalog, CatalogHolder, LiveExperiment
from experiments.services.sight import MAX_KEPT, cut

Encode = Callable[[Assignment], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An answer; `exposes`: asking is showing, so that the exposure is stored before it is given."""

    assignment: Assignment
    document: bytes
    exposes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Experiments that answer together; `exposes`: for one of them at least, asking is showing."""

    assigns: tuple[Assign[Written], ...]
    exposes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One catalog, compiled."""

    catalog: Catalog
    live: Mapping[str, Group]
    running: Group
    cuts: dict[frozenset[str], Answers] = field(default_factory=dict)

    def seen_with(self, tags: frozenset[str]) -> Answers:
        """Return the answers that a key with these tags may see."""
        if not tags:
            return self
        found = self.cuts.get(tags)
        if found is None:
            if len(self.cuts) >= MAX_KEPT:
                self.cuts.clear()
            seen = cut(self.catalog, tags)
            live = {key: self.live[key] for key in seen.live}
            found = self.cuts[tags] = Answers(catalog=seen, live=live, running=_together(seen, live))
        return found


class AnswersHolder:
    """Follows the catalog; while one thread compiles the next one, the others go on with the last."""

    def __init__(self, catalog: CatalogHolder, encode: Encode) -> None:
        self._catalog = catalog
        self._encode = encode
        self._compiling = threading.Lock()
        self._current = Answers(catalog=EMPTY, live={}, running=Group(assigns=(), exposes=False))

    def current(self) -> Answers | None:
        """Return the answers, None before there is a catalog."""
        current = self._current
        if self._catalog.current is not current.catalog and self._compiling.acquire(blocking=False):
            try:
                current = self._current = self._compile(self._catalog.current)
            finally:
                self._compiling.release()
        return current if current.catalog is not EMPTY else None

    def _compile(self, catalog: Catalog) -> Answers:
        live = {key: self._group(entry) for key, entry in catalog.live.items()}
        return Answers(catalog=catalog, live=live, running=_together(catalog, live))

    def _group(self, entry: LiveExperiment) -> Group:
        exposes = entry.experiment.definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT

        def written(assignment: Assignment) -> Written:
            return Written(
                assignment=assignment,
                document=self._encode(assignment),
                exposes=exposes and assignment.reason is Reason.ASSIGNED,
            )

        return Group(assigns=(compile_answers(entry.experiment, entry.layer, written),), exposes=exposes)


def _together(catalog: Catalog, live: Mapping[str, Group]) -> Group:
    running = [live[entry.experiment.key] for entry in catalog.running]
    return Group(
        assigns=tuple(assign for group in running for assign in group.assigns),
        exposes=any(group.exposes for group in running),
    )
