"""All rows of the calibration, in the order of the table."""

from __future__ import annotations

from calibration.scenario import Scenario
from calibration.scenarios import (
    covariates,
    degenerate,
    levels,
    looks,
    peeking,
    quantiles,
    ratios,
    segments,
    skew,
    splits,
    strata,
    winners,
)

SCENARIOS: tuple[Scenario, ...] = (
    *peeking.SCENARIOS,
    *looks.SCENARIOS,
    *skew.SCENARIOS,
    *ratios.SCENARIOS,
    *winners.SCENARIOS,
    *segments.SCENARIOS,
    *splits.SCENARIOS,
    *strata.SCENARIOS,
    *covariates.SCENARIOS,
    *quantiles.SCENARIOS,
    *levels.SCENARIOS,
    *degenerate.SCENARIOS,
)
