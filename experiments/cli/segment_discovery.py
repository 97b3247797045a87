"""`winnow segments discover` and `discoveries`: for whom a treatment did something else, as proposals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.cli.console import out, progress_bar
from experiments.cli.segment_studies import attributes_option, json_option, list_studies, tell_adopted
from experiments.cli.wired import ACTOR, wired
from experiments.domain.condition.words import condition_sentence
from experiments.domain.study import Study, StudyKind


@click.command()
@click.argument("experiment")
@click.option("--metric", help="Of the experiment; else its primary one.")
@attributes_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides which half proposes.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Chance to propose where nothing differs.")
@click.option("--power", type=float, default=0.8, show_default=True, help="Of the next experiment.")
@click.option("--late", is_flag=True, help="Use attributes that became known after exposures all the same.")
@json_option
def discover(
    *,
    experiment: str,
    metric: str | None,
    attributes: tuple[str, ...],
    seed: int,
    alpha: float,
    power: float,
    late: bool,
    as_json: bool,
) -> None:
    """Look for customers for whom a treatment of EXPERIMENT did something else. One half proposes, the other answers.

    What comes of it is a proposal for the next experiment, never a winner of this one. Every look counts: the error
    rate holds for one.
    """
    from experiments.services.studies.discover import Discoverer, DiscoverWish  # noqa: PLC0415 - it needs the numbers

    winnow = wired()
    wish = DiscoverWish(
        experiment=experiment,
        metric=metric,
        attributes=attributes,
        seed=seed,
        alpha=alpha,
        power=power,
        late=late,
    )
    with progress_bar("Reading exposures and events") as tell:
        study = Discoverer(winnow.open_unit_of_work, winnow.clock).discover(wish, tell, actor=ACTOR)
    _show(study, as_json=as_json)


@click.command()
@click.argument("experiment", required=False)
@click.option("--version", "look", type=click.IntRange(1), help="That look in place of the newest.")
@json_option
def discoveries(experiment: str | None, look: int | None, *, as_json: bool) -> None:
    """List all discoveries; of one its newest look, and the segments that were made of it."""
    studies, kind = wired().studies, StudyKind.DISCOVERY
    if experiment is None:
        list_studies(kind)
        return
    _show(studies.get(kind, experiment, look), as_json=as_json)
    if not as_json:
        tell_adopted(studies.adopted(kind, experiment))


def _show(study: Study, *, as_json: bool) -> None:
    document = study.document
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))
        return
    click.echo(f"Look {study.version} at {study.name}, {document['metric']['name']}: {document['message']}")
    if document["groups"]:
        out().print(_table(document))
    for note in document["notes"]:
        click.echo(note)
    proposed = [one["key"] for one in document["groups"] if one["proposed"]]
    if proposed:
        click.echo(f"`winnow segments adopt {study.name} --leaf {proposed[0]} --as KEY` makes a segment of it.")


def _table(document: Mapping[str, Any]) -> Table:
    level = 1 - document["alpha"] / max(len(document["comparisons"]), 1)
    table = Table(box=SIMPLE_HEAD)
    for title in ("leaf", "treatment"):
        table.add_column(title)
    for title in ("units", f"effect ({level:.1%} interval)", "elsewhere", "p", "next experiment needs"):
        table.add_column(title, justify="right")
    for title in ("rule", ""):
        table.add_column(title)
    for one in document["groups"]:
        interval, needed = one["effect_interval"], one["units_needed_at_worst"]
        table.add_row(
            one["key"],
            one["treatment"],
            f"{one['units']:,}",
            f"{one['effect']:+.4g} ({interval['low']:+.4g} … {interval['high']:+.4g})",
            f"{one['outside']:+.4g}",
            f"{one['p_adjusted']:.2g}",
            "–" if needed is None else f"{needed:,}",
            Text(condition_sentence(one["condition"])),
            "proposed" if one["proposed"] else "",
        )
    return table
