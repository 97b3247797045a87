"""OFREP's evaluations in the lane."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from api.lane.answers import AnswersHolder, Group, Written, implied_exposures
from api.lane.asked import Environ, Held, Reply, reply
from api.lane.clean import UNREADABLE, is_id, is_plain, names_in
from api.lane.exposing import Exposing, Shown
from api.ofrep.evaluation import bulk, tag
from api.ofrep.streams import encoded_streams
from experiments.services.caches import Caches
from experiments.services.keys import Principal

FLAGS = "/ofrep/v1/evaluate/flags"


class Evaluate(msgspec.Struct):
    """What else stands beside the context is OFREP's business, and counted by nobody: such a body is Flask's."""

    context: dict[str, Any]


_evaluate = msgspec.json.Decoder(Evaluate).decode


class Evaluations:
    """`streams_url` and `secret`: what the addresses of change streams are made of."""

    def __init__(
        self,
        answers: AnswersHolder,
        exposing: Exposing,
        caches: Caches,
        *,
        streams_url: str,
        secret: str,
    ) -> None:
        self._answers = answers
        self._profiles = caches.profiles
        self._consents = caches.consents
        self._identities = caches.identities
        self._exposing = exposing
        self._streams_url = streams_url
        self._secret = secret

    def one(self, environ: Environ, body: bytes, principal: Principal) -> Reply | Held | None:
        """`/ofrep/v1/evaluate/flags/{key}`."""
        group = self._answers.group(environ["PATH_INFO"][len(FLAGS) + 1 :], principal.tags)
        decided = None if group is None else self._decided(body, group)
        if decided is None:
            return None
        given, shown = decided
        return self._exposing.told(reply(given[0].evaluation), given, shown)

    def all(self, environ: Environ, body: bytes, principal: Principal) -> Reply | Held | None:
        """`/ofrep/v1/evaluate/flags`."""
        current = self._answers.current()
        answers = None if current is None else current.seen_with(principal.tags)
        decided = None if answers is None else self._decided(body, answers.every)
        if answers is None or decided is None:
            return None
        given, shown = decided
        held = environ.get("HTTP_IF_NONE_MATCH")
        streams, ticket = encoded_streams(
            self._streams_url, self._secret, principal.key_id, answers.catalog.version, time.time()
        )
        evaluations = [written.evaluation for written in given]
        etag = f'"{tag(evaluations, ticket)}"'
        if held is None:
            answer = reply(bulk(evaluations, streams), headers=(("ETag", etag),))
        elif held == etag:
            answer = reply(b"", "304 NOT MODIFIED", (("ETag", etag),))
        else:
            return None  # another tag, or several of them, are rare, and for Flask to compare
        return self._exposing.told(answer, given, shown)

    def _decided(self, body: bytes, group: Group) -> tuple[Sequence[Written], Shown] | None:
        """Return the answers, and which of them are shown by being given."""
        try:
            context = _evaluate(body).context
        except UNREADABLE:
            return None
        names = 1 + names_in(context)
        unit_id = context.pop("targetingKey", None)
        if type(unit_id) is not str or not is_id(unit_id) or not is_plain(body, names):
            return None
        if self._consents.is_asked and self._consents.lacks(unit_id):
            given: Sequence[Written] = group.withheld
        else:
            person_id, bucketed_as = self._identities.of(unit_id)
            known = self._profiles.merged(person_id, context)
            given = [assign(bucketed_as, known) for assign in group.assigns]
        return given, implied_exposures(unit_id, given) if group.exposes else ()
