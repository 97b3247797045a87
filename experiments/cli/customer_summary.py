"""`winnow customers summary`: what the worker stored of everybody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from experiments.cli.card_told import is_reason
from experiments.cli.console import out
from experiments.cli.wired import wired
from experiments.domain.wording import amount

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
    click.echo(f"{amount(found['units'], 'profile')}, as of {report.made_at:%Y-%m-%d %H:%M} UTC")
    for part, show in ((found["rfm"], _print_rfm), (found["overlap"], _print_overlap)):
        if is_reason(part):
            click.echo(part["message"])
        else:
            show(part)


def _print_rfm(rfm: Mapping[str, Any]) -> None:
    money, once = rfm["revenue_cents"] / 100, rfm["bought_once"]
    told = f"{amount(rfm['customers'], 'customer')} bought {amount(rfm['purchases'], 'time')} for {money:,.2f}"
    told += f"; {once:,} of them once"
    click.echo(told)
    out().print(_heat_map(rfm))
    groups = Table("group", "customers", "share", "revenue", "share of revenue", box=SIMPLE_HEAD)
    for one in rfm["groups"]:
        shares = (share_text(one[name]) for name in ("share_of_customers", "share_of_revenue"))
        revenue = f"{one['revenue_cents'] / 100:,.2f}"
        groups.add_row(one["name"], f"{one['customers']:,}", next(shares), revenue, next(shares))
    out().print(groups)


def _heat_map(rfm: Mapping[str, Any]) -> Table:
    """In days and purchases, as on the page: what scores stand for differs from shop to shop."""
    cells = {(cell["r"], cell["f"]): cell["customers"] for cell in rfm["heat_map"]}
    days, times = rfm["cuts"]["recency_days"], rfm["cuts"]["frequency"]
    rows = _scores([score_range(0, len(days) + 1 - r, days) for r in range(1, len(days) + 2)], cells, 0)
    columns = _scores([score_range(1, f - 1, times) for f in range(1, len(times) + 2)], cells, 1)
    table = Table("days since the last \\ purchases", *columns.values(), box=SIMPLE_HEAD)
    for r, words in sorted(rows.items(), reverse=True):
        table.add_row(words, *(f"{cells[r, f]:,}" for f in columns))
    return table


def _scores(words: Sequence[str], cells: Mapping[tuple[int, int], int], place: int) -> dict[int, str]:
    """By score what it stands for, without those that nobody can have: two ends that are equal leave none between."""
    taken = {scores[place] for scores, customers in cells.items() if customers}
    return {score: one or "–" for score, one in enumerate(words, 1) if one or score in taken}


def score_range(least: int, place: int, ends: Sequence[int]) -> str:
    """From where to where a score goes, empty where it holds nothing; `place` counts from the lowest numbers up."""
    low = least if place == 0 else ends[place - 1] + 1
    if place == len(ends):
        return f"{low:,} or more"
    high = ends[place]
    return "" if high < low else f"{low:,}" if high == low else f"{low:,} to {high:,}"


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
