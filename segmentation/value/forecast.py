"""What customers will buy, from states that are kept of them: both models fitted, or the reason why one is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.estimate import Undefined
from segmentation.value.bg_nbd import BgNbd, fit_bg_nbd
from segmentation.value.counts import RepeatPurchases
from segmentation.value.gamma_gamma import FEWEST_RETURNING, GammaGamma, RepeatAmounts, fit_gamma_gamma

Floats: TypeAlias = NDArray[np.float64]
State: TypeAlias = tuple[datetime, datetime, datetime | None, int, int, int]
"""`first_at`, `last_at`, `previous_at`, `frequency`, `unvalued`, `monetary_cents` of a `History`."""

MOST_FITTED = 5_000
"""Of more, as many are taken evenly in the order of their numbers, so that a repeated fit is the same."""
MOST_CORRELATED = 0.3
"""Between how many purchases and how much for each. The model assumes none; CDNOW, its own example, has .11."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_WEEK_DAYS = 7.0
# Who came today has been observed for no time: as good as none, because the models want some.
_NO_TIME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Of each customer, in arrays: what the models read.

    Parameters
    ----------
    repeats
        Purchases after the first. All on one UTC day: 0. On exactly two days: 1. On more days every purchase counts,
        because a state does not tell how many days there were.
    last_at, age
        Weeks from the day of the first purchase to that of the last one, and to today.
    amounts, cents
        Purchases with a value, the first one too, and what they come to.
    """

    repeats: Floats
    last_at: Floats
    age: Floats
    amounts: Floats
    cents: Floats

    @classmethod
    def of(cls, states: Sequence[State], now: datetime) -> Seen:
        """As of an instant; a purchase that lies ahead of it is one of now."""
        first = _days([one[0] for one in states])
        last = _days([one[1] for one in states])
        previous = _days([one[2] or one[1] for one in states])
        frequency, unvalued, cents = (np.array([one[place] for one in states], float) for place in (3, 4, 5))
        several = np.where(previous == first, 1.0, frequency - 1)
        return cls(
            repeats=np.where(last == first, 0.0, several),
            last_at=(last - first) / _WEEK_DAYS,
            age=(np.maximum(last, (now - _EPOCH) // _DAY) - first) / _WEEK_DAYS,
            amounts=frequency - unvalued,
            cents=cents,
        )

    @classmethod
    def joined(cls, parts: Sequence[Seen]) -> Seen:
        """All of them, one after another."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)]) for name in names})

    def some(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Seen:
        """Those chosen."""
        return Seen(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def sampled(self, most: int) -> Seen:
        """At most so many, evenly from first to last when sorted by their numbers, whatever order they came in."""
        count = len(self.repeats)
        if count <= most:
            return self
        order = np.lexsort((self.cents, self.amounts, self.last_at, self.age, self.repeats))
        return self.some(order[np.arange(most) * count // most])


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How often customers buy, and how much at a time; `Undefined` where the one or the other cannot be said."""

    purchases: BgNbd | Undefined
    amounts: GammaGamma | Undefined

    def expected_purchases(self, of: Seen, weeks: float) -> Floats:
        """Of each customer in so many weeks from now; NaN where it cannot be said."""
        if isinstance(self.purchases, Undefined):
            return np.full(len(of.repeats), np.nan)
        ages = np.maximum(of.age, _NO_TIME)
        seen = RepeatPurchases(repeats=of.repeats, last_at=of.last_at, age=ages)
        return self.purchases.expected_purchases(seen, weeks)

    def expected_cents(self, of: Seen) -> Floats:
        """Of a purchase of each customer; NaN where it cannot be said, as of who has spent nothing so far."""
        found = np.full(len(of.cents), np.nan)
        spent = (of.amounts > 0) & (of.cents > 0)
        if not isinstance(self.amounts, Undefined) and spent.any():
            found[spent] = self.amounts.expected_amount(_amounts(of.some(spent)))
        return found


def fit_forecast(seen: Seen, *, weeks: float) -> Forecast:
    """Fit both models to what was seen of at most `MOST_FITTED` customers.

    Returns
    -------
    Forecast
        Beside the reasons of `fit_bg_nbd` and `fit_gamma_gamma`: `observed_too_briefly` where nobody was seen for as
        many `weeks` as are to be forecast; `amounts_correlated` and `zero_variance` where amounts depend on how often
        one buys, or where it cannot be told.
    """
    chosen = seen.some(seen.age > 0).sampled(MOST_FITTED)
    return Forecast(purchases=_fit_purchases(chosen, weeks), amounts=_fit_amounts(chosen))


def _fit_purchases(seen: Seen, weeks: float) -> BgNbd | Undefined:
    if seen.age.max(initial=0.0) < weeks:
        return Undefined(
            reason="observed_too_briefly",
            message=f"The first purchase is less than {weeks:g} weeks ago: too little to look as far ahead.",
        )
    return fit_bg_nbd(RepeatPurchases(repeats=seen.repeats, last_at=seen.last_at, age=seen.age))


def _fit_amounts(seen: Seen) -> GammaGamma | Undefined:
    """Of customers who came again, as in the library's own counting; what they spent first is in their mean here."""
    amounts = _amounts(seen.some((seen.repeats > 0) & (seen.amounts > 0) & (seen.cents > 0)))
    if len(amounts.mean) >= FEWEST_RETURNING and (dependence := _dependence(amounts)):
        return dependence
    return fit_gamma_gamma(amounts)


def _dependence(amounts: RepeatAmounts) -> Undefined | None:
    correlation = amounts.correlation
    if isinstance(correlation, Undefined):
        return correlation
    if abs(correlation) <= MOST_CORRELATED:
        return None
    return Undefined(
        reason="amounts_correlated",
        message=f"Who buys more often spends more or less at a time (correlation {correlation:.2f}).",
    )


def _amounts(of: Seen) -> RepeatAmounts:
    return RepeatAmounts(amounts=of.amounts, mean=of.cents / of.amounts)


def _days(instants: Sequence[datetime]) -> Floats:
    return np.array([(at - _EPOCH) // _DAY for at in instants], float)
