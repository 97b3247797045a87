"""Policy: when a variant may go live, how it gets there, and when it is taken back. A part of every version."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from experiments.domain.bucketing import BUCKETS
from experiments.domain.durations import MAX_SECONDS
from experiments.domain.errors import InvalidInput
from experiments.domain.policy import DAY_SECONDS, AnalysisPlan, StoppingRule

WEEK_SECONDS = 7 * DAY_SECONDS
MAX_RAMP_STEPS = 10
MAX_EXPLORATION_BP = 2_000
MAX_WEEKS = 5_200
"""A hundred years, as of other durations: what lasts much longer ends where there are no dates any more."""


class WinnerRule(StrEnum):
    """`lower_bound`: the lift's lower bound, which holds at every look, passes `minimum_lift`. `boundary`: the same at
    a group-sequential plan's looks. `expected_loss`: choosing the best arm is expected to cost at most
    `loss_tolerance`; that bounds the harm and no error rate, so among equal variants it will promote one.
    """

    LOWER_BOUND = "lower_bound"
    BOUNDARY = "boundary"
    EXPECTED_LOSS = "expected_loss"


RULE_OF_WINNER = {
    WinnerRule.LOWER_BOUND: StoppingRule.ALWAYS_VALID,
    WinnerRule.BOUNDARY: StoppingRule.GROUP_SEQUENTIAL,
    WinnerRule.EXPECTED_LOSS: StoppingRule.ALWAYS_VALID,
}


class PromotionScope(StrEnum):
    """`one_for_all`: one winner goes live in all segments unless these are shown to differ; then each has its own."""

    PER_SEGMENT = "per_segment"
    ONE_FOR_ALL = "one_for_all"


class GuardrailRule(StrEnum):
    """`proven_safe`: promote only when harm beyond the margin is ruled out. `not_harmed`: promote unless harm is shown,
    beyond the margin or perhaps within it; what is not known yet does not stop it.
    """

    PROVEN_SAFE = "proven_safe"
    NOT_HARMED = "not_harmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From `start` to `end` by the clock of `timezone`, across midnight where the end is earlier."""

    start: time
    end: time
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo or self.start == self.end:
            raise InvalidInput("quiet_hours_invalid", "Quiet hours have a start and another end, without a zone.")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInput(
                "timezone_unknown", f"There is no time zone {self.timezone!r}.", path="/timezone"
            ) from None

    def contain(self, now: datetime) -> bool:
        local = now.astimezone(ZoneInfo(self.timezone)).time()
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPolicy:
    """What has to be true before a variant goes live in a segment, and what happens afterwards.

    An `automatic` policy needs no approval: the machine acts alone, except in `quiet_hours`, in which it only ever
    takes back. Otherwise a proposal waits for a person, and expires after `expires_after_seconds`.

    `minimum_weeks` and `minimum_units` (per variant) come on top of the analysis plan's own minima; after
    `maximum_weeks` without a winner the answer is to stop. `minimum_lift` is the practical threshold.

    The winner's share goes up in steps of `ramp_bp`, each of which lasts at least `soak_seconds`, to everybody but the
    control's `holdback_bp` and the `exploration_bp` who go on seeing any variant, evenly, as long as the winner is
    live. The holdback measures for `hold_seconds`; as soon as the realised lift is surely below
    `revert_below_lift`, or a guardrail breaks, the winner is taken back. Evidence older than `maximum_age_seconds` is
    stale: nothing is done on it.
    """

    automatic: bool = False
    winner: WinnerRule = WinnerRule.LOWER_BOUND
    scope: PromotionScope = PromotionScope.PER_SEGMENT
    minimum_lift: float = 0.0
    loss_tolerance: float | None = None
    guardrails: GuardrailRule = GuardrailRule.PROVEN_SAFE
    minimum_weeks: int = 0
    minimum_units: int = 0
    maximum_weeks: int | None = None
    ramp_bp: tuple[int, ...] = ()
    soak_seconds: int = DAY_SECONDS
    holdback_bp: int = 500
    exploration_bp: int = 0
    hold_seconds: int = 4 * WEEK_SECONDS
    revert_below_lift: float = 0.0
    quiet_hours: QuietHours | None = None
    expires_after_seconds: int = WEEK_SECONDS
    maximum_age_seconds: int = DAY_SECONDS

    def __post_init__(self) -> None:
        self._check_lifts()
        self._check_shares()
        self._check_times()

    def _check_lifts(self) -> None:
        if not (math.isfinite(self.minimum_lift) and 0 <= self.minimum_lift <= 10):
            raise InvalidInput(
                "minimum_lift_invalid", "`minimum_lift` is a fraction from 0 to 10.", path="/minimum_lift"
            )
        if not (math.isfinite(self.revert_below_lift) and -1 < self.revert_below_lift <= self.minimum_lift):
            raise InvalidInput(
                "revert_below_lift_invalid",
                "`revert_below_lift` is above -1, up to `minimum_lift`: no winner is taken back for what made it one.",
                path="/revert_below_lift",
            )
        wants_tolerance = self.winner is WinnerRule.EXPECTED_LOSS
        if wants_tolerance != (self.loss_tolerance is not None):
            raise InvalidInput(
                "loss_tolerance_misplaced",
                "`expected_loss`, and no other rule, has a `loss_tolerance`.",
                path="/loss_tolerance",
            )
        if self.loss_tolerance is not None and not 0 < self.loss_tolerance <= 1:
            raise InvalidInput(
                "loss_tolerance_invalid", "A tolerance is a fraction, above 0, up to 1.", path="/loss_tolerance"
            )

    def _check_shares(self) -> None:
        if not 0 < self.holdback_bp < BUCKETS:
            raise InvalidInput(
                "holdback_invalid", f"A holdback is 1 to {BUCKETS - 1} basis points.", path="/holdback_bp"
            )
        most = min(MAX_EXPLORATION_BP, BUCKETS - self.holdback_bp - 1)
        if not 0 <= self.exploration_bp <= most:
            raise InvalidInput(
                "exploration_invalid",
                f"Beside this holdback an exploration is 0 to {most} basis points.",
                path="/exploration_bp",
            )
        if any(later <= earlier for earlier, later in pairwise((0, *self.shares_bp))):
            raise InvalidInput(
                "ramp_invalid",
                "The steps of a ramp grow, and end below "
                + (
                    f"the {self.last_share_bp} that holdback and exploration leave."
                    if self.exploration_bp
                    else "all but the holdback."
                ),
                path="/ramp_bp",
            )
        if len(self.ramp_bp) > MAX_RAMP_STEPS:
            raise InvalidInput("ramp_invalid", f"A ramp has at most {MAX_RAMP_STEPS} steps.", path="/ramp_bp")

    def _check_times(self) -> None:
        for name in ("minimum_weeks", "minimum_units"):
            if getattr(self, name) < 0:
                raise InvalidInput("minimum_invalid", f"`{name}` is 0 or more.", path=f"/{name}")
        for name in ("minimum_weeks", "maximum_weeks"):
            if (getattr(self, name) or 0) > MAX_WEEKS:
                raise InvalidInput("weeks_invalid", f"`{name}` are at most {MAX_WEEKS}.", path=f"/{name}")
        if self.maximum_weeks is not None and self.maximum_weeks <= self.minimum_weeks:
            raise InvalidInput(
                "maximum_invalid", "`maximum_weeks` are more than `minimum_weeks`.", path="/maximum_weeks"
            )
        for name, least, code, message in (
            ("maximum_age_seconds", 1, "age_invalid", "A maximum age is longer than 0 seconds"),
            ("soak_seconds", 0, "duration_invalid", "A duration is 0 or more seconds"),
            ("hold_seconds", 0, "duration_invalid", "A duration is 0 or more seconds"),
            ("expires_after_seconds", 1, "duration_invalid", "A proposal lives longer than 0 seconds"),
        ):
            if not least <= getattr(self, name) <= MAX_SECONDS:
                raise InvalidInput(code, f"{message}, up to a hundred years.", path=f"/{name}")

    @property
    def shares_bp(self) -> tuple[int, ...]:
        """Every share of the winner on its way, the last one included."""
        return (*self.ramp_bp, self.last_share_bp)

    @property
    def last_share_bp(self) -> int:
        """All but the holdback and the exploration; of the latter the winner has its part besides."""
        return BUCKETS - self.holdback_bp - self.exploration_bp

    def next_share_bp(self, present_bp: int) -> int:
        """Return the next step's share: the first that gives the winner more than it has, or the last."""
        return next((share for share in self.shares_bp if share > present_bp), self.last_share_bp)

    def is_quiet(self, now: datetime) -> bool:
        return self.quiet_hours is not None and self.quiet_hours.contain(now)

    def check_fits(self, plan: AnalysisPlan) -> None:
        """Refuse to be left alone with an analysis plan that never satisfies it."""
        wanted = RULE_OF_WINNER[self.winner]
        if self.automatic and plan.stopping_rule is not wanted:
            raise InvalidInput(
                "winner_rule_unfit", f"`{self.winner}` needs the stopping rule {wanted}.", path="/promotion/winner"
            )
