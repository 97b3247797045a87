"""`winnow metrics`, `layers`, `attributes` and `sources`, and the segments of the library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.bootstrap import Winnow
from experiments.cli.console import out
from experiments.cli.document import json_option, library_document, print_json
from experiments.cli.library_add import add_attribute, add_layer, add_metric, add_source
from experiments.cli.pages import whole
from experiments.cli.tables import NONE
from experiments.cli.wired import wired
from experiments.domain.condition.words import condition_sentence
from experiments.services.authoring.library import LibraryAuthor

Column = Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One kind of named thing: where it is found, and what its list tells beside key and name."""

    noun: str
    author: Callable[[Winnow], LibraryAuthor[Any]]
    columns: Mapping[str, Column]


SEGMENTS = Shelf(
    noun="segment",
    author=lambda winnow: winnow.author.segments,
    columns={"kind": lambda one: one.kind, "who": lambda one: condition_sentence(one.condition)},
)
METRICS = Shelf(
    noun="metric",
    author=lambda winnow: winnow.author.metrics,
    columns={
        "kind": lambda one: one.kind,
        "event": lambda one: one.event_name,
        "better": lambda one: f"{one.direction}s",
        "window in seconds": lambda one: one.window_seconds,
    },
)
LAYERS = Shelf(
    noun="layer",
    author=lambda winnow: winnow.author.layers,
    columns={
        "held out": lambda one: f"{one.holdout_bp / 100:g}%",
        "experiments": lambda one: " ".join(dict.fromkeys(slot.experiment for slot in one.slots)),
    },
)
ATTRIBUTES = Shelf(
    noun="attribute",
    author=lambda winnow: winnow.author.attributes,
    columns={
        "type": lambda one: one.type,
        "personal": lambda one: "yes" if one.personal else "no",
        "sources": lambda one: " ".join(one.sources) or "all",
        "fresh for days": lambda one: one.fresh_days,
    },
)
SOURCES = Shelf(
    noun="source",
    author=lambda winnow: winnow.author.sources,
    columns={"kind": lambda one: one.kind, "precedence": lambda one: one.precedence},
)


def list_command(shelf: Shelf) -> click.Command:
    """Return the command that lists one kind of thing."""

    @click.command("list", help=f"List all {shelf.noun}s by key.")
    @json_option
    def listing(as_json: bool) -> None:
        found = list(whole(shelf.author(wired()).page))
        if as_json:
            print_json([library_document(one) for one in found])
            return
        table = Table("key", "name", *shelf.columns)
        for one in found:
            told = (column(one.value) for column in shelf.columns.values())
            table.add_row(one.value.key, Text(one.value.name), *(Text(_told(cell)) for cell in told))
        out().print(table)

    return listing


def show_command(shelf: Shelf) -> click.Command:
    """Return the command that shows one thing with all its fields."""

    @click.command("show", help=f"Show one {shelf.noun} with all its fields.")
    @click.argument("key", metavar="KEY")
    @json_option
    def showing(key: str, as_json: bool) -> None:
        document = library_document(shelf.author(wired()).get(key))
        if as_json:
            print_json(document)
            return
        table = Table("field", "value", box=SIMPLE_HEAD)
        beside = {name: value for name, value in document.items() if name not in ("key", "definition")}
        for name, value in {**document["definition"], **beside}.items():
            table.add_row(name, Text(_told(value)))
        out().print(table)

    return showing


def _group(shelf: Shelf, add: click.Command, told: str) -> click.Group:
    return click.Group(f"{shelf.noun}s", [list_command(shelf), show_command(shelf), add], help=told)


def _told(value: object) -> str:
    if value is None or value in ("", []):
        return NONE
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


metrics = _group(METRICS, add_metric, "List, show and add rules that turn events into one number per unit.")
layers = _group(LAYERS, add_layer, "List, show and add sets of mutually exclusive experiments.")
attributes = _group(
    ATTRIBUTES, add_attribute, "List, show and add what may be known of units, by the names that conditions use."
)
sources = _group(SOURCES, add_source, "List, show and add who says what is known of units.")
list_segments, show_segment = list_command(SEGMENTS), show_command(SEGMENTS)
