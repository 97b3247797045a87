"""A shop whose segments are reported on."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.segment import Segment
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.segments.reporter import SegmentReporter
from experiments.settings import Settings
from experiments.storage.unit_of_work import Database, open_database
from tests.conftest import FakeClock

UNITS = [f"u{number}" for number in range(100)]
WEB = Segment(key="web", name="From the web", condition={"channel": "web"})
BIG = Segment(key="big", name="Spends much", condition={"spend": {"$gte": 100}})
NOBODY = Segment(key="nobody", name="Nobody", condition={"channel": "fax", "device": "phone"})


def silent(done: int, total: int | None, label: str | None = None) -> None:
    """Progress for nobody."""


def new_shop(clock: FakeClock, database: Database | None = None) -> Winnow:
    opened = (database or open_database("memory://")).unit_of_work
    shop = build(Settings(database_url="memory://"), open_unit_of_work=opened, clock=clock)
    shop.author.attributes.create(Attribute(key="channel", name="C", type=AttributeType.TEXT), actor="t")
    shop.author.attributes.create(Attribute(key="spend", name="S", type=AttributeType.NUMBER), actor="t")
    shop.author.attributes.create(Attribute(key="mail", name="M", type=AttributeType.TEXT, personal=True), actor="t")
    shop.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0), actor="t")
    for segment in (WEB, BIG, NOBODY):
        shop.author.segments.create(segment, actor="t")
    return shop


def say(shop: Winnow, known: Mapping[str, Mapping[str, Any]]) -> None:
    changes = [ProfileChange(unit_id=unit, source="crm", attributes=attributes) for unit, attributes in known.items()]
    assert {one.status for one in shop.profiles.upsert_many(changes)} == {"accepted"}


def drawn(seed: int) -> dict[str, dict[str, Any]]:
    """Everybody, with a channel and a spend by chance."""
    chance = random.Random(seed)
    return {
        unit: {
            "channel": chance.choice(["web", "shop"]),
            "spend": chance.choice([20, 200]),
            "mail": f"{unit}@x.example",
        }
        for unit in UNITS
    }


def on_web(known: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {unit for unit, attributes in known.items() if attributes["channel"] == "web"}


def reporter(shop: Winnow, failed: Callable[[str, Exception], None] | None = None, **options: Any) -> SegmentReporter:
    def refuse(segment: str, trouble: Exception) -> None:
        raise trouble

    return SegmentReporter(shop.open_unit_of_work, shop.clock, failed=failed or refuse, **options)
