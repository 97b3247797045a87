"""`/v1/events` in the lane: clean batches go from the body to the journal's lines without becoming objects of ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from json.encoder import encode_basestring_ascii
from time import monotonic

import msgspec

from api.lane.asked import Environ, Held, reply
from api.lane.clean import UNREADABLE, is_id, is_plain
from api.metrics.items import ACCEPTED_EVENTS, ACCEPTED_EXPOSURES, Items
from api.schemas.fields import EARLIEST, MAX_WHOLE
from api.schemas.record import MAX_ITEMS
from experiments.domain.errors import DomainError
from experiments.domain.event import MAX_VALUE, Channel, Exposure, ExposureClaim
from experiments.domain.names import KEY_PATTERN, MAX_ID_LENGTH
from experiments.services.keys import Principal
from experiments.services.ports import Clock
from experiments.services.recording.lines import NULL, Lines, escaped, instant_text, to_lines
from experiments.services.recording.record import AHEAD_SECONDS, Recorder

_MAX_NAMES = 10_000
_KEY = re.compile(KEY_PATTERN.removesuffix("$") + r"\Z")
_UNSET = msgspec.UNSET
_ACCEPTED = ',"status":"accepted","code":null,"message":null,"path":null}'
_BETWEEN = f'"{_ACCEPTED},{{"event_id":"'


class SentEvent(msgspec.Struct, tag_field="type", tag="event", forbid_unknown_fields=True, gc=False):
    event_id: str
    unit_id: str
    name: str
    value: float | msgspec.UnsetType | None = _UNSET
    channel: Channel | msgspec.UnsetType | None = _UNSET
    occurred_at: str | msgspec.UnsetType = _UNSET


class SentExposure(msgspec.Struct, tag_field="type", tag="exposure", forbid_unknown_fields=True, gc=False):
    event_id: str
    unit_id: str
    experiment: str
    version: int
    segment: str
    variant: str
    channel: Channel | msgspec.UnsetType | None = _UNSET
    occurred_at: str | msgspec.UnsetType = _UNSET


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    items: list[SentEvent | SentExposure]


_sent = msgspec.json.Decoder(Sent).decode


class _Unclean(Exception):
    """An item that Flask has to judge, and with it the batch."""


class Events:
    """Answers batches in which every item is accepted; one that is anything else is Flask's, and so is its batch."""

    def __init__(self, recorder: Recorder, clock: Clock, items: Items) -> None:
        self._recorder = recorder
        self._clock = clock
        self._by_slot = items.by_slot
        self._names: set[str] = set()

    def record(self, _environ: Environ, body: bytes, principal: Principal) -> Held | None:
        """Accept all of the batch, once it is stored."""
        try:
            items = _sent(body).items
        except UNREADABLE:
            return None
        if not 0 < len(items) <= MAX_ITEMS:
            return None
        if principal.tags and any(type(item) is SentExposure for item in items):
            return None  # whether the key sees the experiment is Flask's to say
        simple = b"\\" not in body and b"\x7f" not in body
        try:
            lines, names = self._lines(items, simple=simple)
        except (_Unclean, DomainError):
            return None
        if not (simple and body.count(b":") == names + _colons(items)) and not is_plain(body, names):
            return None
        answer = reply(_answer(items, simple=b"\\" not in body and body.isascii()), "202 ACCEPTED")
        return Held(answer, lines, partial(self._stored, lines))

    def _stored(self, lines: Lines) -> None:
        if lines.event_rows:
            self._by_slot[ACCEPTED_EVENTS] += lines.event_rows
        if lines.exposure_rows:
            self._by_slot[ACCEPTED_EXPOSURES] += lines.exposure_rows

    def _lines(self, items: Sequence[SentEvent | SentExposure], *, simple: bool) -> tuple[Lines, int]:
        """Return the rows, and how many names the body has. `simple`: no text has anything to escape or to refuse."""
        moments = _Moments(self._clock())
        events = [item for item in items if type(item) is SentEvent]
        claims = [item for item in items if type(item) is SentExposure] if len(events) < len(items) else []
        values = [event.value for event in events]
        channels, instants = [item.channel for item in items], [item.occurred_at for item in items]
        unsaid = values.count(_UNSET) + channels.count(_UNSET) + instants.count(_UNSET)
        checked = to_lines([], self._exposures(claims, moments) if claims else [], received_at=moments.now)
        return (
            Lines(
                events=self._event_lines(events, moments, simple=simple).encode() if events else b"",
                event_rows=len(events),
                exposures=checked.exposures,
                exposure_rows=checked.exposure_rows,
            ),
            1 + 7 * len(events) + 9 * len(claims) - unsaid,
        )

    def _event_lines(self, events: Sequence[SentEvent], moments: _Moments, *, simple: bool) -> str:
        """Column by column, which is quicker than event by event."""
        ids, units = [event.event_id for event in events], [event.unit_id for event in events]
        names = [event.name for event in events]
        self._check_names(set(names))
        if len(set(ids)) < len(ids):
            raise _Unclean
        if simple:
            if not (all(ids) and all(units)) or max(map(len, ids + units)) > MAX_ID_LENGTH:
                raise _Unclean
        elif not all(map(is_id, ids + units)):
            raise _Unclean
        self._require_consent(units)
        if not simple:
            ids, units = list(map(escaped, ids)), list(map(escaped, units))
        columns = (
            ids,
            units,
            names,
            _numbers([event.value for event in events]),
            [NULL if event.channel is _UNSET else event.channel or NULL for event in events],
            moments.texts([event.occurred_at for event in events]),
            repeat(moments.received, len(events)),
        )
        return "\n".join([*map("\t".join, zip(*columns, strict=True)), ""])

    def _check_names(self, names: set[str]) -> None:
        for name in names - self._names:
            if not _KEY.match(name):
                raise _Unclean
            if len(self._names) < _MAX_NAMES:
                self._names.add(name)

    def _exposures(self, claims: Sequence[SentExposure], moments: _Moments) -> list[Exposure]:
        if len({claim.event_id for claim in claims}) < len(claims):
            raise _Unclean
        asked_at = monotonic()
        return [self._exposure(claim, moments, asked_at) for claim in claims]

    def _exposure(self, claim: SentExposure, moments: _Moments, asked_at: float) -> Exposure:
        """Check a claim as the recorder does; what it refuses, Flask has it refuse once more."""
        if not -MAX_WHOLE <= claim.version <= MAX_WHOLE:
            raise _Unclean
        said = ExposureClaim(
            event_id=claim.event_id,
            unit_id=claim.unit_id,
            experiment=claim.experiment,
            version=claim.version,
            segment=claim.segment,
            variant=claim.variant,
            channel=None if claim.channel is _UNSET else claim.channel,
            occurred_at=moments.now if claim.occurred_at is _UNSET else moments.instant(claim.occurred_at),
        )
        self._require_consent([said.unit_id])
        return self._recorder.check(said, asked_at)

    def _require_consent(self, units: Sequence[str]) -> None:
        """Leave to Flask, which says of which units nothing is stored; ids are fit to be ids."""
        consents = self._recorder.caches.consents
        if consents.is_asked and any(map(consents.is_known_to_lack, units)):
            raise _Unclean


class _Moments:
    """Instants of one batch; many of its items often have the same."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.received = instant_text(now)
        self._latest = now + timedelta(seconds=AHEAD_SECONDS)

    def texts(self, sent: Sequence[str | msgspec.UnsetType]) -> list[str]:
        found = {at: self.received if at is _UNSET else instant_text(self.instant(at)) for at in set(sent)}
        return [found[at] for at in sent]

    def instant(self, sent: str) -> datetime:
        try:
            instant = datetime.fromisoformat(sent)
            if instant.tzinfo is None:
                raise _Unclean
            instant = instant.astimezone(UTC)
        except (ValueError, OverflowError):
            raise _Unclean from None
        if not EARLIEST <= instant <= self._latest:
            raise _Unclean
        return instant


def _numbers(values: Sequence[float | msgspec.UnsetType | None]) -> list[str]:
    """Adding 0.0 leaves no -0.0, as in `lines`."""
    said = [value for value in values if value is not None and value is not _UNSET]
    if said and not -MAX_VALUE <= min(said) <= max(said) <= MAX_VALUE:
        raise _Unclean
    if len(said) == len(values):
        return [repr(value + 0.0) for value in said]
    return [NULL if value is None or value is _UNSET else repr(value + 0.0) for value in values]


def _colons(items: Sequence[SentEvent | SentExposure]) -> int:
    """Count those inside of texts: where nothing is escaped, all other colons of a body follow names.

    So a body that has as many as it should has no name twice: `is_plain` finds that out without looking at the texts.
    """
    texts = [item.event_id for item in items]
    texts += [item.unit_id for item in items]
    texts += [item.occurred_at for item in items if item.occurred_at is not _UNSET]
    texts += [item.name for item in items if type(item) is SentEvent]
    claims = (item for item in items if type(item) is SentExposure)
    texts += [text for claim in claims for text in (claim.experiment, claim.segment, claim.variant)]
    return "".join(texts).count(":")


def _answer(items: Sequence[SentEvent | SentExposure], *, simple: bool) -> bytes:
    """Write the verdicts as Flask does. `simple`: the ids stand in JSON as they are."""
    if simple:
        verdicts = '{"event_id":"' + _BETWEEN.join([item.event_id for item in items]) + '"' + _ACCEPTED
    else:
        verdicts = ",".join([f'{{"event_id":{encode_basestring_ascii(item.event_id)}{_ACCEPTED}' for item in items])
    return f'{{"accepted":{len(items)},"duplicate":0,"rejected":0,"items":[{verdicts}]}}\n'.encode()
