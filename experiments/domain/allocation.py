"""Which bucket sees which variant, and how a split changes while moving the fewest units."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from experiments.domain.bucketing import BUCKETS
from experiments.domain.errors import InvalidInput
from experiments.domain.names import pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRange:
    """The half-open range of buckets [start, end) sees `variant`."""

    start: int
    end: int
    variant: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= BUCKETS:
            raise InvalidInput("bucket_range_invalid", f"[{self.start}, {self.end}) is no range within [0, {BUCKETS}).")

    @property
    def width(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Adjoining ranges in order of start that cover every bucket exactly once."""

    ranges: tuple[BucketRange, ...]

    def __post_init__(self) -> None:
        edges = [0, *(piece.end for piece in self.ranges)]
        if edges[-1] != BUCKETS or any(piece.start != edge for piece, edge in zip(self.ranges, edges, strict=False)):
            raise InvalidInput("allocation_incomplete", f"Ranges must cover [0, {BUCKETS}) without gap or overlap.")

    @classmethod
    def from_weights(cls, weights: Mapping[str, int]) -> Allocation:
        """Lay relative integer weights out in order of declaration; largest remainders get the odd buckets."""
        ranges, start = [], 0
        for variant, width in to_basis_points(weights).items():
            if width:
                ranges.append(BucketRange(start=start, end=start + width, variant=variant))
                start += width
        return cls(ranges=tuple(ranges))

    @property
    def weights_bp(self) -> dict[str, int]:
        """Buckets per variant that has any."""
        widths: dict[str, int] = {}
        for piece in self.ranges:
            widths[piece.variant] = widths.get(piece.variant, 0) + piece.width
        return widths

    def variant_at(self, bucket: int) -> str:
        """Return the variant that sees a bucket in [0, 10000)."""
        return self.lookup()(bucket)

    def lookup(self) -> Callable[[int], str]:
        """Return a function from bucket to variant, with everything but the search done beforehand."""
        starts = [piece.start for piece in self.ranges]
        variants = [piece.variant for piece in self.ranges]
        return lambda bucket: variants[bisect_right(starts, bucket) - 1]

    def reweighted(self, weights: Mapping[str, int]) -> Allocation:
        """Return the allocation with the new weights that moves the fewest buckets.

        Each variant keeps as many of its buckets as it may; only what shrinking variants give up changes hands, so
        the share that moves is the total-variation distance between the two splits.
        """
        wanted = to_basis_points(weights)
        kept, freed = self._keep(wanted)
        missing = {
            variant: width - sum(p.width for p in kept if p.variant == variant) for variant, width in wanted.items()
        }
        return Allocation(ranges=_merge([*kept, *_hand_out(freed, missing)]))

    def _keep(self, wanted: Mapping[str, int]) -> tuple[list[BucketRange], list[tuple[int, int]]]:
        left = dict(wanted)
        kept: list[BucketRange] = []
        freed: list[tuple[int, int]] = []
        for piece in self.ranges:
            stays = min(piece.width, left.get(piece.variant, 0))
            left[piece.variant] = left.get(piece.variant, 0) - stays
            if stays:
                kept.append(BucketRange(start=piece.start, end=piece.start + stays, variant=piece.variant))
            if stays < piece.width:
                freed.append((piece.start + stays, piece.end))
        return kept, freed


def to_basis_points(weights: Mapping[str, int]) -> dict[str, int]:
    """Scale relative integer weights to 10,000 by largest remainder (ties to the one declared first)."""
    for variant, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
            raise InvalidInput("weight_invalid", "A weight is a whole number, 0 or more.", path=pointer(variant))
    total = sum(weights.values())
    if total <= 0:
        raise InvalidInput("weights_all_zero", "At least one variant needs a positive weight.")
    shares = {variant: weight * BUCKETS // total for variant, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda variant: -(weights[variant] * BUCKETS % total))
    for variant in by_remainder[: BUCKETS - sum(shares.values())]:
        shares[variant] += 1
    for variant, weight in weights.items():
        if weight and not shares[variant]:
            raise InvalidInput("weight_too_small", "The weight is less than a basis point.", path=pointer(variant))
    return shares


def _hand_out(freed: list[tuple[int, int]], missing: Mapping[str, int]) -> list[BucketRange]:
    handed: list[BucketRange] = []
    pieces = list(reversed(freed))
    for variant, width in missing.items():
        left = width
        while left > 0:
            start, end = pieces.pop()
            taken = min(left, end - start)
            handed.append(BucketRange(start=start, end=start + taken, variant=variant))
            left -= taken
            if start + taken < end:
                pieces.append((start + taken, end))
    return handed


def _merge(ranges: list[BucketRange]) -> tuple[BucketRange, ...]:
    merged: list[BucketRange] = []
    for piece in sorted(ranges, key=lambda piece: piece.start):
        if merged and merged[-1].variant == piece.variant:
            merged[-1] = BucketRange(start=merged[-1].start, end=piece.end, variant=piece.variant)
        else:
            merged.append(piece)
    return tuple(merged)
