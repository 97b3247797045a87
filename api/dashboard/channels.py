"""Results by channel of the first exposure, and persons whose ids contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.dashboard import format as say
from api.dashboard.names import Names
from experiments.domain.wording import plural

NAMES = {
    "email": "E-mail",
    "web": "Web",
    "app": "App",
    "store": "Store",
    "call_centre": "Call centre",
    "other": "Other",
    None: "Not said",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLine:
    """A variant in a channel."""

    variant: str
    value: str
    lift: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    name: str
    units: str
    lines: tuple[ChannelLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    metric: str
    channels: tuple[Channel, ...]


def channels_of(supplement: Mapping[str, Any], control: str, names: Names) -> Channels | None:
    """Return the table of the primary metric, lifts over the control; None where no exposure has a channel."""
    found = supplement.get("channels")
    if not found:
        return None
    return Channels(
        metric=names.metric(_primary(found[0])["metric"]),
        channels=tuple(
            Channel(
                name=NAMES[one["channel"]],
                units=say.amount(one["units"], names.unit),
                lines=tuple(_lines(one, control, names)),
            )
            for one in found
        ),
    )


def identities_of(supplement: Mapping[str, Any], names: Names) -> str:
    """Say how many persons were exposed by several ids; nothing where nobody was."""
    joined = supplement.get("identities")
    if not joined or not joined["several_ids_exposed"]:
        return ""
    told = f"{say.amount(joined['several_ids_exposed'], names.unit)} saw this by several ids, and count once."
    if joined["contradictions"]:
        left_out = say.count(joined["contradictions"])
        told += f" {left_out} of all {plural(names.unit)} are left out: their ids saw different variants."
    return told


def _lines(found: Mapping[str, Any], control: str, names: Names) -> Iterator[ChannelLine]:
    metric = _primary(found)
    effects = {one["treatment"]: one["lift"] for one in metric["comparisons"] if one["baseline"] == control}
    value = _value_of(metric["kind"])
    for arm in metric["arms"]:
        effect = effects.get(arm["variant"], {})
        yield ChannelLine(
            variant=names.variant(arm["variant"]),
            value=_said(arm["value"], value),
            lift=_said(effect.get("value"), say.lift),
            interval=_interval(effect.get("interval", {})),
        )


def _primary(found: Mapping[str, Any]) -> Mapping[str, Any]:
    metric: Mapping[str, Any] = next(one for one in found["metrics"] if one["role"] == "primary")
    return metric


def _value_of(kind: str) -> say.Words:
    return say.share if kind == "conversion" else say.plain_number


def _said(value: object, words: say.Words) -> str:
    return words(value) if isinstance(value, int | float) else ""


def _interval(interval: Mapping[str, Any]) -> str:
    low, high = (_said(interval.get(end), say.lift) for end in ("low", "high"))
    return f"{low} to {high}" if low and high else ""
