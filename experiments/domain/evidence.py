"""Evidence: what a policy sees of one segment, at one snapshot. All that a decision rests on is in it, and hashed."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from experiments.domain.canonical import canonical_json
from experiments.domain.experiment import Status
from experiments.domain.policy import StoppingRule

SRM_ALPHA = 0.001
"""Chance alone makes fewer of the groups at one look fit the split so badly."""


class GuardrailState(StrEnum):
    """`worse`: harm is shown, but perhaps within the margin. `safe`: harm beyond the margin is ruled out."""

    SAFE = "safe"
    WORSE = "worse"
    HARMED = "harmed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailEvidence:
    metric: str
    variant: str
    state: GuardrailState


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmBelief:
    """Posterior of one arm; `expected_loss` is a fraction of the control's value, None where that is not known."""

    variant: str
    chance_to_be_best: float
    expected_loss: float | None


class Basis(StrEnum):
    """Whose numbers they are: the segment's own, or those of all segments together."""

    SEGMENT = "segment"
    OVERALL = "overall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The smallest lift, up or down, that the holdback will show with a chance of .8, by `at`."""

    lift: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A promotion under way, and what it has come to among all who were exposed since it began.

    `share_bp` is the winner's present share, since `share_since`, which is later by all pauses in between. The gain is
    that of the variant against the control's holdback, in the direction that is wished for; its ends hold at every
    look. `units` is empty before the first snapshot that knows of it.
    """

    promotion: str
    variant: str
    began_at: datetime
    share_bp: int
    share_since: datetime
    is_final: bool
    predicted_gain: float | None
    units: tuple[tuple[str, int], ...]
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    srm_p_value: float | None
    critical: tuple[str, ...]
    guardrails: tuple[GuardrailEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a policy sees of one segment.

    `gain_low` and `gain_high` bound the candidate's lift, at every look and for all comparisons of the family
    together, in the direction that is wished for (a fall of 3 % in a metric to be lowered is a gain of 0.03); the lift
    lies strictly between them. `predicted_gain` is the estimate corrected for having been picked. `best_gain_high` is
    the highest upper end of all treatments that are offered.

    `since_epoch` is the segment's as of the snapshot, `current_since_epoch` as it stands: unequal, the split has
    changed since. `offered` has the variants with a share in the split as it stands. `segment_since` is when the
    segment, with its condition, came into the experiment, or later by all pauses since it started. `segment_outcome`
    is the segment's own, `control_wins` also where the variant alone is worse there. `declined` are variants that were
    rejected or taken back here, or replaced by a split of the author's own. `critical` are sentences of findings that
    forbid any conclusion. `live` is the promotion under way, if any.
    """

    experiment: str
    segment: str
    segment_name: str
    status: Status
    snapshot_id: int
    version: int
    epoch: int
    watermark_at: datetime
    started_at: datetime | None
    since_epoch: int
    current_since_epoch: int
    segment_since: datetime
    offered: tuple[str, ...]
    already_promoted: str | None
    declined: tuple[str, ...]
    stopping_rule: StoppingRule
    control: str
    basis: Basis
    outcome: str
    segment_outcome: str
    variant: str | None
    leaders: tuple[str, ...]
    verdict: str
    units: tuple[tuple[str, int], ...]
    gain: float | None
    predicted_gain: float | None
    gain_low: float | None
    gain_high: float | None
    best_gain_high: float | None
    p_value_adjusted: float | None
    beliefs: tuple[ArmBelief, ...]
    srm_p_value: float | None
    critical: tuple[str, ...]
    guardrails: tuple[GuardrailEvidence, ...]
    holdback: Forecast | None
    live: Live | None

    def canonical(self) -> str:
        """Return the one JSON text of this evidence."""
        return canonical_json(asdict(self))

    def sha256(self) -> str:
        """Return the hash that the audit trail keeps."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @property
    def doubts_sizes(self) -> bool:
        """Whether the groups hardly fit the split, proven or not."""
        return self.srm_p_value is not None and self.srm_p_value < SRM_ALPHA

    @property
    def harmful(self) -> frozenset[str]:
        """Variants that are shown to harm a guardrail beyond its margin."""
        return frozenset(one.variant for one in self.guardrails if one.state is GuardrailState.HARMED)

    def belief_in(self, variant: str | None) -> ArmBelief | None:
        return next((belief for belief in self.beliefs if belief.variant == variant), None)
