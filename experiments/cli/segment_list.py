"""`winnow segments import`: a list of customers as a segment."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from experiments.cli.console import progress_bar
from experiments.cli.import_customers import INTERRUPTED_EXIT_CODE, REJECTED_EXIT_CODE, tell_bad_rows
from experiments.cli.separator import one_character
from experiments.cli.wired import ACTOR, wired
from experiments.domain.wording import amount
from experiments.services.lists.import_list import ListImported, ListImporter, ListWish


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "key", required=True, metavar="SEGMENT", help="Key of the list and its segment.")
@click.option("--name", help="Name of the segment, for people.")
@click.option("--id-column", default="unit_id", show_default=True, help="The column that says who it is.")
@click.option("--delimiter", default=",", show_default=True, callback=one_character, help=r"Of CSV; \t is a tab.")
@click.option("--max-errors", type=click.IntRange(1), default=100, show_default=True, help="Bad rows to report.")
@click.option("--json", "as_json", is_flag=True, help="Report as JSON on stdout.")
def import_list(
    *, file: Path, key: str, name: str | None, id_column: str, delimiter: str, max_errors: int, as_json: bool
) -> None:
    """Put everybody whom FILE names (CSV, plain or gzip, or Parquet) on a list, and make a segment of it.

    Another file as the same segment replaces the list: who is not in it comes off. Rows that are unfit are told by
    line, nobody comes off then, and the exit code is 3. The same file again goes on where it was ended.
    """
    wish = ListWish(path=file, key=key, name=name, id_column=id_column, delimiter=delimiter, most_bad_rows=max_errors)
    winnow = wired()
    importer = ListImporter(winnow.open_unit_of_work, winnow.profiles, winnow.author, winnow.clock)
    try:
        with progress_bar("Importing") as tell:
            done = importer.run(wish, tell, actor=ACTOR)
    except KeyboardInterrupt:
        click.echo("Ended. What is done is stored: the same command goes on from there.", err=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
    _report(done, key, file.name, as_json=as_json)
    if done.rejected:
        raise SystemExit(REJECTED_EXIT_CODE)


def _report(done: ListImported, key: str, file: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    click.echo(
        f"{file}: {amount(done.rows, 'row')}: {done.on_list:,} on the list, {done.taken_off:,} taken off, "
        f"{done.erased:,} left out as erased, {done.rejected:,} rejected."
    )
    tell_bad_rows(done.bad_rows, done.rejected)
    if done.kept_because:
        click.echo(
            f"{done.kept_because}: Nobody was taken off, for rows that could not be read may name who is on the list. "
            "Mend them and import the file again.",
            err=True,
        )
    made = "is stored" if done.is_new else "stays"
    click.echo(f"Segment {key} {made}; `winnow segments card {key}` tells whether it can be tested in.", err=True)
