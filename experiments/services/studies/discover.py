"""Discover: an experiment's units -> leaves with honest estimates -> a version. Never on the path of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analysis.plan import Plan
from experiments.domain.attribute import Attribute
from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.experiment import Status
from experiments.domain.study import Study, StudyKind
from experiments.services.analysing.log_rows import present_watermark
from experiments.services.analysing.plan import plan_of
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import read_registry
from experiments.services.segments.tables import Progress
from experiments.services.studies.attributes import study_attributes, told_as_input
from experiments.services.studies.discovery_document import Comparison, Look, discovery_document
from experiments.services.studies.discovery_rows import TYPES, KnownUnits, compared, known_of, metric_plan, units_of
from experiments.services.studies.lateness import joined_late
from experiments.services.studies.learn import store
from segmentation.discovery import Search, discover
from segmentation.refusal import Refused

_KIND = StudyKind.DISCOVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverWish:
    """`metric` None: the primary one. `late`: late attributes too, with a warning."""

    experiment: str
    attributes: tuple[str, ...]
    metric: str | None = None
    seed: int = 0
    alpha: float = 0.05
    power: float = 0.8
    late: bool = False

    def __post_init__(self) -> None:
        self.search(1)

    def search(self, comparisons: int) -> Search:
        """Return it in the words of the engine."""
        try:
            return Search(seed=self.seed, alpha=self.alpha, comparisons=comparisons, power=self.power)
        except ValueError as problem:
            raise InvalidInput("search_invalid", f"Searching is {problem}.") from None


class Discoverer:
    """Writes versions of discoveries; each is one more look at the same experiment."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open = open_unit_of_work
        self._clock = clock

    def discover(self, wish: DiscoverWish, progress: Progress, *, actor: str) -> Study:
        """Search each treatment against the control, and store what came of it. Raises NotFound, InvalidInput."""
        now = self._clock()
        with self._open(read_only=True) as work:
            watermark = present_watermark(work, now)
            experiment = work.experiments.get(wish.experiment)
            if experiment.status is Status.DRAFT:
                raise InvalidInput("not_started", f"Experiment {wish.experiment!r} has not started.")
            registry = read_registry(work)
            attributes = study_attributes(registry, wish.attributes, tuple(TYPES))
            versions = work.experiments.versions(wish.experiment)
            plan = metric_plan(plan_of(versions, experiment.stopped_at, watermark.at), wish.metric)
            look = _latest(work, wish.experiment) + 1
            units = units_of(work, wish.experiment, plan, watermark, progress)
            joined = joined_late(work, wish.experiment, watermark)
            known = known_of(work, registry, attributes, units, joined, now=now, progress=progress)
        used = _used(attributes, known, late=wish.late)
        table = pa.table({name: known.columns[name] for name in used})
        comparisons = _search(wish, plan, units, table, progress)
        document = discovery_document(
            Look(
                experiment=wish.experiment,
                experiment_version=versions[-1].number,
                watermark=watermark,
                plan=plan,
                number=look,
                attributes=tuple(attributes),
                used=used,
                late=known.late,
                search=wish.search(len(comparisons)),
                units=units.num_rows,
            ),
            comparisons,
        )
        study = Study(
            kind=_KIND, name=wish.experiment, version=look, made_at=self._clock(), made_by=actor, document=document
        )
        with self._open() as work:
            store(work, study)
            work.commit()
        return study


def _latest(work: UnitOfWork, experiment: str) -> int:
    try:
        return work.studies.get(_KIND, experiment).version
    except NotFound:
        return 0


def _used(attributes: Mapping[str, Attribute], known: KnownUnits, *, late: bool) -> tuple[str, ...]:
    used = tuple(name for name in attributes if late or not known.late[name])
    if not used:
        message = (
            "All of these attributes became known, or unknown, after exposures: the treatment may have had a part."
        )
        raise InvalidInput("attributes_late", message, path="/attributes")
    return used


def _search(
    wish: DiscoverWish, plan: Plan, units: pa.Table, table: pa.Table, progress: Progress
) -> tuple[Comparison, ...]:
    """Raise InvalidInput where no comparison has units enough: then nothing was looked at."""
    treatments = [variant for variant in plan.variants if variant != plan.control]
    search = wish.search(len(treatments))
    made = []
    for number, treatment in enumerate(treatments):
        progress(number, len(treatments), "Searching")
        made.append(_compare(plan, treatment, units, table, search))
    progress(len(treatments), len(treatments), "Searching")
    if all(one.found is None for one in made):
        raise InvalidInput("too_few_units", made[0].refusal)
    return tuple(made)


def _compare(plan: Plan, treatment: str, units: pa.Table, table: pa.Table, search: Search) -> Comparison:
    chosen = compared(units, plan, treatment)
    own = units.take(pa.array(chosen.places, pa.int64()))
    treated = np.array([variant == treatment for variant in own["variant"].to_pylist()], dtype=bool)
    refusal, found = "", None
    with told_as_input():
        try:
            found = discover(
                own["unit_id"].to_pylist(),
                treated,
                own["value"].to_numpy(),
                table.take(pa.array(chosen.places, pa.int64())),
                search,
            )
        except Refused as refused:
            if refused.code not in ("too_few_units", "bad_arms"):
                raise
            refusal = f"{treatment}: {refused}"
    return Comparison(
        treatment=treatment, found=found, refusal=refusal, units=len(chosen.places), outside=chosen.outside
    )
