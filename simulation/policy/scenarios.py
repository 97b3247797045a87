"""The scenarios, with their sizes: chosen so that power is neither 0 nor 1."""

from __future__ import annotations

from experiments.domain.segment import EVERYONE
from simulation.policy.world import CONTROL, OTHER, TREATMENT, Effect, World

SIX = ("new", "active", "loyal", "lapsed", "business", EVERYONE)
LEVELS = (0.7, 1.0, 1.3, 0.8, 1.2, 1.0)
FOLLOWED_DAYS = 56
"""Long enough for a promotion of the last counted day to be held to its end."""
STRENGTHS = (0.75, 1.0, 1.25)

NULL = World(
    key="null", title="No effect anywhere", segments=SIX, levels=LEVELS, daily_units=1_000, tuned_for_units=20_000
)
WINNER = World(
    key="winner",
    title="One true winner among two treatments",
    variants=(CONTROL, TREATMENT, OTHER),
    daily_units=3_000,
    effects={(None, TREATMENT): Effect(early=0.115)},
    strengths=STRENGTHS,
    tuned_for_units=60_000,
    days=FOLLOWED_DAYS,
)
ONE_OF_SIX = World(
    key="one_of_six",
    title="Winner in one of six segments",
    segments=SIX,
    levels=LEVELS,
    daily_units=1_000,
    effects={("active", TREATMENT): Effect(early=0.18)},
    strengths=STRENGTHS,
    days=FOLLOWED_DAYS,
    tuned_for_units=20_000,
)
HARMFUL = World(key="harmful", title="Harmful treatment", effects={(None, TREATMENT): Effect(early=-0.03)})
GUARDRAIL_HARM = World(
    key="guardrail",
    title="Guardrail harmed, primary wins",
    effects={(None, TREATMENT): Effect(early=0.12)},
    harms={TREATMENT: -0.08},
    wrong=True,
)
BROKEN_SPLIT = World(
    key="srm",
    title="SRM: one in thirteen of the treatment's non-buyers lost",
    daily_units=2_600,
    lost=1 / 13,
    wrong=True,
)
FADING = World(
    key="fading",
    title="Novelty that fades",
    daily_units=60_000,
    rate=0.3,
    effects={(None, TREATMENT): Effect(early=0.08, late=-0.05, half_life_days=10)},
    days=FOLLOWED_DAYS,
    tuned_for_units=500_000,
)
LAUNCH = {0: {CONTROL: 9, TREATMENT: 1}, 3: {CONTROL: 3, TREATMENT: 1}, 7: {CONTROL: 1, TREATMENT: 1}}
RAMP_NULL = World(
    key="ramp_null", title="Launch ramp over a rising, seasonal base; no effect", trend=1.8, rate=0.07, launch=LAUNCH
)
RAMP_WINNER = World(
    key="ramp_winner",
    title="Launch ramp over a rising, seasonal base; winner",
    trend=1.8,
    rate=0.07,
    launch=LAUNCH,
    effects={(None, TREATMENT): Effect(early=0.11)},
    strengths=STRENGTHS,
    days=FOLLOWED_DAYS,
)

WORLDS = (NULL, WINNER, ONE_OF_SIX, HARMFUL, GUARDRAIL_HARM, BROKEN_SPLIT, FADING, RAMP_NULL, RAMP_WINNER)
