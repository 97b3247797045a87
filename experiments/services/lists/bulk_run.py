"""Assign a list: read it batch by batch, answer, keep the parts, and put them together at the end."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from experiments.domain.assignment import Assignment, compile_data
from experiments.domain.bucketing import HASHINGS
from experiments.domain.canonical import canonical_json
from experiments.domain.definition import ExposurePolicy
from experiments.domain.errors import InvalidInput
from experiments.domain.event import Channel, assigned_digest
from experiments.domain.split import Salted
from experiments.domain.wording import listed
from experiments.services.assigning.assign import Assigner
from experiments.services.assigning.bulk import BulkPlan, Whole, assign_chunk, compile_bulk
from experiments.services.assigning.catalog import CatalogHolder, LiveExperiment
from experiments.services.assigning.implied import implied_by
from experiments.services.lists.cells import check_types
from experiments.services.lists.file import (
    Chunk,
    Layout,
    ListFile,
    Position,
    check_columns,
    check_id_column,
    digest,
    open_list,
)
from experiments.services.lists.parts import CsvOutput, Output, ParquetOutput, Part, PartFolder, columns_of, exposing
from experiments.services.lists.shown import NOBODY, Shown, shown_of
from experiments.services.ports import OpenUnitOfWork

FORMAT = 3
BATCH = 100_000
_EXPOSED_AT_ONCE = 5_000
_OUTPUTS = (".csv", ".parquet", ".pq")


class Progress(Protocol):
    """Called with the step (`read` or `assign`), what is done of it, and of how much where that is known."""

    def __call__(self, step: str, done: int, total: int | None) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWish:
    """What is wanted. `attributes` None: those that the conditions look at; `expose` None: as the experiment says."""

    source: Path
    experiment: str
    out: Path
    id_column: str = "unit_id"
    attributes: tuple[str, ...] | None = None
    types: Mapping[str, str]
    expose: bool | None = None
    channel: Channel | None = None
    batch: int = BATCH
    delimiter: str = ","
    restart: bool = False

    def __post_init__(self) -> None:
        if self.out.suffix.lower() not in _OUTPUTS:
            raise InvalidInput("output_unknown", f"The output ends in one of {', '.join(_OUTPUTS)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """What became of the rows, `resumed` of them in an earlier run; `kinds`: what the attributes were read as."""

    rows: int
    assigned: int
    rejected: int
    exposed: int
    resumed: int
    kinds: Mapping[str, Sequence[str]]


class ListAssigner:
    """The answers are those of the API at one instant: the experiment is looked at once, when the run begins."""

    def __init__(self, catalog: CatalogHolder, assigner: Assigner, open_unit_of_work: OpenUnitOfWork) -> None:
        self._catalog, self._assigner, self._open = catalog, assigner, open_unit_of_work

    def assign(self, wish: ListWish, progress: Progress) -> Assigned:
        """Write the output, or go on writing it. Raises NotFound, InvalidInput; Unavailable: start it again later."""
        entry = self._live(wish.experiment)
        compiled = compile_bulk(entry.experiment, entry.layer)
        source, before = open_list(wish.source, wish.delimiter), _state(wish.source)
        layout = _layout(wish, compiled, source.header())
        source.check(layout)
        folder = PartFolder(wish.out)
        try:
            folder.check_apart(wish.source)
            with folder.locked():
                progress("read", 0, None)
                fingerprint = digest(wish.source)
                parts = _begin(folder, wish, _manifest(wish, entry, layout, fingerprint))
                run = _Run(wish, entry, compiled, self._assigner)
                done = run.go_on(folder, parts, source, layout, progress)
                if _state(wish.source) != before:
                    raise InvalidInput("input_changed", f"{wish.source.name} changed while it was read.")
                exposed = folder.exposed(done)
                folder.finish(done, run.output)
        except OSError as error:
            raise InvalidInput("output_unwritable", f"{wish.out.name} cannot be written: {error}.") from None
        return _sum(done, exposed=exposed, resumed=sum(part.rows for part in parts))

    def _live(self, key: str) -> LiveExperiment:
        """Raise NotFound, or InvalidInput where the experiment is there but shows nobody anything."""
        entry = self._catalog.loaded().live.get(key)
        if entry is None:
            with self._open(read_only=True) as work:
                status = work.experiments.get(key).status
            raise InvalidInput("experiment_not_live", f"Experiment {key!r} is {status}: nobody is assigned.")
        return entry


class _Run:
    def __init__(self, wish: ListWish, entry: LiveExperiment, compiled: BulkPlan, assigner: Assigner) -> None:
        self._compiled, self._assigner, self._batch = compiled, assigner, wish.batch
        self._exposes, self._channel = _exposes(wish, entry), wish.channel
        self.output = _output(wish, compiled.answers)

    def go_on(
        self, folder: PartFolder, parts: Sequence[Part], source: ListFile, layout: Layout, progress: Progress
    ) -> list[Part]:
        """Do the batches that are not done."""
        done, total = list(parts), source.total()
        self._withhold_since(folder, parts)
        rows = sum(part.rows for part in done)
        progress("assign", rows, total)
        for chunk in source.chunks(layout, done[-1].next if done else Position(), self._batch):
            found = assign_chunk(self._compiled, self._assigner.bucketed(chunk.ids), chunk.columns)
            found = self._withheld(chunk.ids, found)
            body = self.output.part(chunk.ids, found)
            exposed = self._expose(chunk.ids, found) if self._exposes else NOBODY
            part = _part(chunk, len(exposed))
            folder.add(len(done), part, body, chunk.rejected, self.output.suffix, exposed=exposed)
            done.append(part)
            rows += part.rows
            progress("assign", rows, max(rows, total) if total is not None else None)
        progress("assign", rows, rows)
        return done

    def _withheld(self, ids: Sequence[str], found: Whole) -> Whole:
        """Put the default where somebody does not consent."""
        consents = self._assigner.caches.consents
        if consents.is_asked:
            found[[row for row, unit_id in enumerate(ids) if consents.lacks(unit_id)]] = self._compiled.withheld
        return found

    def _withhold_since(self, folder: PartFolder, parts: Sequence[Part]) -> None:
        """Put the default where somebody refused after their part was made."""
        consents = self._assigner.caches.consents
        if consents.is_asked:
            default = self._compiled.withheld
            folder.correct(parts, self.output.suffix, lambda part: self.output.corrected(part, consents.lacks, default))

    def _expose(self, ids: Sequence[str], found: Any) -> Shown:
        """Before the part counts: what is done again after a kill gives the same event ids, and is stored once."""
        answers, positions = self._compiled.answers, found.tolist()
        rows = exposing(answers, found)
        implied = {place: implied_by(answers[place]) for place in {positions[row] for row in rows}}
        for start in range(0, len(rows), _EXPOSED_AT_ONCE):
            self._assigner.expose(
                [(ids[row], implied[positions[row]]) for row in rows[start : start + _EXPOSED_AT_ONCE]],
                self._channel,
            )
        return shown_of(assigned_digest(implied[positions[row]].prefix, ids[row]) for row in rows)


def _layout(wish: ListWish, compiled: BulkPlan, header: Sequence[str]) -> Layout:
    looked_at = compiled.attributes
    attributes = tuple(sorted(looked_at)) if wish.attributes is None else wish.attributes
    types = check_types(wish.types)
    check_id_column(header, wish.id_column, wish.source.name, wish.delimiter)
    for column in types:
        if column not in header:
            raise InvalidInput("column_missing", f"Column {column!r}, whose type is given, is not in the file.")
    layout = Layout(id_column=wish.id_column, attributes=attributes, types=types, delimiter=wish.delimiter)
    if wish.attributes is None:
        _check_all_there(attributes, header, wish.source.name)
    check_columns(header, layout, wish.source.name)
    # What no condition looks at makes no difference, and is not read.
    return Layout(
        id_column=wish.id_column,
        attributes=tuple(name for name in attributes if name in looked_at),
        types={name: kind for name, kind in types.items() if name in attributes},
        delimiter=wish.delimiter,
    )


def _check_all_there(attributes: Sequence[str], header: Sequence[str], file: str) -> None:
    missing = [name for name in attributes if name not in header]
    if missing:
        there = ",".join(name for name in attributes if name in header)
        those = "those that it has" if there else "none"
        told = (
            f"The conditions look at {listed(list(map(repr, missing)))}, which {file} has not. Where that is meant, "
            f"name {those}: --attributes {shlex.quote(there)}"
        )
        raise InvalidInput("attribute_missing", told)


def _manifest(wish: ListWish, entry: LiveExperiment, layout: Layout, fingerprint: str) -> dict[str, Any]:
    current = entry.experiment.current
    return {
        "format": FORMAT,
        "input": {"sha256": fingerprint},
        "experiment": {
            "key": entry.experiment.key,
            "version": current.number,
            "status": entry.experiment.status.value,
            **_hashes(entry),
        },
        "options": {
            "id-column": layout.id_column,
            "attributes": sorted(layout.attributes),
            "types": dict(sorted(layout.types.items())),
            "delimiter": layout.delimiter,
            "batch": wish.batch,
            "expose": _exposes(wish, entry),
            "channel": wish.channel,
        },
    }


def _hashes(entry: LiveExperiment) -> dict[str, str]:
    """Return what tells two experiments apart that answer differently, though key and version are the same."""
    compiled = compile_data(entry.experiment, entry.layer, columns_of)
    gate, definition = compiled.gate, entry.experiment.definition
    layer = None if gate is None else {"place": _salted(gate.place), "edges": gate.edges, "answers": gate.answers}
    plan = {
        "unit_type": definition.unit_type,
        "forced": dict(compiled.forced),
        "branches": [{"condition": dict(one.condition), **asdict(one.split)} for one in compiled.branches],
        "traffic": _salted(compiled.traffic),
        "place": _salted(compiled.place),
    }
    return {
        name: hashlib.sha256(canonical_json(what).encode()).hexdigest()
        for name, what in (("layer", layer), ("plan", plan))
    }


def _salted(salted: Salted) -> tuple[int, str]:
    return next(version for version, hashing in HASHINGS.items() if hashing is salted.hashing), salted.salt


def _begin(folder: PartFolder, wish: ListWish, manifest: Mapping[str, Any]) -> list[Part]:
    """Return what is done already, after making sure that it is of the same run."""
    if wish.restart or not folder.exists():
        if wish.out.exists() and not wish.restart:
            raise InvalidInput(
                "output_exists", f"{wish.out.name} is there already: name another, or --restart to write over it."
            )
        folder.clear()
        folder.begin(manifest)
        return []
    earlier = folder.manifest()
    for name, what in (("format", "Winnow"), ("input", "the input"), ("experiment", "the experiment")):
        if earlier.get(name) != manifest[name]:
            told = _changed(earlier.get(name), manifest[name])
            message = f"Since {folder.name} was begun, {what} has changed{told}; --restart begins anew."
            raise InvalidInput(f"{name}_changed", message)
    if earlier.get("options") != manifest["options"]:
        told = _changed(earlier.get("options"), manifest["options"])
        message = f"{folder.name} was begun with other options{told}; --restart begins anew."
        raise InvalidInput("options_changed", message)
    return folder.parts()


def _changed(earlier: Any, now: Any) -> str:
    if not isinstance(earlier, dict) or not isinstance(now, dict):
        return ""
    names = [name for name in now if earlier.get(name) != now[name]]
    told = [f"{name} {earlier.get(name)} → {now[name]}" if len(f"{now[name]}") < 40 else name for name in names]
    return f" ({', '.join(told)})"


def _exposes(wish: ListWish, entry: LiveExperiment) -> bool:
    if wish.expose is not None:
        return wish.expose
    return entry.experiment.definition.exposure_policy is ExposurePolicy.ON_ASSIGNMENT


def _output(wish: ListWish, answers: Sequence[Assignment]) -> Output:
    return CsvOutput(answers, wish.delimiter) if wish.out.suffix.lower() == ".csv" else ParquetOutput(answers)


def _part(chunk: Chunk, exposed: int) -> Part:
    return Part(
        rows=len(chunk.ids) + chunk.rows_rejected,
        assigned=len(chunk.ids),
        rejected=chunk.rows_rejected,
        exposed=exposed,
        next=chunk.next,
        kinds={name: sorted(kinds) for name, kinds in chunk.kinds.items()},
    )


def _sum(parts: Sequence[Part], *, exposed: int, resumed: int) -> Assigned:
    kinds: dict[str, set[str]] = {}
    for part in parts:
        for name, found in part.kinds.items():
            kinds.setdefault(name, set()).update(found)
    return Assigned(
        rows=sum(part.rows for part in parts),
        assigned=sum(part.assigned for part in parts),
        rejected=sum(part.rejected for part in parts),
        exposed=exposed,
        resumed=resumed,
        kinds={name: sorted(found) for name, found in kinds.items()},
    )


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
