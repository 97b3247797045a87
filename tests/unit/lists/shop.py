"""A shop with one experiment, lists of its customers, and the command line over both."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from experiments.bootstrap import build
from experiments.cli import main
from experiments.domain.definition import Variant
from experiments.domain.metric import MetricRole
from experiments.domain.segment import Segment
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.lists.bulk_run import ListAssigner, ListWish
from experiments.settings import Settings
from experiments.storage.engine import normalised
from tests.golden.reference import IDS
from tests.unit.builders import VISIT

WISH = ExperimentWish(
    key="banner",
    name="Banner",
    variants=(
        Variant(key="a", name="A", is_control=True),
        Variant(key="b", name="B", content={"text": 'say "ü", 👋'}),
    ),
    segments=(SegmentWish(segment="mens"), SegmentWish(segment="new", traffic_bp=5_000)),
    metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
)


class Shop:
    """A database with one experiment, and the command line over it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.winnow = build(Settings(database_url=url))
        for key, condition in (("mens", {"mens": 1}), ("new", {"recency": {"$lte": 1}})):
            self.winnow.author.segments.create(Segment(key=key, name=key, condition=condition), actor="test")
        self.winnow.author.metrics.create(VISIT, actor="test")

    def start(self, wish: ExperimentWish = WISH) -> None:
        self.winnow.author.create(wish, actor="test")
        self.winnow.author.step(wish.key, "start", actor="test")

    def __call__(self, file: Path, out: str, *more: str) -> Result:
        arguments = ("assign", str(file), "-e", "banner", "-o", str(self.folder / out), *more)
        return CliRunner(env={"WINNOW_DATABASE_URL": self.url}).invoke(main, arguments)

    def csv(self, text: str | bytes, name: str = "list.csv") -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if ".sqlite" not in path.name)

    def stored(self) -> list[tuple[str, ...]]:
        engine = create_engine(normalised(self.url))
        try:
            with engine.connect() as connection:
                rows = connection.execute(text("SELECT unit_id, variant, segment FROM exposures ORDER BY unit_id"))
                return [tuple(row) for row in rows]
        finally:
            engine.dispose()

    def by_api(self, units: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, str]]:
        """What the assigner answers that the API asks, as rows of CSV."""
        self.winnow.catalog.refresh()
        asked = [Unit(unit_id=unit_id, attributes=attributes) for unit_id, attributes in units]
        return [
            {
                "unit_id": unit.unit_id,
                "experiment": answer.experiment,
                "version": str(answer.version),
                "epoch": str(answer.epoch),
                "segment": answer.segment or "",
                "variant": answer.variant,
                "reason": answer.reason.value,
                "counted": "true" if answer.reason == "assigned" else "false",
                "content": json.dumps(answer.content, ensure_ascii=False),
            }
            for unit, (answer,) in zip(asked, self.winnow.assigner.assign(asked, "banner"), strict=True)
        ]


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def listed(rows: Sequence[Sequence[object]], delimiter: str = ",") -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    return written.getvalue()


UNITS: list[tuple[str, dict[str, Any]]] = [
    *((unit_id, {"mens": 1, "recency": 3}) for unit_id in IDS.values()),
    *((f"c{n}", {"mens": n % 2, "recency": n % 4}) for n in range(500)),
    *((f'q"{n},x', {"recency": 1}) for n in range(50)),
]
CSV = listed([("name", "unit_id", "mens", "recency"), *(("Zoë\nX", i, a.get("mens"), a["recency"]) for i, a in UNITS)])

LIST = "unit_id,mens,recency\nu1,1,1\n"


class Interrupted(Exception):
    pass


def interrupt(shop: Shop, file: Path, out: str, rows: int, **wished: Any) -> None:
    """Stop in the middle, as if the process had ended there."""

    def progress(step: str, done: int, total: int | None) -> None:
        if step == "assign" and done >= rows:
            raise Interrupted

    shop.winnow.catalog.refresh()
    assigner = ListAssigner(shop.winnow.catalog, shop.winnow.assigner, shop.winnow.open_unit_of_work)
    wish = ListWish(source=file, experiment="banner", out=shop.folder / out, types={}, batch=50, **wished)
    with pytest.raises(Interrupted):
        assigner.assign(wish, progress)
