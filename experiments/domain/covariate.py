"""Covariates: what is known of a unit before it was exposed, to take noise out of a metric."""

from __future__ import annotations

import math
from dataclasses import dataclass

from experiments.domain.durations import MAX_SECONDS
from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Covariate:
    """A unit's events of one name in the `lookback_seconds` before its exposure: the sum of their values.

    With `counts_events` it is their number. A unit without any has 0, so nobody is left out; a unit's value is cut off
    at `cap`.
    """

    key: str
    event_name: str
    lookback_seconds: int
    counts_events: bool = False
    cap: float | None = None

    def __post_init__(self) -> None:
        check_key(self.key)
        check_key(self.event_name, "/event_name")
        if not 0 < self.lookback_seconds <= MAX_SECONDS:
            raise InvalidInput(
                "lookback_invalid",
                "A lookback is longer than 0 seconds, up to a hundred years.",
                path="/lookback_seconds",
            )
        if self.cap is not None and not (math.isfinite(self.cap) and self.cap > 0):
            raise InvalidInput("cap_invalid", "A cap is a positive number.", path="/cap")
