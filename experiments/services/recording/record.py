"""Record: exposures and events, item by item, durable before they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import TypeVar, cast

from experiments.domain.assignment import counted_variant
from experiments.domain.definition import Randomisation
from experiments.domain.epoch import Version
from experiments.domain.errors import DomainError, InvalidInput, NoConsent, NotFound, Unavailable
from experiments.domain.event import ASSIGNED, Event, Exposure, ExposureClaim, ItemStatus, ItemVerdict, assigned_id
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.services.assigning.catalog import Catalog, CatalogHolder
from experiments.services.caches import Caches
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.recording.ports import Journal, Known

MAX_ANSWERS = 10_000
"""What is kept of what the database said of experiments and versions that memory does not hold."""
AHEAD_SECONDS = 300
"""How far a frontend's clock may be off."""
MISMATCH = "exposure_mismatch"

Item = Event | ExposureClaim | ItemVerdict
"""What a batch holds; a verdict stands for an item that could not even be read."""


T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class _Batch:
    events: dict[str, Event]
    exposures: dict[str, Exposure]
    verdicts: list[ItemVerdict]
    asked_at: float


class Recorder:
    """One bad item never fails its batch; sending a batch again stores nothing twice."""

    def __init__(
        self,
        catalog: CatalogHolder,
        open_unit_of_work: OpenUnitOfWork,
        journal: Journal,
        clock: Clock,
        caches: Caches,
    ) -> None:
        self._catalog = catalog
        self._open = open_unit_of_work
        self._journal = journal
        self._clock = clock
        self.caches = caches
        self._answers: tuple[Catalog, dict[tuple[str | int, ...], object]] = (catalog.current, {})

    def record(self, items: Sequence[Item]) -> list[ItemVerdict]:
        """Return a verdict per item, in order. What is `accepted` is durable; Unavailable means nothing was stored.

        Items are checked from memory; the database is asked only about what memory does not hold.
        """
        now = self._clock()
        batch = _Batch(events={}, exposures={}, verdicts=[], asked_at=monotonic())
        for item in items:
            batch.verdicts.append(self._sort(item, batch, now))
        known = self._journal.append(list(batch.events.values()), list(batch.exposures.values()), received_at=now)
        return _mark_known(items, batch.verdicts, known)

    def _sort(self, item: Item, batch: _Batch, now: datetime) -> ItemVerdict:
        if isinstance(item, ItemVerdict):
            return item
        try:
            if self.caches.consents.is_asked and self.caches.consents.is_known_to_lack(item.unit_id):
                raise NoConsent
            if item.occurred_at > now + timedelta(seconds=AHEAD_SECONDS):
                raise InvalidInput(
                    "occurred_in_future", "The event lies more than 5 minutes ahead of our clock.", path="/occurred_at"
                )
            fresh = (
                _keep(batch.events, item.event_id, item)
                if isinstance(item, Event)
                else _keep(batch.exposures, item.event_id, self.check(item, batch.asked_at))
            )
        except Unavailable:
            raise  # nobody knows whether the item is good, so it is not refused
        except DomainError as refusal:
            return rejected(item.event_id, refusal)
        return ItemVerdict(event_id=item.event_id, status=ItemStatus.ACCEPTED if fresh else ItemStatus.DUPLICATE)

    def check(self, claim: ExposureClaim, asked_at: float) -> Exposure:
        """Return the exposure that a claim tells of; `asked_at`: what `monotonic` said when its batch came in.

        Raises InvalidInput, or Unavailable where memory cannot decide.
        """
        experiment = self._experiment(claim.experiment)
        if not experiment.is_live:
            raise InvalidInput("experiment_not_live", f"The experiment is {experiment.status}.", path="/experiment")
        version = self._version(claim)
        check_time(experiment, version, claim)
        forced = self._check_shown(version, self._layer(experiment), claim, asked_at)
        _check_id(claim, version.epoch)
        return Exposure(
            event_id=claim.event_id,
            unit_id=claim.unit_id,
            experiment=claim.experiment,
            version=claim.version,
            epoch=version.epoch,
            segment=claim.segment,
            variant=claim.variant,
            occurred_at=claim.occurred_at,
            forced=forced,
            channel=claim.channel,
        )

    def _check_shown(self, version: Version, layer: Layer | None, claim: ExposureClaim, asked_at: float) -> bool:
        """Do as `check_claim`; what is wrong by the unit's own id may be right by the one its person is bucketed by.

        Both count: who was shown something by its own id, before it was joined or by a process that had not heard of
        it, was shown it. Where that makes two variants of one person, results count it as mixed.
        """
        try:
            return check_claim(version, layer, claim)
        except InvalidInput as refusal:
            if refusal.code != MISMATCH:
                raise
            bucketed_as = self.caches.identities.newest(claim.unit_id, asked_at).bucketed_as
            if bucketed_as == claim.unit_id:
                raise
            return check_claim(version, layer, replace(claim, unit_id=bucketed_as))

    def _experiment(self, key: str) -> Experiment:
        entry = self._catalog.current.live.get(key)
        if entry is not None:
            return entry.experiment
        try:
            return self._asked((key,), lambda work: work.experiments.get(key))
        except NotFound as missing:
            raise InvalidInput("experiment_unknown", missing.message, path="/experiment") from None

    def _asked(self, name: tuple[str | int, ...], read: Callable[[UnitOfWork], T]) -> T:
        """Ask the database, once per catalog: a batch of a thousand claims about the same thing costs one read."""
        catalog, answers = self._answers
        if catalog is not self._catalog.current or len(answers) >= MAX_ANSWERS:
            catalog, answers = self._answers = (self._catalog.current, {})
        if name not in answers:
            try:
                with self._open(read_only=True) as work:
                    answers[name] = read(work)
            except NotFound as missing:
                answers[name] = missing
        answer = answers[name]
        if isinstance(answer, NotFound):
            raise answer
        return cast(T, answer)

    def _layer(self, experiment: Experiment) -> Layer | None:
        """The layer whose buckets the experiment holds; after its stop they may be somebody else's already."""
        claim = experiment.definition.layer
        if claim is None or experiment.status is Status.STOPPED:
            return None
        entry = self._catalog.current.live.get(experiment.key)
        if entry is not None:
            return entry.layer
        with self._open(read_only=True) as work:
            return work.layers.get(claim.layer).value

    def _version(self, claim: ExposureClaim) -> Version:
        held = self._catalog.versions.get(claim.experiment, claim.version)
        if held is not None:
            return held
        try:
            version = self._asked(
                (claim.experiment, claim.version),
                lambda work: work.experiments.version(claim.experiment, claim.version),
            )
        except NotFound as missing:
            raise InvalidInput("version_unknown", missing.message, path="/version") from None
        self._catalog.versions.hold(claim.experiment, version)
        return version


def _check_id(claim: ExposureClaim, epoch: int) -> None:
    """Refuse an id of an implied exposure but for that very exposure: nobody can take another one's place."""
    if claim.event_id.startswith(ASSIGNED) and claim.event_id != assigned_id(
        experiment=claim.experiment,
        epoch=epoch,
        segment=claim.segment,
        variant=claim.variant,
        unit_id=claim.unit_id,
    ):
        raise InvalidInput("event_id_reserved", f"Ids that begin with {ASSIGNED!r} are Winnow's own.", path="/event_id")


def check_time(experiment: Experiment, version: Version, claim: ExposureClaim) -> None:
    """Refuse an exposure from after the stop or, where Winnow splits, from before its version was live."""
    if experiment.stopped_at is not None and claim.occurred_at > experiment.stopped_at:
        raise InvalidInput("after_stop", "The experiment had stopped by then.", path="/occurred_at")
    if version.definition.randomisation is Randomisation.EXTERNAL:
        return
    live_from = max(version.created_at, experiment.started_at or version.created_at)
    if claim.occurred_at < live_from - timedelta(seconds=AHEAD_SECONDS):
        raise InvalidInput("before_version", "This version was not live yet.", path="/occurred_at")


def check_claim(version: Version, layer: Layer | None, claim: ExposureClaim) -> bool:
    """Refuse a claim that the version cannot have answered; return whether the unit is a forced tester.

    Where Winnow splits, the unit has to be in the experiment's part of the layer, and its bucket must give the claimed
    variant in the claimed segment.
    """
    definition = version.definition
    if definition.plan_of(claim.segment) is None:
        raise InvalidInput("segment_unknown", f"The version has no segment {claim.segment!r}.", path="/segment")
    if definition.variant(claim.variant) is None:
        raise InvalidInput("variant_unknown", f"The version has no variant {claim.variant!r}.", path="/variant")
    if claim.unit_id in definition.forced:
        return True
    if version.paused:
        raise InvalidInput("experiment_paused", "While it is paused, nobody is in the experiment.", path="/version")
    if definition.randomisation is Randomisation.WINNOW:
        expected = counted_variant(definition, layer, claim.segment, claim.unit_id)
        if expected != claim.variant:
            shown = "is not in the experiment" if expected is None else f"sees {expected!r}"
            raise InvalidInput(MISMATCH, f"In segment {claim.segment!r} this unit {shown}.", path="/variant")
    return False


def rejected(event_id: str | None, refusal: DomainError) -> ItemVerdict:
    """Return the verdict that tells of a refusal."""
    return ItemVerdict(
        event_id=event_id, status=ItemStatus.REJECTED, code=refusal.code, message=refusal.message, path=refusal.path
    )


def _keep(found: dict[str, T], event_id: str, value: T) -> bool:
    if event_id in found:
        return False
    found[event_id] = value
    return True


def _mark_known(items: Sequence[Item], verdicts: Sequence[ItemVerdict], known: Known) -> list[ItemVerdict]:
    if not known.events and not known.exposures:
        return list(verdicts)
    return [
        ItemVerdict(event_id=verdict.event_id, status=ItemStatus.DUPLICATE)
        if verdict.status is ItemStatus.ACCEPTED
        and verdict.event_id in (known.events if isinstance(item, Event) else known.exposures)
        else verdict
        for item, verdict in zip(items, verdicts, strict=True)
    ]
