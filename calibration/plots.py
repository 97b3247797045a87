"""Pictures of the calibration, and of the worked example in the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from calibration import example
from calibration.page import lines
from calibration.runner import Measured
from calibration.scenario import Floats
from calibration.scenarios.peeking import LOOKS
from calibration.scenarios.splits import DAYS
from calibration.scenarios.winners import TAUS

# Okabe & Ito: told apart by everybody, and in grey.
ENGINE, NAIVE, BOUND, INK, QUIET = "#0072B2", "#D55E00", "#999999", "#222222", "#6b6b6b"
Pair = tuple[Measured, Measured]

STYLE: Any = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#bbbbbb",
    "axes.labelcolor": QUIET,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelsize": 9,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "font.size": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    # The same numbers give the same file.
    "svg.hashsalt": "winnow",
}


def draw_all(measured: Mapping[str, Pair], folder: Path, suffix: str = ".svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "overview": lambda: overview(list(measured.values())),
        "peeking": lambda: peeking(measured),
        "winner": lambda: winner(measured["winner"]),
        "lift": lambda: lift_tails(measured),
        "srm": lambda: mismatch_by_day(measured["srm_daily"]),
        "uniform": lambda: uniform(measured),
        "example": worked_example,
    }
    with mpl.rc_context(STYLE):
        for name, draw in figures.items():
            path = folder / f"{name}{suffix}"
            draw().savefig(path, bbox_inches="tight", dpi=110, metadata={"Date": None} if suffix == ".svg" else None)


_ERRORS = {
    "peeking_normal.any_look_error": "100 looks, normal values",
    "peeking_conversion.any_look_error": "100 looks, conversions",
    "peeking_revenue.any_look_error": "100 looks, revenue",
    "early.revenue_90_10": "first look at 20 units, revenue, 90/10",
    "looks_planned.any_look_error": "five planned looks",
    "looks_unplanned.any_look_error": "unplanned looks, spending",
    "ratio.error": "clicks per view",
    "median.error": "median of rows",
    "ramp.error": "ramp over a falling base",
    "canary.error": "start with 1%, then halves",
    "growth.ten_epochs": "spread that grows",
    "segments_null.some_won": "20 null segments: some winner",
    "srm_daily.any_look_error": "SRM alarm within 60 days",
}


def overview(measured: Sequence[Pair]) -> Figure:
    """One line per error rate: with the safeguard, without it, and the most it may be."""
    found = {line.name: (on, off) for on, off in measured for line in lines(on, off)}
    rows = [(label, *_rates(name, *found[name])) for name, label in _ERRORS.items() if name in found]
    figure = Figure(figsize=(7.6, 0.36 * len(rows) + 1.2))
    axes = figure.subplots()
    for index, (_, on, off, bound) in enumerate(rows):
        axes.plot([max(on, 1e-3), off], [index, index], color="#dddddd", linewidth=2, zorder=1)
        axes.plot([bound, bound], [index - 0.32, index + 0.32], color=BOUND, linewidth=2, zorder=2)
        axes.scatter([max(on, 1e-3)], [index], color=ENGINE, s=42, zorder=3)
        axes.scatter([off], [index], color=NAIVE, marker="D", s=34, zorder=3)
    axes.set_xscale("log")
    axes.set_xlim(8e-4, 1.2)
    axes.set_xticks([0.001, 0.01, 0.05, 0.1, 0.5, 1.0], ["0.1%", "1%", "5%", "10%", "50%", "100%"])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.invert_yaxis()
    axes.spines["left"].set_visible(False)
    axes.set_title("How often an experiment without any effect is called one", pad=26)
    _legend(axes, (("o", ENGINE, "with the safeguard"), ("D", NAIVE, "without it"), ("|", BOUND, "the most it may be")))
    return figure


def _rates(name: str, on: Measured, off: Measured) -> tuple[float, float, float]:
    bound = next(bound for bound in on.bounds if bound.name == name and bound.relation == "<=")
    return bound.measured, next(b.measured for b in off.bounds if b.name == name), bound.bound


def _legend(axes: Any, entries: Sequence[tuple[str, str, str]]) -> None:
    for marker, colour, label in entries:
        axes.scatter([], [], color=colour, marker=marker, s=42, label=label)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.995), ncols=3, handletextpad=0.3, columnspacing=1.4)


def peeking(measured: Mapping[str, Pair]) -> Figure:
    figure = Figure(figsize=(8.6, 2.9))
    panels = {"peeking_normal": "Normal values", "peeking_conversion": "Conversions, 5%", "peeking_revenue": "Revenue"}
    for axes, (key, title) in zip(figure.subplots(1, 3, sharey=True), panels.items(), strict=True):
        for side, colour in zip(measured[key], (ENGINE, NAIVE), strict=True):
            axes.plot(range(1, LOOKS + 1), _so_far(side.samples["first_error"], LOOKS), color=colour)
        axes.axhline(0.05, color=BOUND, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_title(title)
        axes.set_xlabel("looks")
        axes.set_ylim(0, 0.42)
        _in_percent(axes)
        if key == "peeking_normal":
            axes.text(98, 0.21, "p-value for one look", color=NAIVE, ha="right", va="bottom")
            axes.text(98, 0.058, "always-valid: at most 5%", color=ENGINE, ha="right", va="bottom")
    figure.suptitle("A/A tests in which some look so far found a difference", x=0.07, ha="left", y=1.04, fontsize=10.5)
    return figure


def _so_far(first: Any, last: int) -> Floats:
    counts = np.bincount(np.minimum(first.astype(int), last + 1), minlength=last + 2)[1 : last + 1]
    shares: Floats = np.cumsum(counts) / len(first)
    return shares


def winner(pair: Pair) -> Figure:
    figure = Figure(figsize=(8.6, 3.0))
    left, right = figure.subplots(1, 2)
    place = np.arange(len(TAUS))
    for side, colour, marker in ((pair[0], ENGINE, "o"), (pair[1], NAIVE, "D")):
        samples = side.samples
        left.plot(place, [samples[f"bias_{tau:g}"].mean() for tau in TAUS], color=colour, marker=marker)
        right.plot(place, [samples[f"covered_{tau:g}"].mean() for tau in TAUS], color=colour, marker=marker)
    left.axhline(0, color=BOUND, linewidth=1, linestyle=(0, (4, 3)))
    right.axhline(0.95, color=BOUND, linewidth=1, linestyle=(0, (4, 3)))
    left.set_title("Shown less true effect of the best segment")
    left.set_ylabel("typical standard errors")
    right.set_title("How often its interval covers the truth")
    right.set_ylim(0.5, 1.02)
    _in_percent(right)
    left.text(0.05, 0.2, "as the report shows it", color=ENGINE, va="bottom")
    left.text(0.05, 2.1, "as it came out", color=NAIVE, va="top")
    for axes in (left, right):
        axes.set_xticks(place, [f"{tau:g}" for tau in TAUS])
        axes.set_xlabel("spread of the true effects between segments")
    return figure


def lift_tails(measured: Mapping[str, Pair]) -> Figure:
    figure = Figure(figsize=(8.6, 2.9))
    sizes = (300, 2_000, 20_000)
    for axes, (quantity, title) in zip(
        figure.subplots(1, 2, sharey=True),
        (("too_low", "Whole interval below the true lift"), ("too_high", "Whole interval above it")),
        strict=True,
    ):
        for offset, index, colour, label in ((-0.19, 0, ENGINE, "test inverted"), (0.19, 1, NAIVE, "Wald")):
            rates = [measured[f"lift_{n}"][index].samples[quantity].mean() for n in sizes]
            bars = axes.bar(np.arange(len(sizes)) + offset, rates, width=0.36, color=colour, label=label)
            axes.bar_label(bars, [f"{100 * rate:.1f}%" for rate in rates], padding=2, fontsize=8, color=QUIET)
        axes.axhline(0.025, color=BOUND, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xticks(range(len(sizes)), [f"{n:,} an arm" for n in sizes])
        axes.set_title(title)
        axes.set_ylim(0, 0.1)
        _in_percent(axes)
    figure.axes[1].legend(loc="upper right")
    return figure


def mismatch_by_day(pair: Pair) -> Figure:
    figure = Figure(figsize=(8.6, 2.9))
    panels = (("fair", "Split as intended: false alarms", 0.12), ("broken", "Split 51 to 49: found", 1.05))
    for axes, (name, title, top) in zip(figure.subplots(1, 2), panels, strict=True):
        for side, colour in zip(pair, (ENGINE, NAIVE), strict=True):
            axes.plot(range(1, DAYS + 1), _so_far(side.samples[name], DAYS), color=colour)
        axes.set_title(title)
        axes.set_xlabel("day")
        axes.set_ylim(0, top)
        _in_percent(axes)
    left, right = figure.axes
    left.axhline(0.01, color=BOUND, linewidth=1, linestyle=(0, (4, 3)))
    left.text(59, 0.055, "chi-square at every look", color=NAIVE, ha="right", va="top")
    left.text(59, 0.012, "sequential, at most 1%", color=ENGINE, ha="right", va="bottom")
    right.text(22, 0.3, "sequential", color=ENGINE)
    right.text(1, 0.95, "chi-square", color=NAIVE)
    return figure


def uniform(measured: Mapping[str, Pair]) -> Figure:
    figure = Figure(figsize=(8.6, 2.5))
    kinds = ("mean", "count", "conversion", "ratio")
    for axes, kind in zip(figure.subplots(1, 4, sharey=True), kinds, strict=True):
        for side, colour in zip(measured[f"uniform_{kind}"], (ENGINE, NAIVE), strict=True):
            p = np.sort(side.samples["p"].astype(float))
            share = np.arange(1, p.size + 1) / p.size
            keep = np.linspace(0, p.size - 1, 400).astype(int)
            axes.plot(p[keep], (share - p)[keep], color=colour, linewidth=1.4)
        band = 1.95 / sqrt(p.size)
        axes.axhspan(-band, band, color="#e8e8e8", zorder=0)
        axes.set_title(kind.capitalize())
        axes.set_xlabel("p-value")
        axes.set_xticks([0, 0.5, 1])
    figure.axes[0].set_ylabel("share below it, too many")
    figure.axes[0].text(0.97, -0.05, "engine", color=ENGINE, ha="right")
    figure.axes[0].text(0.97, 0.15, "naive", color=NAIVE, ha="right")
    return figure


def worked_example() -> Figure:
    """The segments of the worked example: the lift with the interval that belongs to the verdict."""
    rows = example.rows()
    figure = Figure(figsize=(7.6, 0.5 * len(rows) + 1.1))
    axes = figure.subplots()
    for index, row in enumerate(rows):
        colour = ENGINE if row.decided else BOUND
        axes.plot([row.low, row.high], [index, index], color=colour, linewidth=2.4, solid_capstyle="butt")
        axes.scatter([row.lift], [index], color=colour, s=46, zorder=3)
        axes.text(1.02, index, row.verdict, transform=axes.get_yaxis_transform(), va="center", color=INK, fontsize=9)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.invert_yaxis()
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}%" if value else "0")
    axes.set_xlabel("visits, compared with no e-mail")
    axes.set_title("What each mail did for whom, and how sure that is")
    return figure


def _in_percent(axes: Any) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
