"""What a winner is expected to bring: its estimate, less what it owes to having been picked for being high."""

from __future__ import annotations

from experiments.domain.policy import LiftPrior

TAIL = 2.0
"""The density of true effects falls off as the effect to minus this power: Cauchy's tails."""


def expected_gain(gain: float, std_error: float, prior: LiftPrior | None = None) -> float:
    """Return the posterior mean of a gain, given its estimate.

    Parameters
    ----------
    gain, std_error
        The estimate and its standard error, of one look. An estimate without an error is what it is.
    prior
        What the plan believes of lifts, its mean in the direction of the gain: (gain/s² + m/σ²) / (1/s² + 1/σ²).
        None: effects of all sizes occur, large ones rarely, as in `TAIL`.

    Notes
    -----
    By Tweedie's formula the posterior mean is gain + s²·d log f/d gain, f the density of estimates; where that falls
    off as gain^-k, it is gain·(1 - k/z²) with z = gain/s; 0 where that is negative. Efron, "Tweedie's formula and
    selection bias", JASA 106 (2011), pp. 1602-1614: who is picked for a high estimate needs no other correction, and
    neither does who stopped at it. Lifts of web experiments have such tails: Azevedo, Deng, Montiel Olea, Rao & Weyl,
    "A/B testing with fat tails", Journal of Political Economy 128 (2020), pp. 4614-4672.

    Measured in `docs/simulation/policy.md`. It takes a fifth off a winner that has only just won (z = 3.2), a fiftieth
    at z = 10: closer to the truth than the estimate as long as winners are not found with near certainty, and a little
    farther from it then.
    """
    if std_error <= 0:
        return gain
    if prior is not None:
        own, others = 1 / std_error**2, 1 / prior.std_dev**2
        return (own * gain + others * prior.mean) / (own + others)
    z = gain / std_error
    return gain * max(0.0, 1 - TAIL / z**2) if z else 0.0
