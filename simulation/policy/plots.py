"""Pictures of the simulated policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from calibration.plots import BOUND, ENGINE, INK, NAIVE, QUIET, STYLE
from simulation.policy.play import Played, Promoted
from simulation.policy.tally import (
    FADING,
    FALSE,
    METHODS,
    WINNERS,
    Method,
    Results,
    gaps,
    is_false,
    right_promotions,
    row_of,
)
from simulation.policy.tally import calls_of as calls
from simulation.policy.world import LOOK_DAYS, Floats, World

FIXED = "#8a8a8a"
_COLOURS: dict[Method, str] = {"policy": ENGINE, "fixed": FIXED, "naive": NAIVE}
_MARKERS: dict[Method, str] = {"policy": "o", "fixed": "s", "naive": "D"}
_LABELS: dict[Method, str] = {"policy": "policy", "fixed": "fixed horizon", "naive": "naive peeking"}
_DASHES = (0, (4, 3))


def draw_all(results: Results, folder: Path, suffix: str = ".svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "false_promotions": false_promotions,
        "time_to_decision": time_to_decision,
        "kept": kept,
        "predicted": predicted,
    }
    with mpl.rc_context(STYLE):
        for name, draw in figures.items():
            metadata = {"Date": None} if suffix == ".svg" else None
            draw(results).savefig(folder / f"{name}{suffix}", bbox_inches="tight", dpi=110, metadata=metadata)


def false_promotions(results: Results) -> Figure:
    """One line per scenario: the share of experiments with a false promotion, of each method, with its interval."""
    shown = [(world, played) for key, (world, played) in results.items() if key != FADING]
    figure = Figure(figsize=(8.2, 0.52 * len(shown) + 1.2))
    axes = figure.subplots()
    for index, (world, played) in enumerate(shown):
        for offset, method in zip((-0.2, 0.0, 0.2), METHODS, strict=True):
            rate = row_of(world, played, method).false
            at, colour = index + offset, _COLOURS[method]
            axes.plot([rate.low, rate.high], [at, at], color=colour, linewidth=2, alpha=0.55, solid_capstyle="butt")
            axes.scatter([rate.share], [at], color=colour, marker=_MARKERS[method], s=34, zorder=3, clip_on=False)
        if index:
            axes.axhline(index - 0.5, color="#eeeeee", linewidth=1, zorder=0)
    axes.axvline(FALSE, color=BOUND, linewidth=1.2, linestyle=_DASHES, zorder=1)
    axes.set_xscale("symlog", linthresh=0.05, linscale=1.2)
    axes.set_xlim(-0.0012, 1.02)
    axes.set_xticks([0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%")
    axes.set_yticks(range(len(shown)), [world.title for world, _ in shown])
    axes.tick_params(axis="y", length=0, pad=8, labelcolor=INK)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.set_title("Experiments with a promotion that should not have been", pad=26)
    for method, label in _LABELS.items():
        axes.scatter([], [], color=_COLOURS[method], marker=_MARKERS[method], s=38, label=label)
    axes.plot([], [], color=BOUND, linestyle=_DASHES, linewidth=1.2, label="at most 5%")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=4, handletextpad=0.3, columnspacing=1.4)
    return figure


def time_to_decision(results: Results) -> Figure:
    """The share of experiments with a right promotion so far, by day."""
    shown = [(key, *results[key]) for key in WINNERS if key in results]
    figure = Figure(figsize=(3.0 * max(len(shown), 1) + 0.4, 2.9))
    if not shown:
        return figure
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    for axes, (_, world, played) in zip(panels, shown, strict=True):
        for method, colour in _COLOURS.items():
            days, shares = _found_by(world, played, method)
            if method == "fixed":
                axes.plot([LOOK_DAYS] * 2, [0, shares[-1]], color=colour, linewidth=1, linestyle=_DASHES)
                axes.scatter([LOOK_DAYS], shares[-1:], color=colour, marker="s", s=34, zorder=3, clip_on=False)
            else:
                axes.step(days, shares, where="post", color=colour)
        axes.set_title(_wrapped(world.title), fontsize=9.5)
        axes.set_xlabel("day")
        axes.set_xticks([0, 7, 14, 21, 28])
        axes.set_xlim(0, LOOK_DAYS + 0.5)
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    panels[0].set_ylabel("experiments with the right one live")
    for method, label in _LABELS.items():
        marker, line = ("s", "none") if method == "fixed" else ("none", "-")
        panels[0].plot([], [], color=_COLOURS[method], marker=marker, linestyle=line, label=label)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0.08, 1.04), ncols=3)
    return figure


def _found_by(world: World, all_played: Sequence[Played], method: Method) -> tuple[Floats, Floats]:
    firsts = []
    for played in all_played:
        right = [call.day for call in calls(played, method) if not is_false(world, played, call)]
        firsts += [min(right)] if right else []
    days = np.arange(LOOK_DAYS + 1)
    found = np.searchsorted(np.sort(firsts), days, side="right") / max(len(all_played), 1)
    return days.astype(float), found


def kept(results: Results) -> Figure:
    """The share of promotions still live, by days since they went live: those that fade, and those that last."""
    figure = Figure(figsize=(7.2, 2.9))
    axes = figure.subplots()
    fading = list(right_promotions(*results[FADING])) if FADING in results else []
    lasting = [one for key in WINNERS if key in results for one in right_promotions(*results[key])]
    for found, colour, label in ((lasting, ENGINE, "lifts that last"), (fading, NAIVE, "novelty that fades")):
        if found:
            days, shares = _still_live(found)
            axes.step(days, shares, where="post", color=colour)
            axes.text(days[-1] + 0.4, shares[-1], label, color=colour, va="center")
    axes.set_title("Promotions still live")
    axes.set_xlabel("days since the promotion")
    axes.set_xlim(0, 30)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    return figure


def _still_live(found: Sequence[Promoted]) -> tuple[Floats, Floats]:
    ends = np.sort([one.ended_on - one.day for one in found if one.state == "reverted" and one.ended_on is not None])
    days = np.arange(31)
    return days.astype(float), 1 - np.searchsorted(ends, days, side="right") / len(found)


def predicted(results: Results) -> Figure:
    """Left: what is predicted of winners of each true lift. Right: the mean gaps to the truth."""
    figure = Figure(figsize=(9.4, 3.4))
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.8})
    _by_truth(left, results)
    _by_world(right, results)
    return figure


def _by_truth(axes: Any, results: Results) -> None:
    found = [one for key in WINNERS if key in results for one in right_promotions(*results[key])]
    lifts = sorted({round(one.true_since, 6) for one in found})
    groups = [[one for one in found if round(one.true_since, 6) == lift] for lift in lifts]
    if not lifts:
        return
    top, least = max(fmean(one.gain for one in group) for group in groups) * 1.08, lifts[0] * 0.8
    axes.plot([least, top], [least, top], color=BOUND, linewidth=1, linestyle=_DASHES, zorder=0)
    for lift, group in zip(lifts, groups, strict=True):
        raw, shown = fmean(one.gain for one in group), fmean(one.predicted for one in group)
        axes.plot([lift, lift], [raw, shown], color="#dddddd", linewidth=2, zorder=1)
        axes.scatter([lift], [raw], color=NAIVE, marker="D", s=34, zorder=3)
        axes.scatter([lift], [shown], color=ENGINE, s=42, zorder=3)
    axes.set_xlim(least, top)
    axes.set_ylim(least, top)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(0.05))
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    axes.set_xlabel("true lift")
    axes.set_title("Lift of winners, as it is told")
    axes.scatter([], [], color=NAIVE, marker="D", s=34, label="raw estimate")
    axes.scatter([], [], color=ENGINE, s=42, label="predicted")
    axes.legend(loc="upper left", handletextpad=0.2)
    along = least + 0.13 * (top - least)
    axes.text(along, along * 0.97, "the true lift", color=QUIET, va="top", fontsize=8.5)


def _by_world(axes: Any, results: Results) -> None:
    shown = [gap for gap in gaps(results) if gap.promotions >= 5]
    for index, gap in enumerate(shown):
        axes.plot([gap.raw_to_truth, gap.corrected_to_truth], [index, index], color="#dddddd", linewidth=2, zorder=1)
        axes.scatter([gap.raw_to_truth], [index], color=NAIVE, marker="D", s=34, zorder=3)
        axes.scatter([gap.corrected_to_truth], [index], color=ENGINE, s=42, zorder=3)
    axes.set_yticks(range(len(shown)), [_wrapped(gap.title, 34) for gap in shown])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    axes.set_xlabel("mean distance from the true lift")
    axes.set_title("How far off")


def _wrapped(title: str, width: int = 30) -> str:
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
