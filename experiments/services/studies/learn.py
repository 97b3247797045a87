"""Learn: profiles -> clusters as rules -> a version. Heavy to import: never on the path of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from experiments.domain.attribute import AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.errors import InvalidInput, NotFound, StateConflict
from experiments.domain.names import check_key
from experiments.domain.study import Study, StudyKind
from experiments.services.ports import AuditEntry, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import read_registry
from experiments.services.segments.tables import AT_ONCE, Progress, units_table
from experiments.services.studies.attributes import study_attributes, told_as_input
from experiments.services.studies.clustering_document import clustering_document
from experiments.services.studies.studies import AdoptedSegment, Standing, adopted_segments, newest_with_groups
from segmentation.learnt import Learning, from_document, learn, refit

_KIND = StudyKind.CLUSTERING
_NUMBERS = (AttributeType.NUMBER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnWish:
    """What to learn from, and how; `sample`: units of which tests are made, `mixture`: mixtures beside k-means."""

    name: str
    attributes: tuple[str, ...]
    seed: int = 0
    sample: int = 2_000
    most_clusters: int = 8
    mixture: bool = True

    def __post_init__(self) -> None:
        check_key(self.name, "/name")
        self.learning()

    def learning(self) -> Learning:
        """Return it in the words of the engine."""
        try:
            return Learning(
                seed=self.seed, sample_units=self.sample, most_clusters=self.most_clusters, mixture=self.mixture
            )
        except ValueError as problem:
            raise InvalidInput("learning_invalid", f"Learning is {problem}.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """Today's customers of a segment's present condition, of the rule that `adopt` would give it, and of both."""

    now: int
    then: int
    both: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """The version that was stored, how the segments of earlier ones stand to it, and of which it has another rule."""

    study: Study
    adopted: tuple[AdoptedSegment, ...] = ()
    changes: Mapping[str, RuleChange] = field(default_factory=dict)


class Learner:
    """Writes versions of clusterings; of two at once, one stores its version and the other is told to begin again."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def learn(self, wish: LearnWish, progress: Progress, *, actor: str) -> Learnt:
        """Look for the first time; finding nothing is stored too. Raises InvalidInput, StateConflict."""
        latest, previous = self._before(wish.name)
        if previous is not None:
            message = f"There is a clustering {wish.name!r}: `refit` makes its next version."
            raise StateConflict("clustering_exists", message)
        learning = wish.learning()
        table = self._table(wish.attributes, progress)
        with told_as_input():
            found = learn(table, learning, progress=_labelled(progress))
            document = clustering_document(
                found, table, wish.attributes, name=wish.name, version=latest + 1, learning=learning
            )
        return self._store(wish.name, latest + 1, document, actor)

    def refit(self, name: str, progress: Progress, *, actor: str) -> Learnt:
        """Make the next version, of the same attributes and in the same way. Raises NotFound, InvalidInput."""
        latest, previous = self._before(name)
        if previous is None:
            if latest:
                raise StateConflict(
                    "nothing_to_refit", f"Clustering {name!r} never found clusters: `learn` looks again."
                )
            raise NotFound(_KIND.value, name)
        asked = tuple(previous.document["attributes"])
        before = from_document(previous.document["learnt"])
        table = self._table(asked, progress)
        with told_as_input():
            found = refit(before, table, progress=_labelled(progress))
            document = clustering_document(
                found,
                table,
                asked,
                name=name,
                version=latest + 1,
                learning=before.learning,
                previous=(previous.version, before),
            )
        learnt = self._store(name, latest + 1, document, actor)
        differing = [one for one in learnt.adopted if one.standing is Standing.DIFFERS]
        return replace(learnt, changes={one.adoption.segment: _change(one, table) for one in differing})

    def _before(self, name: str) -> tuple[int, Study | None]:
        """Return the number of the latest version (0: none), and the newest that found clusters."""
        with self._open(read_only=True) as work:
            try:
                latest = work.studies.get(_KIND, name).version
            except NotFound:
                return 0, None
            return latest, newest_with_groups(work, _KIND, name)

    def _table(self, attributes: tuple[str, ...], progress: Progress) -> pa.Table:
        now = self._clock()
        with self._open(read_only=True) as work:
            registry = read_registry(work)
            wanted = study_attributes(registry, attributes, _NUMBERS)
            units = units_table(work, registry, (), wanted, now=now, progress=progress)
        if not units.num_rows:
            raise InvalidInput("no_profiles", "There are no profiles: `winnow import customers FILE` takes them over.")
        return units.drop_columns(["unit_id"])

    def _store(self, name: str, version: int, document: Mapping[str, Any], actor: str) -> Learnt:
        now = self._clock()
        study = Study(kind=_KIND, name=name, version=version, made_at=now, made_by=actor, document=document)
        with self._open() as work:
            store(work, study)
            adopted = adopted_segments(work, _KIND, name)
            work.commit()
        return Learnt(study=study, adopted=adopted)


def store(work: UnitOfWork, study: Study) -> None:
    """Store a version with its entry in the audit trail; the caller commits. Raises RevisionMismatch."""
    work.studies.add(study)
    detail = {"version": study.version, "outcome": study.outcome, "groups": len(study.groups)}
    work.audit.append(
        AuditEntry(
            at=study.made_at, actor=study.made_by, action=f"{study.kind}.make", subject=study.name, detail=detail
        )
    )


def _change(adopted: AdoptedSegment, table: pa.Table) -> RuleChange:
    """Decided by the conditions of assignment, row by row."""
    tests = [compile_condition(one or {}) for one in (adopted.condition, adopted.rule)]
    now = then = both = 0
    for batch in table.to_batches(max_chunksize=AT_ONCE):
        for row in batch.to_pylist():
            known = {name: value for name, value in row.items() if value is not None}
            inside, after = (test(known) for test in tests)
            now, then, both = now + inside, then + after, both + (inside and after)
    return RuleChange(now=now, then=then, both=both)


def _labelled(progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress(done, total, "Looking for clusters")
