"""The catalog once more, with every answer written out: what is handed out is bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from api.lane.asked import Reply
from experiments.domain.assignment import Assign, Assignment, compile_answers
from experiments.domain.definition import Definition, ExposurePolicy
from experiments.services.assigning.catalog import EMPTY, Catalog, CatalogHolder, LiveExperiment
from experiments.services.assigning.implied import Implied
from experiments.services.assigning.sight import MAX_KEPT, cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An answer: as Winnow's document, as the reply where it is the only one, as OFREP's, and where it is counted.

    `implied`: asking is showing, so that this exposure is stored before it is given.
    """

    assignment: Assignment
    document: bytes
    reply: Reply
    evaluation: bytes
    slot: int
    implied: Implied | None


def implied_exposures(unit_id: str, given: Iterable[Written]) -> list[tuple[str, Implied]]:
    """Return what a unit's answers imply, each with whose it is."""
    return [(unit_id, written.implied) for written in given if written.implied is not None]


Write = Callable[[Assignment, Definition], Written]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Experiments that answer together; `exposes`: for one of them at least, asking is showing.

    `withheld` are the answers to who does not consent. `profiled`: conditions name what profiles may say.
    """

    assigns: tuple[Assign[Written], ...]
    withheld: tuple[Written, ...]
    exposes: bool
    profiled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One catalog, compiled; `every`: all that is live, `running` without what is paused or stopped."""

    catalog: Catalog
    live: Mapping[str, Group]
    every: Group
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
            found = self.cuts[tags] = _answers(seen, {key: self.live[key] for key in seen.live})
        return found


class AnswersHolder:
    """Follows the catalog; while one thread compiles the next one, the others go on with the last.

    Whoever is in a hurry may use `latest` where its catalog is `catalog.current`, for keys without tags.
    """

    def __init__(self, catalog: CatalogHolder, write: Write) -> None:
        self.catalog = catalog
        self.latest = self._none = _answers(replace(EMPTY), {})
        self._write = write
        self._compiling = threading.Lock()

    def group(self, experiment: str | None, tags: frozenset[str]) -> Group | None:
        """Return one live experiment, or all running ones; None where the key sees no such one, or none is known."""
        seen = self.current()
        if seen is None:
            return None
        seen = seen.seen_with(tags)
        return seen.running if experiment is None else seen.live.get(experiment)

    def current(self) -> Answers | None:
        """Return the answers, None before there is a catalog."""
        wanted, latest = self.catalog.current, self.latest
        if wanted is EMPTY:
            return None
        if wanted is not latest.catalog and self._compiling.acquire(blocking=False):
            try:
                latest = self.latest = self._compile(wanted)
            finally:
                self._compiling.release()
        return None if latest is self._none else latest

    def _compile(self, catalog: Catalog) -> Answers:
        return _answers(catalog, {key: self._group(entry, catalog) for key, entry in catalog.live.items()})

    def _group(self, entry: LiveExperiment, catalog: Catalog) -> Group:
        definition = entry.experiment.definition
        assign = compile_answers(entry.experiment, entry.layer, lambda answer: self._write(answer, definition))
        return Group(
            assigns=(assign,),
            withheld=(self._write(entry.withheld, definition),),
            exposes=definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT,
            profiled=catalog.registry is not None,
        )


def _answers(catalog: Catalog, live: Mapping[str, Group]) -> Answers:
    running = [live[entry.experiment.key] for entry in catalog.running]
    return Answers(catalog=catalog, live=live, every=_together(live.values()), running=_together(running))


def _together(groups: Collection[Group]) -> Group:
    return Group(
        assigns=tuple(assign for group in groups for assign in group.assigns),
        withheld=tuple(written for group in groups for written in group.withheld),
        exposes=any(group.exposes for group in groups),
        profiled=any(group.profiled for group in groups),
    )
