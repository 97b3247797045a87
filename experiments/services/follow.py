"""Following the log: purchases become what profiles say of customers, a bounded transaction at a time.

A purchase is counted together with the place that was reached, and makes its customer due; who is due is written into
the profiles together with the instant at which time alone will change it again. So wherever a process dies, nothing is
lost and nothing counted twice, and nobody is written but who bought something or passed such an instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import ibis

from analysis.estimate import Undefined
from experiments.domain.attribute import MAX_WHOLE
from experiments.domain.profile import Profile, amend
from experiments.domain.purchases import Followed, Purchases
from experiments.services.behaviour import SOURCE, cuts_document, history_of, next_due, purchases_of, sayable, values
from experiments.services.collector import held_back
from experiments.services.forecast import (
    HORIZON_WEEKS,
    expectations,
    forecast_document,
    forecast_of,
    looked_at,
    sayable_by,
)
from experiments.services.ports import Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import read_registry
from segmentation.behaviour.cuts import Cuts, quantile_cuts
from segmentation.behaviour.histories import Histories
from segmentation.behaviour.history import History
from segmentation.value.forecast import fit_forecast

EVENTS_AT_ONCE = 100_000
"""Purchases counted in one transaction."""
JOINED_AT_ONCE = 2_000
"""Acts of joining ids whose purchases are moved in one."""
UNITS_AT_ONCE = 5_000
"""Profiles written in one: other sources wait for its end."""
CUTS_SECONDS = 86_400
"""How old cuts become: finding them takes a look at everybody."""
ASLEEP = timedelta(days=1)
"""How long who does not consent is left alone before they are looked at again: nothing is said of them meanwhile."""
FEW_CUSTOMERS = 1_000
"""While there are fewer, cuts are found anew whenever customers have doubled, and everybody is scored by them."""


class Follower:
    """`names`: the events that are purchases; none: nothing is followed, and what was said before is taken back.

    `cuts`: declared ones; None: quantiles, found anew every `cuts_seconds`.
    """

    def __init__(
        self,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        names: Sequence[str],
        *,
        register: Callable[[], None],
        cuts: Cuts | None = None,
        cuts_seconds: float = CUTS_SECONDS,
        events_at_once: int = EVENTS_AT_ONCE,
        units_at_once: int = UNITS_AT_ONCE,
    ) -> None:
        self._open = open_unit_of_work
        self._clock = clock
        self._names = tuple(sorted(set(names)))
        self._register: Callable[[], None] | None = register
        self._declared = cuts
        self._cuts_age = timedelta(seconds=cuts_seconds)
        self._events_at_once = events_at_once
        self._units_at_once = units_at_once

    def step(self) -> bool:
        """Do the next transaction; False where there is none to do."""
        todo = self._todo(self._clock())
        if todo is None:
            return False
        if self._register is not None and self._names:
            self._register()
            self._register = None
        with held_back():
            todo()
        return True

    def _todo(self, now: datetime) -> Callable[[], None] | None:
        with self._open(read_only=True) as work:
            followed = work.behaviour.followed()
            if followed.names != self._names:
                return self._restart
            if work.identities.revision() > followed.identity_revision:
                return self._join
            if work.log.named(self._names, above=followed.event_id, upto=MAX_WHOLE, most=1):
                return self._count
            if not work.behaviour.due(now, most=1):
                return None
            return self._cut if self._wants_cuts(followed, work, now) else self._write

    def _restart(self) -> None:
        """Other events are purchases than before: count all of them from the first on."""
        with self._open() as work:
            work.behaviour.advance(replace(work.behaviour.take(), names=self._names, event_id=0))
            work.behaviour.restart(self._clock())
            work.commit()

    def _count(self) -> None:
        now = self._clock()
        with self._open() as work:
            followed = work.behaviour.take()
            upto = work.log.watermark(now=now).event_id
            rows = work.log.named(self._names, above=followed.event_id, upto=upto, most=self._events_at_once)
            new = _bought(rows, work)
            before = work.behaviour.some(new.unit_ids)
            work.behaviour.put(_joined(new, before.values(), now))
            reached = rows[-1][0] if len(rows) == self._events_at_once else upto
            work.behaviour.advance(replace(followed, event_id=max(followed.event_id, reached)))
            work.commit()

    def _join(self) -> None:
        """Give what was bought under ids that were joined since to their persons."""
        now = self._clock()
        with self._open() as work:
            followed = work.behaviour.take()
            upto = min(work.identities.revision(), followed.identity_revision + JOINED_AT_ONCE)
            joined = work.identities.added(above=followed.identity_revision, upto=upto)
            whose = {one.unit_id: one.person_id for one in joined if one.unit_id != one.person_id}
            rows = work.behaviour.some({*whose, *whose.values()})
            changed = _moved(rows, whose, now)
            work.behaviour.put(list(changed.values()))
            work.behaviour.advance(replace(followed, identity_revision=upto))
            work.commit()

    def _wants_cuts(self, followed: Followed, work: UnitOfWork, now: datetime) -> bool:
        if self._declared is not None:
            return False
        if followed.cuts_at is None or abs(now - followed.cuts_at) >= self._cuts_age:
            return work.behaviour.count(most=1) > 0
        few = followed.cuts_customers < FEW_CUSTOMERS
        return few and work.behaviour.count(most=FEW_CUSTOMERS) >= 2 * followed.cuts_customers

    def _cut(self) -> None:
        """Find cuts and models in what everybody is now; they count for who buys, or is due, from now on.

        Everybody is due where something begins to be expected, or ceases to be.
        """
        now = self._clock()
        with self._open(read_only=True) as work:
            columns, seen = looked_at(work.behaviour.states(), now)
        cuts = quantile_cuts(ibis.memtable(columns))
        if isinstance(cuts, Undefined):
            return
        customers = columns.num_rows
        forecast = forecast_document(fit_forecast(seen, weeks=HORIZON_WEEKS))
        with self._open() as work:
            before = work.behaviour.take()
            found = {"cuts": cuts_document(cuts), "cuts_at": now, "cuts_customers": customers, "forecast": forecast}
            work.behaviour.advance(replace(before, **found))
            is_news = before.cuts_at is not None and sayable_by(before.forecast) != sayable_by(forecast)
            if customers < FEW_CUSTOMERS or is_news:
                work.behaviour.make_all_due(now)
            work.commit()

    def _write(self) -> None:
        now = self._clock()
        with self._open() as work:
            followed = work.behaviour.take()
            cuts, forecast = self._declared or _cuts(followed.cuts), forecast_of(followed.forecast)
            due = work.behaviour.due(now, most=self._units_at_once)
            gone = [row.unit_id for row in due if not row.frequency]
            counted = {row.unit_id: row for row in due if row.frequency}
            histories = _consenting({unit_id: history_of(row) for unit_id, row in counted.items()}, work)
            asleep = counted.keys() - histories.keys()
            expected = expectations(histories, forecast, now)
            said = {unit_id: values(one, cuts, now) | expected[unit_id] for unit_id, one in histories.items() if cuts}
            _say(work, {**said, **{unit_id: {} for unit_id in gone}}, now)
            due_at = {
                unit_id: next_due(one, cuts, now, expects=bool(expected[unit_id]))
                for unit_id, one in histories.items()
                if cuts
            }
            work.behaviour.postpone(due_at | dict.fromkeys(asleep, now + ASLEEP))
            work.behaviour.remove(gone)
            work.commit()


def _consenting(found: Mapping[str, History], work: UnitOfWork) -> Mapping[str, History]:
    lacking = work.consents.lacking(found.keys())
    return {unit_id: one for unit_id, one in found.items() if unit_id not in lacking} if lacking else found


def _bought(rows: Sequence[tuple[int, str, float | None, datetime]], work: UnitOfWork) -> Histories:
    """By person, as a purchase belongs to who bought, whatever the id; nothing of who does not consent."""
    unit_ids, values, instants = [row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
    if work.identities.revision():
        known = work.identities.some(set(unit_ids))
        unit_ids = [known[unit_id].person_id if unit_id in known else unit_id for unit_id in unit_ids]
    if lacking := work.consents.lacking(set(unit_ids)):
        kept = [place for place, unit_id in enumerate(unit_ids) if unit_id not in lacking]
        unit_ids, values = [unit_ids[place] for place in kept], [values[place] for place in kept]
        instants = [instants[place] for place in kept]
    return Histories.of_purchases(unit_ids, instants, values)


def _joined(new: Histories, before: Iterable[Purchases], now: datetime) -> list[Purchases]:
    """Add to what was counted before; who bought is due."""
    counted = [row for row in before if row.frequency]
    states = Histories.of_states([row.unit_id for row in counted], counted)
    return [purchases_of(row, due_at=now) for row in (new + states).rows()]


def _moved(rows: Mapping[str, Purchases], whose: Mapping[str, str], now: datetime) -> dict[str, Purchases]:
    """Rows that change: persons have bought what their ids had, and of those ids nothing counts any more."""
    changed: dict[str, Purchases] = {}
    for unit_id, person_id in whose.items():
        row = rows.get(unit_id)
        if row is not None and row.frequency:
            before = changed.get(person_id, rows.get(person_id))
            bought = Histories.of_states([person_id], [history_of(row)])
            (changed[person_id],) = _joined(bought, [] if before is None else [before], now)
            changed[unit_id] = replace(row, frequency=0, due_at=now)
    return changed


def _cuts(stored: Mapping[str, tuple[int, ...]] | None) -> Cuts | None:
    return None if stored is None else Cuts(**stored)


def _say(work: UnitOfWork, said: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
    """Write what is new; what is no longer said of a unit is taken back."""
    registry = read_registry(work)
    ours = sayable(registry)
    stored = work.profiles.to_change(said)
    changed = []
    for unit_id, wanted in said.items():
        before = stored[unit_id].profile if unit_id in stored else Profile(unit_id=unit_id)
        present = {name: one.value for name, one in before.said.get(SOURCE, {}).items() if name in ours}
        news = {name: wanted.get(name) for name in sorted(ours) if wanted.get(name) != present.get(name)}
        if news:
            after = amend(before, SOURCE, news, now, just_now=True).profile
            changed.append((after, registry.values(after, now=now)))
    work.profiles.put(changed, now=now)
