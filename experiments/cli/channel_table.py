"""Results by channel, and what is told of persons with several ids, for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from experiments.cli.tables import comparison, decimal, interval_of, percent, primary

NOT_SAID = "not said"
EXPLAINED = (
    "Everybody counts once, in the channel of the first exposure. The intervals hold at every look and are not "
    "adjusted for the number of channels: they describe, and name no winner."
)


def print_channels(
    console: Console, channels: Sequence[Mapping[str, Any]], control: str, variants: Mapping[str, str]
) -> None:
    """Print a row for each variant in each channel, of the primary metric."""
    if not channels:
        console.print("No exposure has a channel.")
        return
    table = Table(title=f"{primary(channels[0])['metric']} by channel", box=SIMPLE_HEAD)
    table.add_column("channel")
    for title in ("units", "variant", "value", "lift", "always valid"):
        table.add_column(title, justify="left" if title == "variant" else "right", no_wrap=True)
    for one in channels:
        metric, head = primary(one), one["channel"] or NOT_SAID
        for arm in metric["arms"]:
            effect = comparison(metric, arm["variant"], control)
            value = percent(arm["value"]) if metric["kind"] == "conversion" else decimal(arm["value"])
            lift = percent(effect["lift"]["value"], sign=True) if effect else ""
            interval = interval_of(effect["lift"]["interval"]) if effect else ""
            name = variants.get(arm["variant"], arm["variant"])
            table.add_row(head, f"{arm['units']:,}", name, value, lift, interval)
            head = ""
        table.add_section()
    console.print(table)
    console.print(EXPLAINED, markup=False)


def identities_line(joined: Mapping[str, int]) -> str:
    """Say how many persons have several ids, and how many are left out for what their ids saw."""
    several, left_out = joined["several_ids_exposed"], joined["contradictions"]
    return f"{several:,} persons were exposed by several ids; {left_out:,} are left out, as their ids saw two variants."
