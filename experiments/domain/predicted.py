"""What a winner is expected to bring: its estimate, less what it owes to having been picked for being high."""

from __future__ import annotations

from experiments.domain.policy import LiftPrior


def expected_gain(gain: float, std_error: float, prior: LiftPrior | None = None) -> float:
    """Return the posterior mean of a gain, given its estimate.

    Parameters
    ----------
    gain, std_error
        The estimate y and its standard error s, of one look. An estimate without an error is what it is.
    prior
        What the plan believes of lifts, its mean m in the direction of the gain, its standard deviation τ:
        (y/s² + m/τ²) / (1/s² + 1/τ²). None: nothing is known of their size, y·max(0, 1 - s²/y²).

    Notes
    -----
    By Tweedie's formula the posterior mean is y + s²·(log f)'(y), f the density of estimates: Efron, "Tweedie's formula
    and selection bias", JASA 106 (2011), pp. 1602-1614. Who was picked for a high y needs no other correction, nor does
    who stopped at it. Without a prior all sizes of effect are alike (flat in their logarithm), f falls off as 1/y, and
    that is y - s²/y: the same as a normal prior about 0 whose variance is estimated by y² - s².

    It takes a tenth off a winner that has only just won (z = 3.2), a hundredth at z = 10. `make simulate-policy`
    measures what it is worth: closer to the truth where a winner was found by luck as well, which is most of them, a
    little farther from it where it could not have been missed.
    """
    if std_error <= 0:
        return gain
    if prior is not None:
        own, others = 1 / std_error**2, 1 / prior.std_dev**2
        return (own * gain + others * prior.mean) / (own + others)
    if abs(gain) <= std_error:
        return 0.0
    return gain * (1 - (std_error / gain) ** 2)
