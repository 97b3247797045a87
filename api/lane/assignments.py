"""`/v1/assignments` and `/v1/assignments/batch` in the lane."""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

import msgspec

from api.lane.answers import AnswersHolder, Written, implied_exposures
from api.lane.asked import Environ, Held, Reply, reply
from api.lane.clean import UNREADABLE, Value, is_fit, is_id, is_plain, names_in
from api.lane.exposing import Exposing
from api.metrics.counts import Decisions
from api.schemas.assignment import MAX_UNITS
from experiments.domain.event import Channel
from experiments.services.assigning.implied import Implied
from experiments.services.caches import Caches
from experiments.services.keys import Principal

_UNSET = msgspec.UNSET


class Ask(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    unit_id: str
    attributes: dict[str, Value] | msgspec.UnsetType = _UNSET
    experiment: str | msgspec.UnsetType | None = _UNSET
    channel: Channel | msgspec.UnsetType | None = _UNSET


class AskedUnit(msgspec.Struct, forbid_unknown_fields=True):
    unit_id: str
    attributes: dict[str, Any] | msgspec.UnsetType = _UNSET


class AskMany(msgspec.Struct, forbid_unknown_fields=True):
    units: list[AskedUnit]
    experiment: str | msgspec.UnsetType | None = _UNSET
    channel: Channel | msgspec.UnsetType | None = _UNSET


_ask = msgspec.json.Decoder(Ask).decode
_ask_many = msgspec.json.Decoder(AskMany).decode
_NONE: dict[str, Any] = {}


class Assignments:
    """Answers what is asked plainly; who is not known, or asks for what is not there, is left to Flask."""

    def __init__(
        self,
        answers: AnswersHolder,
        exposing: Exposing,
        decisions: Decisions,
        caches: Caches,
    ) -> None:
        self._answers = answers
        self._profiles = caches.profiles
        self._consents = caches.consents
        self._identities = caches.identities
        self._exposing = exposing
        self._by_slot = decisions.by_slot

    def one(self, _environ: Environ, body: bytes, principal: Principal) -> Reply | Held | None:
        """`/v1/assignments`, with few calls of functions: among all that a server does, each is cold."""
        try:
            ask = _ask(body)
        except UNREADABLE:
            return None
        unit_id, attributes, experiment = ask.unit_id, ask.attributes, ask.experiment
        names = 1 if experiment is _UNSET else 2
        if attributes is _UNSET:
            attributes = _NONE
        else:
            names += 1
        if experiment is _UNSET:
            experiment = None
        channel: Channel | None = None
        if ask.channel is not _UNSET:
            names += 1
            channel = ask.channel
        answers = self._answers.latest
        if answers.catalog is not self._answers.catalog.current or principal.tags:
            wanted = self._answers.group(experiment, principal.tags)
        else:
            wanted = answers.running if experiment is None else answers.live.get(experiment)
        if wanted is None or not is_fit(unit_id, attributes, body, names):
            return None
        if self._consents.is_asked and self._consents.lacks(unit_id):
            return self._exposing.told(_together(wanted.withheld), wanted.withheld, ())
        person_id = bucketed_as = unit_id
        if self._identities.active:
            person_id, bucketed_as = self._identities.of(unit_id)
        known = self._profiles.merged(person_id, attributes) if wanted.profiled else attributes
        if len(wanted.assigns) == 1:
            written = wanted.assigns[0](bucketed_as, known)
            if written.implied is not None:
                return self._exposing.told(written.reply, (written,), ((unit_id, written.implied),), channel)
            self._by_slot[written.slot] += 1
            return written.reply
        given = [assign(bucketed_as, known) for assign in wanted.assigns]
        shown = implied_exposures(unit_id, given) if wanted.exposes else ()
        return self._exposing.told(_together(given), given, shown, channel)

    def many(self, _environ: Environ, body: bytes, principal: Principal) -> Reply | Held | None:
        """`/v1/assignments/batch`."""
        try:
            ask = _ask_many(body)
        except UNREADABLE:
            return None
        experiment, channel = ask.experiment, ask.channel
        names = 1 + (experiment is not _UNSET) + (channel is not _UNSET)
        for unit in ask.units:
            names += 1 if unit.attributes is _UNSET else 2 + names_in(unit.attributes)
        fit = 0 < len(ask.units) <= MAX_UNITS and all(is_id(unit.unit_id) for unit in ask.units)
        wanted = self._answers.group(None if experiment is _UNSET else experiment, principal.tags)
        if not fit or wanted is None or not is_plain(body, names):
            return None
        units = [(unit.unit_id, _NONE if unit.attributes is _UNSET else unit.attributes) for unit in ask.units]
        lacking = {unit_id for unit_id, _ in units if self._consents.lacks(unit_id)} if self._consents.is_asked else ()
        asked = [unit for unit in units if unit[0] not in lacking] if lacking else units
        who = self._identities.of
        self._identities.warm([unit_id for unit_id, _ in asked])
        self._profiles.warm((who(unit_id).person_id, attributes) for unit_id, attributes in asked)
        exposed: list[tuple[str, Implied]] = []
        decided: list[Written] = []
        results = []
        for unit_id, attributes in units:
            given: Sequence[Written] = wanted.withheld
            if unit_id not in lacking:
                person_id, bucketed_as = who(unit_id)
                known = self._profiles.merged(person_id, attributes)
                given = [assign(bucketed_as, known) for assign in wanted.assigns]
            decided += given
            if wanted.exposes:
                exposed += implied_exposures(unit_id, given)
            results.append(
                b'{"unit_id":%b,"assignments":[%b]}'
                % (encode_basestring_ascii(unit_id).encode(), b",".join([written.document for written in given]))
            )
        together = reply(b'{"results":[' + b",".join(results) + b"]}\n")
        return self._exposing.told(together, decided, exposed, None if channel is _UNSET else channel)


def _together(given: Sequence[Written]) -> Reply:
    return reply(b'{"assignments":[' + b",".join([written.document for written in given]) + b"]}\n")
