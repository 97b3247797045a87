"""Pictures of the simulation of adaptive splits."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from simulation.adaptive.promises import Row

# Okabe & Ito: told apart by everybody, and in grey.
_REPORTED, _UNITS, _POOLED, _QUIET = "#0072B2", "#E69F00", "#D55E00", "#6b6b6b"
_STYLE: Any = {
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#bbbbbb",
    "axes.labelcolor": _QUIET,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "font.size": 9,
    "legend.frameon": False,
    # The same numbers give the same file.
    "svg.hashsalt": "winnow",
}


def draw_all(rows: Sequence[Row], folder: Path) -> None:
    with mpl.rc_context(_STYLE):
        for name, draw in {"adaptive_regret": regret, "adaptive_coverage": coverage}.items():
            draw(rows).savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})


def regret(rows: Sequence[Row]) -> Figure:
    """Adaptive over fixed, by world; worlds without regret are left out."""
    shown = [row for row in rows if row.rate("regret_fixed")]
    figure = Figure(figsize=(6.4, 3.4))
    axes = figure.subplots()
    for place, row in enumerate(reversed(shown)):
        mean, low, high = row.regret_kept
        axes.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", color=_REPORTED, capsize=3)
    axes.axvline(1, color=_QUIET, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(shown)), [_title(row) for row in reversed(shown)])
    axes.set_xlim(left=0)
    axes.set_xlabel("regret, as a share of the fixed split's")
    axes.set_title("What is left of the regret")
    return figure


def coverage(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    for name, label, colour, marker in (
        ("pooled", "pooled", _POOLED, "x"),
        ("by_units", "units as weights", _UNITS, "s"),
        ("covered", "as reported", _REPORTED, "o"),
    ):
        axes.plot([row.rate(name) for row in rows], places, marker, color=colour, label=label, markersize=5)
    reach = 4 * sqrt(0.95 * 0.05 / rows[0].runs)
    axes.axvspan(0.95 - reach, 0.95 + reach, color="#cccccc", alpha=0.6, linewidth=0)
    axes.set_yticks(places, [_title(row) for row in rows])
    axes.set_xlabel("coverage of 95% intervals (grey: what chance allows)")
    axes.set_title("Whether intervals hold")
    axes.legend(loc="upper left")
    return figure


def _title(row: Row) -> str:
    return f"{row.world.title}, {'conversions' if row.kind == 'conversion' else 'values'}"
