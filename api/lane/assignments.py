"""`/v1/assignments` and `/v1/assignments/batch` in the lane."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import Any

import msgspec

from api.lane.answers import Answers, AnswersHolder, Group, Written
from api.lane.asked import Asked, Reply
from api.lane.clean import UNREADABLE, is_id, is_plain, names_in
from api.lane.exposing import Exposing, Shown
from api.metrics.counts import Decisions
from api.schemas.assignment import MAX_UNITS
from experiments.services.profile_cache import ProfileCache


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    unit_id: str
    attributes: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    experiment: str | msgspec.UnsetType | None = msgspec.UNSET


class AskedUnit(msgspec.Struct, forbid_unknown_fields=True):
    unit_id: str
    attributes: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class AskMany(msgspec.Struct, forbid_unknown_fields=True):
    units: list[AskedUnit]
    experiment: str | msgspec.UnsetType | None = msgspec.UNSET


_ask = msgspec.json.Decoder(Ask).decode
_ask_many = msgspec.json.Decoder(AskMany).decode
_NONE: dict[str, Any] = {}


class Assignments:
    """Answers what is asked plainly; who is not known, or asks for what is not there, is left to Flask."""

    def __init__(
        self, answers: AnswersHolder, exposing: Exposing, decisions: Decisions, profiles: ProfileCache
    ) -> None:
        self._answers = answers
        self._profiles = profiles
        self._exposing = exposing
        self._by_slot = decisions.by_slot

    def one(self, asked: Asked) -> Reply | None:
        """`/v1/assignments`."""
        try:
            ask = _ask(asked.body)
        except UNREADABLE:
            return None
        names, attributes = 1, ask.attributes
        if attributes is msgspec.UNSET:
            attributes = _NONE
        else:
            names += 1 + names_in(attributes)
        names += ask.experiment is not msgspec.UNSET
        unit_id = ask.unit_id
        if not is_id(unit_id) or not is_plain(asked.body, names):
            return None
        wanted = _wanted(self._answers.current(), ask.experiment, asked.principal.tags)
        if wanted is None:
            return None
        known = self._profiles.merged(unit_id, attributes)
        given = [assign(unit_id, known) for assign in wanted.assigns]
        if wanted.exposes and not self._exposing.expose(unit_id, given):
            return None
        for written in given:
            self._by_slot[written.slot] += 1
        return Reply(b'{"assignments":[' + b",".join([written.document for written in given]) + b"]}\n")

    def many(self, asked: Asked) -> Reply | None:
        """`/v1/assignments/batch`."""
        try:
            ask = _ask_many(asked.body)
        except UNREADABLE:
            return None
        names = 1 + (ask.experiment is not msgspec.UNSET)
        for unit in ask.units:
            names += 1 if unit.attributes is msgspec.UNSET else 2 + names_in(unit.attributes)
        fit = 0 < len(ask.units) <= MAX_UNITS and all(is_id(unit.unit_id) for unit in ask.units)
        wanted = _wanted(self._answers.current(), ask.experiment, asked.principal.tags)
        if not fit or wanted is None or not is_plain(asked.body, names):
            return None
        units = [(unit.unit_id, _NONE if unit.attributes is msgspec.UNSET else unit.attributes) for unit in ask.units]
        self._profiles.warm(units)
        exposed: Shown = []
        decided: list[Written] = []
        results = []
        for unit_id, attributes in units:
            known = self._profiles.merged(unit_id, attributes)
            given = [assign(unit_id, known) for assign in wanted.assigns]
            decided += given
            if wanted.exposes:
                exposed += [(unit_id, written) for written in given if written.exposes]
            results.append(
                b'{"unit_id":%b,"assignments":[%b]}'
                % (encode_basestring_ascii(unit_id).encode(), b",".join([written.document for written in given]))
            )
        if not self._exposing.expose_all(exposed):
            return None
        for written in decided:
            self._by_slot[written.slot] += 1
        return Reply(b'{"results":[' + b",".join(results) + b"]}\n")


def _wanted(answers: Answers | None, experiment: str | msgspec.UnsetType | None, tags: frozenset[str]) -> Group | None:
    """Return the experiments that are asked for; None where the key sees no such one, or there is no catalog."""
    if answers is None:
        return None
    if tags:
        answers = answers.seen_with(tags)
    if experiment is None or experiment is msgspec.UNSET:
        return answers.running
    return answers.live.get(experiment)
