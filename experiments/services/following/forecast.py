"""What the worker expects customers to buy: parameters as a document, and what a profile says by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.estimate import Undefined
from segmentation.behaviour.history import History
from segmentation.value.bg_nbd import BgNbd
from segmentation.value.forecast import Forecast, Seen, State
from segmentation.value.gamma_gamma import GammaGamma

HORIZON_DAYS = 90
HORIZON_WEEKS = HORIZON_DAYS / 7
_PARAMETERS = {"purchases": ("r", "alpha", "a", "b"), "amounts": ("p", "q", "v")}
_NOT_FITTED = Undefined(reason="not_fitted", message="No model was fitted yet.")

_state = attrgetter("first_at", "last_at", "previous_at", "frequency", "unvalued", "monetary_cents")


def forecast_document(found: Forecast) -> Mapping[str, Mapping[str, Any]]:
    """Parameters by model; of a model that was not fitted, the reason."""
    models = {name: getattr(found, name) for name in _PARAMETERS}
    return {
        name: {"undefined": one.reason}
        if isinstance(one, Undefined)
        else {key: getattr(one, key) for key in _PARAMETERS[name]}
        for name, one in models.items()
    }


def forecast_of(stored: Mapping[str, Mapping[str, Any]] | None) -> Forecast:
    """Read a document; where nothing is stored, nothing is expected."""
    known = {name: one for name, one in (stored or {}).items() if "undefined" not in one}
    return Forecast(
        purchases=BgNbd(**known["purchases"]) if "purchases" in known else _NOT_FITTED,
        amounts=GammaGamma(**known["amounts"]) if "amounts" in known else _NOT_FITTED,
    )


def sayable_by(stored: Mapping[str, Mapping[str, Any]] | None) -> tuple[bool, bool]:
    """Whether a document says how often customers will buy, and how much at a time."""
    found = forecast_of(stored)
    return not isinstance(found.purchases, Undefined), not isinstance(found.amounts, Undefined)


def expectations(histories: Mapping[str, History], by: Forecast, now: datetime) -> Mapping[str, dict[str, float]]:
    """Return what profiles say of customers, all at once because the models are quick with arrays only."""
    if not histories or isinstance(by.purchases, Undefined):
        return {unit_id: {} for unit_id in histories}
    seen = Seen.of([_state(one) for one in histories.values()], now)
    purchases = by.expected_purchases(seen, HORIZON_WEEKS)
    said = {
        "expected_purchases_90_days": np.round(purchases, 3).tolist(),
        "expected_value_90_days": np.round(purchases * by.expected_cents(seen) / 100, 2).tolist(),
    }
    return {
        unit_id: {name: values[place] for name, values in said.items() if np.isfinite(values[place])}
        for place, unit_id in enumerate(histories)
    }


def looked_at(batches: Iterable[Sequence[State]], now: datetime) -> tuple[pa.Table, Seen]:
    """As cuts read customers, and as models do."""
    tables, seen = [_columns([], now)], []
    for batch in batches:
        tables.append(_columns(batch, now))
        seen.append(Seen.of(batch, now))
    return pa.concat_tables(tables), Seen.joined(seen)


def _columns(rows: Sequence[State], now: datetime) -> pa.Table:
    return pa.table(
        {
            "recency_days": pa.array([max(0, (now - row[1]).days) for row in rows], pa.int64()),
            "frequency": pa.array([row[3] for row in rows], pa.int64()),
            "monetary_cents": pa.array([row[5] for row in rows], pa.int64()),
        }
    )
