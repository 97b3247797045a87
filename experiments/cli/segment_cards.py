"""`winnow segments card` and `winnow segments persona`: what a segment is worth knowing for.

Both tell what the worker stored; only what is computed on the spot needs the numbers, and imports them then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.bootstrap import Winnow
from experiments.cli.card_told import Document, is_reason, rows
from experiments.cli.console import err, out, progress_bar
from experiments.cli.wired import wired
from experiments.domain.errors import InvalidInput, NoReport
from experiments.services.segments.report_csv import persona_csv
from experiments.services.segments.reports import NO_SEGMENTS, Reported

PENDING = "Its report is not made yet: the worker makes it, and --now does so here."
OUTDATED = "It was edited since this report was made: the worker makes another, and --now does so here."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """Reports in order; `pending`: segments that have none. `notes` are told once, below all."""

    reports: tuple[Document, ...]
    pending: tuple[Reported, ...] = ()
    outdated: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def _what_from(command: Callable[..., None]) -> Callable[..., None]:
    """The options of both commands."""
    for option in (
        click.option("--now", is_flag=True, help="Compute it on the spot, as all options do that say from what."),
        click.option("--weeks", type=int, help="How far back purchases are looked at.  [default: 8]"),
        click.option(
            "--purchases",
            multiple=True,
            metavar="EVENT",
            help="An event that is a purchase, its value the money; may be repeated.  [default: purchase]",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@_what_from
@click.option(
    "--units-per-week", type=float, help="Customers that an experiment will reach, in all segments; else as measured."
)
@click.option("--lift", "minimum_lift", type=float, help="The smallest lift worth acting on.  [default: 0.05]")
@click.option("--json", "as_json", is_flag=True, help="Print the whole reports as JSON.")
def card(keys: tuple[str, ...], *, now: bool, as_json: bool, **asked: Any) -> None:
    """Show the cards of segments, of all where none is named: size, value, overlaps, and can they be tested in."""
    told = _told(tuple(dict.fromkeys(keys)), asked, now=now)
    if as_json:
        shown = {"reports": list(told.reports), "pending": [one.segment.value.key for one in told.pending]}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2, allow_nan=False))
        return
    for report in told.reports:
        _print(report)
        if report["segment"] in told.outdated:
            click.echo(OUTDATED)
    for one in told.pending:
        click.echo(f"{one.segment.value.key} · {one.segment.value.name}\n{PENDING}")
        _print_doubts(one.doubts)
    for note in told.notes:
        click.echo(note)


@click.command("persona")
@click.argument("key")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file; else stdout.")
@_what_from
def draw(key: str, output: Path | None, *, now: bool, **asked: Any) -> None:
    """Draw the portrait of a segment as CSV: who they typically are, what sets them apart, what they buy."""
    told = _told((key,), asked, now=now)
    if told.pending:
        raise NoReport(f"Segment {key!r} has no report yet")
    (report,) = told.reports
    if is_reason(report["persona"]):
        raise InvalidInput(report["persona"]["undefined"], report["persona"]["message"])
    text = persona_csv(report)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8", newline="")
    for note in told.notes:
        err().print(note, markup=False, soft_wrap=True)


def _told(keys: tuple[str, ...], asked: Mapping[str, Any], *, now: bool) -> _Told:
    given = {name: value for name, value in asked.items() if value not in (None, ())}
    winnow = wired()
    return _computed(winnow, keys, given) if now or given else _stored(winnow, keys)


def _stored(winnow: Winnow, keys: tuple[str, ...]) -> _Told:
    reports = winnow.segment_reports
    found = tuple(map(reports.of, keys)) if keys else reports.all_newest()
    if not found:
        return _Told(reports=(), notes=(NO_SEGMENTS,))
    documents = tuple(one.report.document for one in found if one.report is not None)
    return _Told(
        reports=documents,
        pending=tuple(one for one in found if one.report is None),
        outdated=frozenset(one.segment.value.key for one in found if one.state == "outdated"),
        notes=_all_notes(documents),
    )


def _computed(winnow: Winnow, keys: tuple[str, ...], given: Mapping[str, Any]) -> _Told:
    from experiments.services.segments.cards import CardWish, SegmentCards  # noqa: PLC0415
    from experiments.services.segments.documents import segment_document  # noqa: PLC0415

    wish = CardWish(keys=keys, **given)
    with progress_bar("Reading profiles") as tell:
        made = SegmentCards(winnow.open_unit_of_work, winnow.clock).make(wish, tell)
    documents = tuple(segment_document(made, key) for key in made.names if key in keys or not keys)
    return _Told(reports=documents, notes=made.notes)


def _all_notes(documents: Iterable[Document]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for document in documents for note in document["notes"]))


def _print(report: Document) -> None:
    table = Table(title=Text(f"{report['segment']} · {report['name']}"), box=SIMPLE_HEAD, show_header=False)
    table.add_column("")
    table.add_column("")
    for label, told in rows(report):
        table.add_row(label, Text(told))
    out().print(table)
    _print_doubts(report["doubts"])


def _print_doubts(doubts: Iterable[Document]) -> None:
    for doubt in doubts:
        click.echo(f"{doubt['severity']}: {doubt['sentence']}")
