"""Strict fields: no text becomes a number, nothing infinite, nothing that a database cannot hold gets through."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields

from api.schemas.messages import Coded
from experiments.domain.durations import MAX_SECONDS
from experiments.domain.event import Channel
from experiments.domain.names import KEY_PATTERN

BUCKETING = {
    "enum": [1, 2],
    "description": "The hash by which units are split; it never changes. 2 is that of GrowthBook's SDKs, for those "
    "that decide by themselves.",
}
MAX_WHOLE = 2**31 - 1
MAX_JSON_WHOLE = 2**63 - 1
MAX_JSON_DEPTH = 32
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

Loaded = Mapping[str, Any] | None


def is_storable(text: str) -> bool:
    """Say whether a text holds neither NUL nor unpaired surrogates."""
    return not _UNSTORABLE.search(text)


class Text(fields.String):
    """A text that any database can hold."""

    default_error_messages = {  # noqa: RUF012 - marshmallow merges these along the classes
        "text_invalid": "The text holds a character that cannot be stored.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not is_storable(text):
            raise self.make_error("text_invalid")
        return text


class Key(Text):
    """A text that the domain will want to be a key."""

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": KEY_PATTERN, **(metadata or {})}, **kwargs)


class Whole(fields.Integer):
    """A whole number, neither text nor 1.0; what it may be beyond that the domain says."""

    def __init__(self, *, most: int = MAX_WHOLE, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)
        self.most = most

    default_error_messages = {  # noqa: RUF012
        "out_of_range": "The number is out of range.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid")
        if not -self.most <= value <= self.most:
            raise self.make_error("out_of_range")
        return value


def seconds(**kwargs: Any) -> Whole:
    """Return the field of a duration, at most a hundred years."""
    return Whole(most=MAX_SECONDS, **kwargs)


class Number(fields.Float):
    """A finite number, never a text."""

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        try:
            number = float(value)
        except OverflowError:
            raise self.make_error("special") from None
        if not math.isfinite(number):
            raise self.make_error("special")
        return number


class Flag(fields.Boolean):
    """true or false, and nothing that looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Instant(fields.AwareDateTime):
    """An ISO 8601 instant with its offset, from 1970 on; read into UTC."""

    default_error_messages = {  # noqa: RUF012
        "invalid": "An instant is wanted as ISO 8601, such as 2026-01-31T12:00:00Z.",
        "instant_without_zone": "An instant needs a time zone.",
        "out_of_range": "The instant lies before 1970.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            raise self.make_error("invalid") from None
        if instant.tzinfo is None:
            raise self.make_error("instant_without_zone")
        try:
            instant = instant.astimezone(UTC)
        except OverflowError:
            raise self.make_error("out_of_range") from None
        if instant < EARLIEST:
            raise self.make_error("out_of_range")
        return instant


def choice(of: type[StrEnum], **kwargs: Any) -> fields.Enum[Any]:
    """Return the field of one of a closed set."""
    return fields.Enum(of, by_value=Text(), **kwargs)


class Place(fields.Enum[Channel]):
    """A channel, by name."""

    default_error_messages = {  # noqa: RUF012
        "channel_unknown": f"A channel is one of {', '.join(Channel)}.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Channel, by_value=Text(), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> Channel:
        found = next((channel for channel in Channel if channel == value), None)
        if found is None:
            raise self.make_error("channel_unknown")
        return found


class Json(fields.Raw):
    """Any JSON value that can be stored: bounded in depth, whole numbers within 64 bits."""

    default_error_messages = {  # noqa: RUF012
        "json_unfit": f"JSON nests at most {MAX_JSON_DEPTH} levels here, with 64-bit whole numbers and storable texts.",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> Any:
        if not _is_fit(value):
            raise self.make_error("json_unfit")
        return value


class JsonObject(Json):
    """A JSON object, bounded likewise."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"type": "object", "additionalProperties": True}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(Coded("type", "An object is wanted."))
        return super()._deserialize(value, attr, data, **kwargs)


class Several(fields.List[Any]):
    """A list that becomes a tuple."""

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


class Table(fields.Dict):
    """An object from any key to one kind of value, whose errors stand at `/key`."""

    def _deserialize(self, value: Any, attr: str | None, data: Loaded, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            if isinstance(error.messages, dict):
                raise ValidationError(
                    {key: below.get("value") or below["key"] for key, below in error.messages.items()}
                ) from None
            raise


def _is_fit(document: object) -> bool:
    pending: list[tuple[int, object]] = [(1, document)]
    while pending:
        depth, value = pending.pop()
        if depth > MAX_JSON_DEPTH or not _is_fit_alone(value):
            return False
        pending.extend((depth + 1, below) for below in _parts(value))
    return True


def _is_fit_alone(value: object) -> bool:
    if isinstance(value, str):
        return is_storable(value)
    return not isinstance(value, int) or abs(value) <= MAX_JSON_WHOLE


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value
