"""`winnow customers summary`: what the worker stored of everybody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from experiments.cli.card_told import is_reason
from experiments.cli.console import out
from experiments.cli.wired import wired

MOST_SEGMENTS = 8
"""More do not stand beside each other on a screen."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def summary(*, as_json: bool) -> None:
    """Show recency, frequency and money of all customers, their named groups, and which segments overlap."""
    report = wired().segment_reports.customers()
    found = report.document
    if as_json:
        click.echo(json.dumps(dict(found), ensure_ascii=False, indent=2, allow_nan=False))
        return
    click.echo(f"{found['units']:,} profiles, as of {report.made_at:%Y-%m-%d %H:%M} UTC")
    for part, show in ((found["rfm"], _print_rfm), (found["overlap"], _print_overlap)):
        if is_reason(part):
            click.echo(part["message"])
        else:
            show(part)


def _print_rfm(rfm: Mapping[str, Any]) -> None:
    money, once = rfm["revenue_cents"] / 100, rfm["bought_once"]
    told = f"{rfm['customers']:,} customers bought {rfm['purchases']:,} times for {money:,.2f}; {once:,} of them once"
    click.echo(told)
    scores = sorted({cell["f"] for cell in rfm["heat_map"]})
    cells = {(cell["r"], cell["f"]): f"{cell['customers']:,}" for cell in rfm["heat_map"]}
    table = Table("recency \\ frequency", *map(str, scores), box=SIMPLE_HEAD)
    for r in sorted(scores, reverse=True):
        table.add_row(str(r), *(cells[r, f] for f in scores))
    out().print(table)
    groups = Table("group", "customers", "share", "revenue", "share of revenue", box=SIMPLE_HEAD)
    for one in rfm["groups"]:
        shares = (share_text(one[name]) for name in ("share_of_customers", "share_of_revenue"))
        revenue = f"{one['revenue_cents'] / 100:,.2f}"
        groups.add_row(one["name"], f"{one['customers']:,}", next(shares), revenue, next(shares))
    out().print(groups)


def _print_overlap(overlap: Mapping[str, Any]) -> None:
    keys, units = overlap["segments"], overlap["units"]
    if len(keys) > MOST_SEGMENTS:
        click.echo(f"How {len(keys)} segments overlap is in --json.")
        return
    table = Table("of \\ also in", *keys, "customers", box=SIMPLE_HEAD)
    for key, shares, count in zip(keys, overlap["shares"], units, strict=True):
        table.add_row(key, *map(share_text, shares), f"{count:,}")
    out().print(table)


def share_text(value: Any) -> str:
    """Of one in 11,000 it is not said that they are nobody."""
    if is_reason(value):
        return "–"
    return "<0.1%" if 0 < value < 0.001 else f"{value:.1%}"
