"""Geometry of the small picture of a promotion: what was predicted, what it came to, and where it is taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.dashboard.forest import NARROW as FOREST_NARROW
from api.dashboard.forest import WIDE as FOREST_WIDE
from api.dashboard.forest import Bar, Frame, Mark, Scale, Tick, bar, scale_for, tick_label

TOP, ROW, BELOW = 34, 40, 26
ROOM_FOR_WORDS = 130


WIDE = replace(FOREST_WIDE, left=170, right=980)
NARROW = FOREST_NARROW


@dataclass(frozen=True, slots=True, kw_only=True)
class GainPlot:
    """Lifts as x; `threshold` is the lift at which it is taken back."""

    frame: Frame
    height: float
    bottom: float
    ticks: tuple[Tick, ...]
    predicted: float | None
    predicted_y: float
    realised: Bar | None
    realised_y: float
    threshold: float
    worse_is_left: bool
    top: float = TOP

    @property
    def threshold_label_x(self) -> float:
        return round(self.threshold + (-6 if self._label_is_left else 6), 1)

    @property
    def threshold_anchor(self) -> str:
        return "end" if self._label_is_left else "start"

    @property
    def _label_is_left(self) -> bool:
        """On the worse side, unless there is no room for the words."""
        room = self.threshold - self.frame.left if self.worse_is_left else self.frame.right - self.threshold
        return self.worse_is_left == (room > ROOM_FOR_WORDS)


def gain_plot(
    *, predicted: float | None, realised: tuple[float, float, float] | None, threshold: float, rises: bool, frame: Frame
) -> GainPlot | None:
    """Lay out lifts: `realised` is a point with both ends; None where there is nothing to draw."""
    marks = [] if predicted is None else [_mark(predicted, predicted, predicted)]
    marks += [] if realised is None else [_mark(*realised)]
    if not marks:
        return None
    scale = scale_for([*marks, _mark(threshold, threshold, threshold)], frame)
    if scale is None:
        return None
    row = ROW + (16 if frame.stacked else 0)
    bottom = TOP + 2 * row
    return GainPlot(
        frame=frame,
        height=bottom + BELOW,
        bottom=bottom,
        ticks=tuple(Tick(x=scale.x(at), label=tick_label(at), is_zero=at == 0) for at in scale.ticks),
        predicted=None if predicted is None else scale.x(predicted),
        predicted_y=TOP + row / 2 + (8 if frame.stacked else 0),
        realised=_bar(scale, realised),
        realised_y=TOP + 1.5 * row + (8 if frame.stacked else 0),
        threshold=scale.x(threshold),
        worse_is_left=rises,
    )


def _mark(value: float, low: float, high: float) -> Mark:
    return Mark(label="", text="", detail="", tone="open", value=value, low=low, high=high)


def _bar(scale: Scale, realised: tuple[float, float, float] | None) -> Bar | None:
    return None if realised is None else bar(scale, _mark(*realised))
