"""`winnow segments`: audiences from ready templates. Cards are imported when asked for: they need the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.cli.console import err, out
from experiments.cli.group import CommandGroup, Entry
from experiments.cli.wired import ACTOR, wired
from experiments.domain.condition.words import condition_sentence
from experiments.domain.segment import Segment
from experiments.domain.segment_kind import KIND_SENTENCES, SegmentKind
from experiments.domain.templates import TEMPLATES, Parameter, SegmentTemplate, template

LONGEST_BLANKS = 120

COMMANDS = {
    "list": Entry("experiments.cli.library:list_segments", "List all segments."),
    "show": Entry("experiments.cli.library:show_segment", "Show one segment with all its fields."),
    "templates": Entry("experiments.cli.segments:templates", "List all templates, or say what one of them wants."),
    "make": Entry("experiments.cli.segments:make", "Print the condition of a template, or store it as a segment."),
    "card": Entry("experiments.cli.segment_cards:card", "Show what segments are worth, and can they be tested in."),
    "drift": Entry("experiments.cli.segment_drift:drift", "Show who moved to another segment since exposure."),
    "import": Entry("experiments.cli.segment_list:import_list", "Put customers on a list, which is a segment."),
    "learn": Entry("experiments.cli.segment_studies:learn", "Look for customers who are alike."),
    "refit": Entry("experiments.cli.segment_studies:refit", "Look again: which clusters are left, and who moved."),
    "clusters": Entry("experiments.cli.segment_studies:clusters", "List clusterings, and what one of them found."),
    "discover": Entry("experiments.cli.segment_discovery:discover", "Look for whom a treatment did something else."),
    "discoveries": Entry("experiments.cli.segment_discovery:discoveries", "List discoveries, and what one proposed."),
    "adopt": Entry("experiments.cli.segment_studies:adopt", "Make a segment of what was found."),
    "persona": Entry("experiments.cli.segment_cards:draw", "Draw the portrait of a segment as CSV."),
}

KINDS = tuple(dict.fromkeys(found.kind for found in TEMPLATES.values()))
"""Those that templates are of: others are found by looking at customers."""

segments = CommandGroup(
    name="segments", entries=COMMANDS, help="Make segments from ready templates, and see what they are like."
)


@click.command()
@click.argument("key", required=False, metavar="[TEMPLATE]")
@click.option("--kind", type=click.Choice([kind.value for kind in KINDS]), help="Only templates of this kind.")
def templates(key: str | None, kind: str | None) -> None:
    """List all templates, or say what one of them wants."""
    if key is not None:
        _describe(template(key))
        return
    for one in [SegmentKind(kind)] if kind else KINDS:
        click.echo(f"{one}: {KIND_SENTENCES[one]}")
        table = Table("template", "what it holds", "wants", box=SIMPLE_HEAD)
        for found in TEMPLATES.values():
            if found.kind is one:
                table.add_row(found.key, found.sentence, Text(" ".join(map(_blank, found.parameters))))
        out().print(table)


@click.command()
@click.argument("key", metavar="TEMPLATE")
@click.argument("given", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--save", metavar="SEGMENT", help="Store it as a segment of this key.")
@click.option("--name", help="Name of the stored segment; that of the template if left out.")
def make(key: str, given: tuple[str, ...], save: str | None, name: str | None) -> None:
    """Print the condition that a template comes to, or store it as a segment.

    Several values stand with commas between, or as a JSON list where they hold commas themselves:

        winnow segments make buys_by_channel values=Web,Multichannel

        winnow segments make spend_bands 'values=["6) $750 - $1,000"]'
    """
    found = template(key)
    condition = found.condition(found.from_texts(dict(map(_pair, given))))
    if save is not None:
        segment = Segment(
            key=save,
            name=name or found.name,
            condition=condition,
            description=_described(found, condition),
            kind=found.kind,
        )
        winnow = wired()
        stored = winnow.author.segments.create(segment, actor=ACTOR)
        err().print(f"Segment {stored.value.key} is stored.")
        told = f"`winnow segments card {stored.value.key}` tells whether it can be tested in."
        err().print(told, markup=False, soft_wrap=True)
        for doubt in winnow.segment_reports.of(stored.value.key).doubts:
            err().print(f"{doubt['severity']}: {doubt['sentence']}", markup=False, soft_wrap=True)
    click.echo(json.dumps(condition, ensure_ascii=False))


def _described(found: SegmentTemplate, condition: Mapping[str, Any]) -> str:
    """The template's sentence, and what it comes to here: "at most so long ago" alone says nothing."""
    told = condition_sentence(condition)
    fits = len(told) <= LONGEST_BLANKS and found.kind is not SegmentKind.LIST  # who is on a list is nobody's to read
    return f"{found.sentence.removesuffix('.')}: {told}." if fits else found.sentence


def _pair(argument: str) -> tuple[str, str]:
    name, equals, value = argument.partition("=")
    if not equals:
        raise click.BadParameter(f"{argument!r} is no NAME=VALUE.", param_hint="NAME=VALUE")
    return name, value


def _blank(parameter: Parameter) -> str:
    if parameter.required:
        return f"{parameter.name}=…"
    return f"[{parameter.name}={'' if parameter.default is None else parameter.default}]"


def _describe(found: SegmentTemplate) -> None:
    click.echo(f"{found.name} ({found.kind}). {found.sentence}")
    table = Table("parameter", "type", "default", "meaning", box=SIMPLE_HEAD)
    for one in found.parameters:
        default = "wanted" if one.required else "" if one.default is None else str(one.default)
        told = f"{one.description} {' | '.join(one.options)}".strip()
        table.add_row(one.name, one.type, Text(default), Text(told))
    out().print(table)
    click.echo(f"For example: {found.example.sentence}")
    click.echo(f"  {json.dumps(dict(found.example.parameters), ensure_ascii=False)}")
    click.echo(f"  {json.dumps(found.condition(found.example.parameters), ensure_ascii=False)}")
