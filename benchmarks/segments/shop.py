"""Purchases of a shop as Parquet, in no order: everybody bought once, and few bought most of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.questions import START
from benchmarks.tables import Tick, instant, normal, uniform, write

FILES = 20
_DAYS = 730
AS_OF = START + timedelta(days=_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Folder of Parquet files, with so many customers and purchases."""

    folder: Path
    customers: int
    purchases: int

    @property
    def files(self) -> str:
        return str(self.folder / "purchases_*.parquet")


def make_purchases(shop: Shop, tick: Tick = lambda: None) -> None:
    """A file at a time, so that memory is bounded."""
    for part in range(FILES):
        write(_purchases(shop, part), str(shop.folder / f"purchases_{part:02}.parquet"))
        tick()


def _purchases(shop: Shop, part: int) -> str:
    """The files take customers in turn; when all have had a purchase, small numbers come more often."""
    first, last = (shop.purchases * bound // FILES for bound in (part, part + 1))
    again = f"floor({shop.customers} * pow({uniform('i', 21)}, 2))"
    return f"""
        SELECT 'customer-' || CASE WHEN place < {shop.customers} THEN place ELSE {again} END::BIGINT AS unit_id,
            {instant(f"{_DAYS} * {uniform('i', 22)}")} AS "at",
            round(exp(3.2 + 0.9 * {normal("i", 23)}), 2) AS value
        FROM (SELECT range AS i, (range - {first}) * {FILES} + {part} AS place FROM range({first}, {last}))
    """
