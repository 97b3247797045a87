"""What a customer will be worth: expected purchases times expected amount, worth less the later they come."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segmentation.refusal import Refused
from segmentation.value.bg_nbd import BgNbd
from segmentation.value.counts import RepeatPurchases

Floats: TypeAlias = NDArray[np.float64]


def customer_value(
    model: BgNbd,
    of: RepeatPurchases,
    amount: ArrayLike,
    *,
    horizon: float,
    discount_rate: float = 0.0,
    steps: int = 52,
) -> Floats:
    """Expected revenue of each customer from the end of observation to the horizon, at its present value.

    Parameters
    ----------
    amount
        Expected per purchase, ≥ 0: `GammaGamma.expected_amount`, its `mean` for customers without repeats, or a margin
        of it. One number, or one per customer.
    horizon
        > 0, in the unit of time of the model.
    discount_rate
        Per unit of time, ≥ 0: an amount after t units is worth (1 + rate)^-t. A yearly rate d is (1 + d)^(1/52) - 1 a
        week.
    steps
        In how many equal parts the horizon is taken, ≥ 1; purchases count as made in the middle of theirs.

    Returns
    -------
    array
        In the unit of `amount`. Without a discount exactly expected purchases times amount.

    Raises
    ------
    Refused
        `horizon_outside`, `discount_outside`, `steps_outside`, `amounts_negative`.

    Notes
    -----
    Fader, Hardie & Lee, Journal of Marketing Research 42(4) (2005), pp. 415-430, in discrete steps. Purchases and
    amounts are taken as independent. It says nothing of customers who have not bought yet.
    """
    amounts = np.asarray(amount, dtype=np.float64)
    _check(amounts, horizon, discount_rate, steps)
    ends = np.linspace(0.0, horizon, steps + 1)
    purchases = np.diff([model.expected_purchases(of, end) for end in ends], axis=0)
    middles = (ends[:-1] + ends[1:]) / 2
    return np.asarray(amounts * ((1 + discount_rate) ** -middles @ purchases), dtype=np.float64)


def _check(amounts: Floats, horizon: float, discount_rate: float, steps: int) -> None:
    if not 0 < horizon < np.inf:
        raise Refused("horizon_outside", "a horizon is positive and finite")
    if not 0 <= discount_rate < np.inf:
        raise Refused("discount_outside", "a discount rate is a finite fraction, 0 or more")
    if steps < 1:
        raise Refused("steps_outside", "a horizon has one step at least")
    if not (amounts >= 0).all():
        raise Refused("amounts_negative", "amounts are numbers, 0 or more")
