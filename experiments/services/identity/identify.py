"""Identify: join an anonymous id to a known unit, once and for good. Of those who do so at once, one decides."""

from __future__ import annotations

from collections.abc import Collection

from experiments.domain.errors import InvalidInput, NoConsent, Taken
from experiments.domain.experiment import Experiment, Status
from experiments.domain.identity import Identity, Joined, bucketed_by, check_pair, join
from experiments.domain.source import SourceKind
from experiments.services.assigning.catalog import CatalogHolder
from experiments.services.identity.cache import IdentityCache
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork


class Identifier:
    """Nothing of it is audited or logged: both ids are of a person.

    Where there are `anonymous_prefixes`, ids of visitors begin with one of them, and those of customers with none.
    """

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        catalog: CatalogHolder,
        identities: IdentityCache,
        *,
        anonymous_prefixes: tuple[str, ...] = (),
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._catalog = catalog
        self._identities = identities
        self._prefixes = anonymous_prefixes

    def identify(self, anonymous_id: str, unit_id: str, *, trusted: bool) -> Joined:
        """Join the ids; again changes nothing. Who is not `trusted` can join no id of a customer's.

        Raises InvalidInput; Taken where the anonymous id is somebody else's; NoConsent where one of them does not
        consent; Unavailable. Then nothing was stored.
        """
        check_pair(anonymous_id, unit_id)
        if self._prefixes and not trusted:
            self._check_prefixes(anonymous_id, unit_id)
        with self._open(read_only=True) as work:
            held = work.identities.get(anonymous_id)
            is_lacking = held is not None and bool(work.consents.lacking([anonymous_id, unit_id]))
        if held is None:
            held = self._join(anonymous_id, unit_id, trusted=trusted)
        else:
            join(anonymous_id, unit_id, (held,), is_bucketed=False, now=self._clock())  # refuses what is another's
            if is_lacking:
                raise NoConsent
        return Joined(anonymous_id=anonymous_id, unit_id=unit_id, bucketed_by=bucketed_by(held))

    def _check_prefixes(self, anonymous_id: str, unit_id: str) -> None:
        """Without a look at anything stored: who guesses at ids of customers learns nothing."""
        if not anonymous_id.startswith(self._prefixes):
            raise InvalidInput("not_anonymous", "Ids of visitors do not begin like this one.", path="/anonymous_id")
        if unit_id.startswith(self._prefixes):
            raise InvalidInput("is_anonymous", "This id begins like those of visitors.", path="/unit_id")

    def _join(self, anonymous_id: str, unit_id: str, *, trusted: bool) -> Identity:
        with self._open() as work:
            work.identities.take()
            found = work.identities.some([anonymous_id, unit_id])
            if work.consents.lacking([anonymous_id, unit_id]):
                raise NoConsent
            known = {one.unit_id: one for one in (*found.values(), *work.identities.of_person(unit_id))}
            is_bucketed = unit_id not in found and self._is_bucketed(work, unit_id)
            rows = join(anonymous_id, unit_id, tuple(known.values()), is_bucketed=is_bucketed, now=self._clock())
            if not rows:
                return known[anonymous_id]
            if not trusted and _is_customer(work, anonymous_id):
                told = "This id is a customer's: it is not anonymous."
                raise Taken("anonymous_id_known", told, path="/anonymous_id")
            work.identities.add(rows)
            work.commit()
        self._identities.forget([anonymous_id, unit_id])
        return rows[-1]

    def _is_bucketed(self, work: UnitOfWork, unit_id: str) -> bool:
        """Say whether the unit sees something by its own id that would change: it was exposed, or it is a tester."""
        live = [entry.experiment for entry in self._catalog.loaded().live.values()]
        if any(unit_id in experiment.definition.forced for experiment in live):
            return True
        return work.identities.is_exposed(unit_id, _splitting(live))


def _is_customer(work: UnitOfWork, unit_id: str) -> bool:
    """Say whether a system of the house speaks of the unit; others speak of visitors whom nobody knows."""
    stored = work.profiles.get(unit_id)
    speaking = [] if stored is None else [source for source, said in stored.profile.said.items() if said]
    return any(work.sources.get(source).value.kind is SourceKind.FIRST_PARTY for source in speaking)


def _splitting(live: Collection[Experiment]) -> list[str]:
    return [experiment.key for experiment in live if experiment.status is not Status.STOPPED]
