"""Adaptive allocation: after each batch a segment's split follows the chances of its variants to be the best one.

Thompson sampling in batches. A *batch* is an epoch; a *step* ends one and opens the next. What a step saw is kept
(`AdaptiveStep`), and its weights follow from that alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from random import Random
from statistics import NormalDist
from typing import Any

from experiments.domain.bucketing import BUCKETS
from experiments.domain.canonical import canonical_json
from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_text

HOUR_SECONDS = 3_600
LEAST_DRAWS, MAX_DRAWS = 1_000, 100_000
MOST_BATCH_SECONDS = 90 * 24 * HOUR_SECONDS

_STANDARD = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptivePolicy:
    """`floor_bp` is the least that every variant of a split gets, at any time: without it a variant that was unlucky
    once is never looked at again, and nothing is learnt of it. A segment keeps its split until each of its variants has
    `warm_up_units`. `draws` are taken of every posterior; `seed` is what they are drawn by.
    """

    batch_seconds: int = 24 * HOUR_SECONDS
    floor_bp: int = 500
    draws: int = 10_000
    seed: str = "1"
    warm_up_units: int = 100

    def __post_init__(self) -> None:
        if not HOUR_SECONDS <= self.batch_seconds <= MOST_BATCH_SECONDS:
            raise InvalidInput(
                "adaptive_batch",
                f"A batch takes {HOUR_SECONDS} to {MOST_BATCH_SECONDS} seconds.",
                path="/batch_seconds",
            )
        if not 0 < self.floor_bp <= BUCKETS // 2:
            raise InvalidInput("adaptive_floor", f"A floor is 1 to {BUCKETS // 2} basis points.", path="/floor_bp")
        if not LEAST_DRAWS <= self.draws <= MAX_DRAWS:
            raise InvalidInput("adaptive_draws", f"{LEAST_DRAWS} to {MAX_DRAWS} draws are taken.", path="/draws")
        if self.warm_up_units < 2:
            raise InvalidInput("adaptive_warm_up", "`warm_up_units` is 2 or more.", path="/warm_up_units")
        check_text(self.seed, "/seed", least=1, most=200)

    def has_room(self, split: Mapping[str, int]) -> bool:
        """Say whether a split in basis points keeps the floor, and there is something left to move."""
        offered = [width for width in split.values() if width]
        return min(offered) >= self.floor_bp and self.floor_bp * len(offered) < BUCKETS


class Posterior(StrEnum):
    """`beta`: of a rate. `normal`: of everything else that has a mean and a standard error."""

    BETA = "beta"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchArm:
    """One variant in one batch: units with an outcome, their mean, and the unbiased variance of one unit's value."""

    variant: str
    units: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """What is known of one variant after all batches, as if they had all had the same units.

    `effective_units`: so many units of one batch would be as informative.
    """

    variant: str
    units: int
    effective_units: float
    mean: float
    std_error: float


def arm_states(batches: Sequence[Sequence[BatchArm]], variants: Sequence[str]) -> tuple[ArmState, ...]:
    """Return the state of each variant, from batches in which all of them have units; none where there is none.

    A variant's mean is Σ (N_e/N)·m_e over the batches e, with N_e the units of all variants: each is weighed by the
    same customers, so that none gains by having been shown more often while the base rate was high (Simpson). Its
    effective units are 1 / Σ (N_e/N)²/n_e, and its standard error √(s²/effective), s² within batches, of all of them
    together: a handful of units in one batch has no variance of its own.
    """
    shared = [arms for batch in batches if set(arms := {arm.variant: arm for arm in batch if arm.units}) >= {*variants}]
    sizes = [sum(arms[variant].units for variant in variants) for arms in shared]
    shares = [size / sum(sizes) for size in sizes]
    return tuple(_state(variant, shares, [arms[variant] for arms in shared]) for variant in variants if shared)


def _state(variant: str, shares: Sequence[float], arms: Sequence[BatchArm]) -> ArmState:
    effective = 1 / math.fsum(share * share / arm.units for share, arm in zip(shares, arms, strict=True))
    freedom = sum(arm.units - 1 for arm in arms)
    variance = math.fsum(arm.variance * (arm.units - 1) for arm in arms) / freedom if freedom else 0.0
    return ArmState(
        variant=variant,
        units=sum(arm.units for arm in arms),
        effective_units=effective,
        mean=math.fsum(share * arm.mean for share, arm in zip(shares, arms, strict=True)),
        std_error=math.sqrt(variance / effective),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveStep:
    """One segment's step, with everything that its weights follow from.

    `epoch` is the batch that it ended. `chances` are those to be the best one, `weights` basis points, both by variant.
    """

    experiment: str
    segment: str
    epoch: int
    snapshot_id: int
    seed: str
    draws: int
    floor_bp: int
    posterior: Posterior
    higher_is_better: bool
    arms: tuple[ArmState, ...]
    chances: Mapping[str, float]
    weights: Mapping[str, int]

    def canonical(self) -> str:
        """Return the one JSON text of this step."""
        return canonical_json(asdict(self))

    def sha256(self) -> str:
        """Return the hash that the audit trail keeps."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The batch that ends: whose it is, and from which snapshot its outcomes are known."""

    experiment: str
    segment: str
    epoch: int
    snapshot_id: int


def take_step(
    batch: Batch, policy: AdaptivePolicy, arms: Sequence[ArmState], *, posterior: Posterior, higher_is_better: bool
) -> AdaptiveStep | None:
    """Return the segment's next weights; None while a variant is warming up."""
    if len(arms) < 2 or min(arm.units for arm in arms) < policy.warm_up_units:
        return None
    ordered = tuple(sorted(arms, key=lambda arm: arm.variant))
    stream = canonical_json([policy.seed, batch.experiment, batch.segment, batch.epoch])
    wins = best_counts(ordered, posterior, policy.draws, stream, higher_is_better=higher_is_better)
    total = sum(wins.values())
    return AdaptiveStep(
        experiment=batch.experiment,
        segment=batch.segment,
        epoch=batch.epoch,
        snapshot_id=batch.snapshot_id,
        seed=policy.seed,
        draws=policy.draws,
        floor_bp=policy.floor_bp,
        posterior=posterior,
        higher_is_better=higher_is_better,
        arms=ordered,
        chances={variant: won / total for variant, won in wins.items()},
        weights=floored(wins, policy.floor_bp),
    )


def recompute(step: AdaptiveStep) -> dict[str, int]:
    """Return the weights that follow from what a step saw: those that it has, or its record was changed."""
    stream = canonical_json([step.seed, step.experiment, step.segment, step.epoch])
    wins = best_counts(step.arms, step.posterior, step.draws, stream, higher_is_better=step.higher_is_better)
    return floored(wins, step.floor_bp)


def read_step(document: Mapping[str, Any]) -> AdaptiveStep:
    """Return the step that a stored record describes."""
    arms = tuple(ArmState(**arm) for arm in document["arms"])
    return AdaptiveStep(**{**document, "posterior": Posterior(document["posterior"]), "arms": arms})


def best_counts(
    arms: Sequence[ArmState], posterior: Posterior, draws: int, stream: str, *, higher_is_better: bool
) -> dict[str, int]:
    """Return in how many of the draws each variant is the best one; several that are equal share a draw.

    A draw counts as many points as can be shared by any number of variants without a remainder. Each variant draws from
    a stream of its own, so that the order in which they are named does not matter.
    """
    point = math.lcm(*range(1, len(arms) + 1))
    wins = dict.fromkeys((arm.variant for arm in arms), 0)
    sign = 1 if higher_is_better else -1
    samplers = [_samples(arm, posterior, Random(f"{stream}/{arm.variant}")) for arm in arms]
    for _ in range(draws):
        values = [sign * next(sampler) for sampler in samplers]
        best = max(values)
        leaders = [arm.variant for arm, value in zip(arms, values, strict=True) if value == best]
        for variant in leaders:
            wins[variant] += point // len(leaders)
    return wins


def floored(wins: Mapping[str, int], floor_bp: int) -> dict[str, int]:
    """Return the floor for each, and the rest by their wins: whole basis points that add up to 10,000.

    Largest remainders get the odd ones, ties go by name.
    """
    total, free = sum(wins.values()), BUCKETS - floor_bp * len(wins)
    parts = {variant: divmod(won * free, total) for variant, won in wins.items()}
    odd = free - sum(whole for whole, _ in parts.values())
    first = sorted(parts, key=lambda variant: (-parts[variant][1], variant))[:odd]
    return {variant: floor_bp + whole + (variant in first) for variant, (whole, _) in parts.items()}


def _samples(arm: ArmState, posterior: Posterior, random: Random) -> Iterator[float]:
    """Draws that follow from `random()` alone, whose sequence no later Python may change.

    A rate's posterior is Beta(1 + x, 1 + n - x) on the effective units: of one batch exactly that of its counts, and
    never without a spread, as a normal one of an arm without any conversion would be.
    """
    if posterior is Posterior.NORMAL:
        while True:
            yield arm.mean + arm.std_error * _normal(random)
    rate = min(max(arm.mean, 0.0), 1.0)
    successes, failures = 1 + rate * arm.effective_units, 1 + (1 - rate) * arm.effective_units
    while True:
        one = _gamma(successes, random)
        yield one / (one + _gamma(failures, random))


def _uniform(random: Random) -> float:
    """Strictly between 0 and 1."""
    return random.random() or 2**-54


def _normal(random: Random) -> float:
    return _STANDARD.inv_cdf(_uniform(random))


def _gamma(shape: float, random: Random) -> float:
    """Marsaglia & Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000); shape ≥ 1."""
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = _normal(random)
        v = (1 + c * x) ** 3
        if v > 0 and math.log(_uniform(random)) < x * x / 2 + d - d * v + d * math.log(v):
            return d * v
