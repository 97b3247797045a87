"""Everybody who decides. A side is given experiments once, then units, and answers with a code per decision.

A code stands for the whole of an answer (`Codes`), the same for all sides: to compare is to compare numbers.
"""

from __future__ import annotations

import json
import subprocess
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol

from api.lane.answers import Answers, AnswersHolder
from api.lane.writing import writer
from api.metrics.counts import Decisions
from experiments.domain.assignment import Assignment
from experiments.domain.experiment import Status
from experiments.services.assigning.bulk import assign_chunk, column_of, compile_bulk
from experiments.services.assigning.catalog import Catalog, LiveExperiment
from experiments.services.publishing.published import catalog_document
from tests.clients.agreement.draws import Unit
from winnow_client import compile_catalog

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).with_name("assign.mjs")
FIELDS = ("experiment", "version", "epoch", "segment", "variant", "content", "reason", "counted")


class Codes:
    """Answers as numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, answer: Mapping[str, Any]) -> int:
        text = json.dumps([answer[field] for field in FIELDS], sort_keys=True)
        return self._numbers.setdefault(text, len(self._numbers))

    def answer(self, code: int) -> str:
        return next(text for text, number in self._numbers.items() if number == code)


class Side(Protocol):
    """`decide` returns a code per unit and experiment, unit by unit; `which` are positions of experiments."""

    name: str

    def decide(self, units: Sequence[Unit], which: Sequence[int]) -> array[int]: ...


def sides(live: Sequence[LiveExperiment], codes: Codes, folder: Path) -> list[Side]:
    """Return all sides, the domain first: it is what the others are compared with."""
    catalog = catalog_of(live)
    # As it is sent, so that what JSON does to contents and conditions is part of the comparison.
    document = json.dumps(catalog_document(catalog))
    keys = [entry.experiment.key for entry in live]
    return [
        _domain(live, codes),
        _lane(catalog, keys, codes),
        Bulk(live, codes),
        _python(json.loads(document), keys, codes),
        JavaScript(document, keys, codes, folder),
    ]


def catalog_of(live: Sequence[LiveExperiment]) -> Catalog:
    by_key = {entry.experiment.key: entry for entry in live}
    running = tuple(entry for entry in live if entry.experiment.status is Status.RUNNING)
    return Catalog(version=1, live=MappingProxyType(by_key), running=running)


class InProcess:
    """Functions from unit to answer, and from answer to code; answers are few, so each is coded once."""

    def __init__(self, name: str, assigns: Sequence[Callable[..., Any]], code: Callable[[Any], int]) -> None:
        self.name, self._assigns, self._code = name, assigns, code
        self._known: dict[int, tuple[int, Any]] = {}

    def decide(self, units: Sequence[Unit], which: Sequence[int]) -> array[int]:
        known, assigns, found = self._known, [self._assigns[at] for at in which], array("H")
        for unit_id, attributes in units:
            for assign in assigns:
                answer = assign(unit_id, attributes)
                coded = known.get(id(answer))
                if coded is None:
                    # The answer is kept beside its code: so its address stays its own.
                    coded = known[id(answer)] = (self._code(answer), answer)
                found.append(coded[0])
        return found


def _domain(live: Sequence[LiveExperiment], codes: Codes) -> Side:
    return InProcess("domain", [entry.assign for entry in live], lambda answer: codes.of(_described(answer)))


def _described(answer: Assignment) -> dict[str, Any]:
    return {
        **{field: getattr(answer, field) for field in FIELDS if field != "counted"},
        "counted": answer.reason == "assigned",
    }


def lane_answers(catalog: Catalog) -> Answers:
    """What the lane hands out, as the app has it made."""
    holder: Any = SimpleNamespace(current=catalog)
    answers = AnswersHolder(holder, writer(json.dumps, Decisions())).current()
    assert answers is not None
    return answers


def _lane(catalog: Catalog, keys: Sequence[str], codes: Codes) -> Side:
    """The bytes that are sent, read again."""
    live = lane_answers(catalog).live
    assigns = [assign for key in keys for assign in live[key].assigns]
    return InProcess("lane", assigns, lambda written: codes.of(json.loads(written.document)))


class Bulk:
    """Lists: the attributes of all units as columns, one experiment after the other."""

    name = "bulk"

    def __init__(self, live: Sequence[LiveExperiment], codes: Codes) -> None:
        self._plans = [compile_bulk(entry.experiment, entry.layer) for entry in live]
        self._codes = [[codes.of(_described(answer)) for answer in plan.answers] for plan in self._plans]

    def decide(self, units: Sequence[Unit], which: Sequence[int]) -> array[int]:
        ids = [unit_id for unit_id, _ in units]
        named = sorted({name for _, attributes in units for name in attributes})
        columns = {name: column_of(attributes.get(name) for _, attributes in units) for name in named}
        answered = [
            [self._codes[at][answer] for answer in assign_chunk(self._plans[at], ids, columns).tolist()] for at in which
        ]
        return array("H", (code for codes in zip(*answered, strict=True) for code in codes))


def _python(document: Any, keys: Sequence[str], codes: Codes) -> Side:
    compiled = compile_catalog(document)
    assert not compiled.skipped, compiled.skipped

    def code(answer: Any) -> int:
        return codes.of({field: getattr(answer, field) for field in FIELDS})

    return InProcess("client in Python", [compiled.assigns[key] for key in keys], code)


class JavaScript:
    """A program for Node reads units from a file, and writes numbers of answers, and those answers, into others."""

    name = "client in JavaScript"

    def __init__(self, document: str, keys: Sequence[str], codes: Codes, folder: Path) -> None:
        self._codes, self._keys, self._folder = codes, keys, folder
        self._write("catalog.json", document)

    def decide(self, units: Sequence[Unit], which: Sequence[int]) -> array[int]:
        self._write("keys.json", json.dumps([self._keys[at] for at in which]))
        self._write("units.ndjson", "\n".join(json.dumps(unit, separators=(",", ":")) for unit in units))
        ended = subprocess.run(
            ["node", PROGRAM, self._folder], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
        )
        assert ended.returncode == 0, ended.stderr
        answers = json.loads((self._folder / "answers.json").read_text(encoding="utf-8"))
        codes = [self._codes.of(answer) for answer in answers]
        numbers = array("H", (self._folder / "numbers.u16").read_bytes())
        return array("H", map(codes.__getitem__, numbers))

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")
