"""What the demo tells at its end: winners, promotions, and what was found against what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from experiments.cli.demo.setup import Setup
from experiments.cli.tables import comparison, interval_of, percent, primary, print_report, shown_segments

Doc = Mapping[str, Any]
Truth = Mapping[str, Mapping[str, float]]


def show_results(console: Console, setup: Setup, report: Doc) -> None:
    """Print winners with lift, interval and verdict in plain words."""
    console.rule("What won, for whom, how sure are we?")
    print_report(console, report, setup.variant_names, setup.segment_names)


def show_promotions(console: Console, setup: Setup, proposals: Sequence[Doc], made: Sequence[Doc]) -> None:
    """Print what went live, and why the rest did not."""
    console.rule("What goes live")
    promoted = {promotion["segment"]: promotion for promotion in made}
    for proposal in proposals:
        segment, first = proposal["segment"], proposal["decision"]["reasons"][0]
        name = setup.segment_names[segment]
        if segment in promoted:
            winner = setup.variant_names[promoted[segment]["variant"]]
            console.print(f"• {name}: {winner} is live (promotion {promoted[segment]['id']}).", markup=False)
        elif sum(units for _, units in proposal["evidence"]["units"]):
            console.print(f"• {name}: {proposal['decision']['action']}. {first['message']}", markup=False)


def judge(scope: Doc, rates: Mapping[str, float]) -> str:
    """Say whether a segment's verdict is right, wrong or still open; a tie is right where the best is in it."""
    verdict = scope["verdict"]
    if verdict["outcome"] not in ("winner", "tied", "control_wins"):
        return "open"
    named = [verdict["variant"]] if verdict["variant"] else verdict["leaders"]
    return "right" if max(rates, key=lambda variant: rates[variant]) in named else "wrong"


def show_truth(console: Console, setup: Setup, report: Doc, truth: Truth) -> None:
    """Print what was found against what the simulation was told."""
    console.rule("Found against true (this is a simulation, so the truth is known)")
    table = Table(box=SIMPLE_HEAD)
    table.add_column("segment")
    table.add_column("variant")
    table.add_column("true lift", justify="right")
    table.add_column("found", justify="right")
    table.add_column("always valid", justify="right", no_wrap=True)
    table.add_column("holds the truth")
    table.add_column("verdict is")
    control = report["control"]
    for scope in shown_segments(report):
        segment = scope["segment"]
        cells = (setup.segment_names[segment], judge(scope, truth[segment]))
        for variant, rate in truth[segment].items():
            effect = comparison(primary(scope), variant, control)
            if effect is None:
                continue
            true_lift, interval = rate / truth[segment][control] - 1, effect["lift_in_family"]
            ends = interval.get("low"), interval.get("high")
            holds = all(isinstance(end, int | float) for end in ends) and ends[0] <= true_lift <= ends[1]
            table.add_row(
                cells[0],
                setup.variant_names[variant],
                percent(true_lift, sign=True),
                percent(effect["lift"]["value"], sign=True),
                interval_of(interval),
                "yes" if holds else "no" if "low" in interval else "",
                cells[1],
            )
            cells = ("", "")
    console.print(table)
