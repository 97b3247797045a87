"""Layers: sets of mutually exclusive experiments, and the units held out of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from experiments.domain.bucketing import BUCKETS, check_bucketing
from experiments.domain.errors import InvalidInput, LayerFull
from experiments.domain.names import check_key, check_text

HOLDOUT = "*holdout*"
"""Stands where an experiment's key would; no key can look like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The half-open range of layer buckets [start, end) belongs to `experiment`."""

    start: int
    end: int
    experiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """`holdout_bp` buckets at the top end see no experiment of the layer; slots never overlap."""

    key: str
    name: str
    salt: str
    holdout_bp: int = 0
    slots: tuple[Slot, ...] = ()
    bucketing: int = 1

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.salt, "/salt", least=1, most=200)
        check_bucketing(self.bucketing)
        if not 0 <= self.holdout_bp < BUCKETS:
            raise InvalidInput("holdout_invalid", f"A holdout is 0 to {BUCKETS - 1} basis points.", path="/holdout_bp")
        edge = 0
        for slot in self.slots:
            if not edge <= slot.start < slot.end <= BUCKETS - self.holdout_bp:
                raise InvalidInput(
                    "layer_slots_invalid",
                    "Slots overlap, or reach into the holdout: stop an experiment first.",
                    path="/holdout_bp",
                )
            edge = slot.end

    def claim(self, experiment: str, share_bp: int) -> Layer:
        """Return the layer with `share_bp` free buckets, lowest first, given to the experiment."""
        taken: list[Slot] = []
        wanted = share_bp
        for start, end in self._free():
            width = min(wanted, end - start)
            if width:
                taken.append(Slot(start=start, end=start + width, experiment=experiment))
                wanted -= width
        if wanted:
            raise LayerFull(
                "layer_full", f"Layer {self.key!r} has {share_bp - wanted} free basis points, {share_bp} are wanted."
            )
        return replace(self, slots=tuple(sorted((*self.slots, *taken), key=lambda slot: slot.start)))

    def release(self, experiment: str) -> Layer:
        """Return the layer without the experiment's slots."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.experiment != experiment))

    def owner(self, bucket: int) -> str | None:
        """Return the experiment that a layer bucket belongs to, `HOLDOUT`, or None where it is free."""
        if bucket >= BUCKETS - self.holdout_bp:
            return HOLDOUT
        return next((slot.experiment for slot in self.slots if slot.start <= bucket < slot.end), None)

    def _free(self) -> list[tuple[int, int]]:
        gaps, edge = [], 0
        for slot in self.slots:
            gaps.append((edge, slot.start))
            edge = slot.end
        return [gap for gap in (*gaps, (edge, BUCKETS - self.holdout_bp)) if gap[0] < gap[1]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerClaim:
    """An experiment's wish for `share_bp` basis points of a layer."""

    layer: str
    share_bp: int

    def __post_init__(self) -> None:
        check_key(self.layer, "/layer")
        if not 0 < self.share_bp <= BUCKETS:
            raise InvalidInput("share_invalid", f"A share is 1 to {BUCKETS} basis points.", path="/share_bp")
