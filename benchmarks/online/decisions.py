"""Decisions in one process and one thread: ours, and hashes with nothing around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mmh3

from benchmarks.harness import Numbers, Work
from benchmarks.online.house import experiment, house
from benchmarks.online.question import COUNTRY, ELSEWHERE, TREATMENT, decisions, unit_ids
from experiments.domain.assignment import Assignment

EXPERIMENTS = 100
BULK = "experiments.services.assigning.bulk"
HASHES = 200
"""Two for every experiment: may the unit come in, and which variant does it see?"""


def winnow(count: int) -> Work:
    """Decide with the closure that the catalog hands out."""
    with house(experiment()) as made:
        (entry,) = made.winnow.catalog.loaded().running
    assign = entry.assign

    def decide(unit_id: str, attributes: Mapping[str, Any]) -> str:
        return assign(unit_id, attributes).variant

    def loop(ids: Sequence[str]) -> None:
        attributes = {"country": COUNTRY}
        for unit_id in ids:
            assign(unit_id, attributes)

    return decisions(decide, loop, count=count)


def bare_hash(count: int) -> Work:
    """Hash each id once, and forget it."""
    ids, hashed = unit_ids(count), mmh3.hash

    def run() -> None:
        for unit_id in ids:
            hashed(unit_id, 0, False)

    return Work(run=run, numbers=lambda _: {}, count=count)


def all_experiments(count: int) -> Work:
    """Decide a hundred experiments for each unit, as for a page that asks for all that are running."""
    documents = [experiment(f"experiment-{number:03d}", traffic_bp=8_000) for number in range(EXPERIMENTS)]
    with house(*documents) as made:
        assigns = [entry.assign for entry in made.winnow.catalog.loaded().running]
    ids, attributes = unit_ids(count), {"country": COUNTRY}

    def run() -> list[Any]:
        given = []
        for unit_id in ids:
            given = [assign(unit_id, attributes) for assign in assigns]
        return given

    return Work(run=run, numbers=lambda given: {"experiments": len(given)}, count=count)


def bare_hashes(count: int) -> Work:
    """Hash two hundred texts for each unit; the texts are there already."""
    hashed = mmh3.hash
    texts = [f"experiment-{number:03d}/variant:customer-00000001" for number in range(HASHES)]

    def run() -> None:
        for _ in range(count):
            for text in texts:
                hashed(text, 0, False)

    return Work(run=run, numbers=lambda _: {}, count=count)


def bulk(count: int) -> Work:
    """Decide as `winnow assign` does, in arrays."""
    from experiments.services.assigning.bulk import assign_chunk, column_of, compile_bulk  # noqa: PLC0415

    with house(experiment()) as made:
        (entry,) = made.winnow.catalog.loaded().running
    compiled = compile_bulk(entry.experiment, entry.layer)
    ids = unit_ids(count)
    columns = {"country": column_of(attributes["country"] for attributes in _countries(count))}

    def numbers(found: Any) -> Numbers:
        return {"treated": sum(compiled.answers[place].variant == TREATMENT for place in found.tolist())}

    return Work(run=lambda: assign_chunk(compiled, ids, columns), numbers=numbers, count=count)


def one_by_one(count: int) -> Work:
    """Decide the same list with the closure that the catalog hands out."""
    with house(experiment()) as made:
        (entry,) = made.winnow.catalog.loaded().running
    assign, asked = entry.assign, list(zip(unit_ids(count), _countries(count), strict=True))

    def run() -> list[Assignment]:
        return [assign(unit_id, attributes) for unit_id, attributes in asked]

    def numbers(found: Sequence[Assignment]) -> Numbers:
        return {"treated": sum(assignment.variant == TREATMENT for assignment in found)}

    return Work(run=run, numbers=numbers, count=count)


def _countries(count: int) -> list[dict[str, str]]:
    """Every other unit is inside the condition."""
    return [{"country": (COUNTRY, ELSEWHERE)[number % 2]} for number in range(count)]
