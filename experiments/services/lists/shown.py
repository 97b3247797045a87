"""Which exposures a list comes to, counted once each however often an id stands in it, in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Shown: TypeAlias = NDArray[np.uint64]
"""Eight bytes of the digests of exposures, ascending, each once: two alike in ten million are one in 400,000."""
NOBODY: Shown = np.empty(0, np.uint64)
_SLICES = 64


def shown_of(digests: Iterable[bytes]) -> Shown:
    """Return what stands for exposures with these digests."""
    found: Shown = np.unique(np.frombuffer(b"".join(one[-8:] for one in digests), np.uint64))
    return found


def count_shown(files: Sequence[Path]) -> int:
    """Count what is in any of the files, a slice of all digests at a time: they need not fit into memory together."""
    places = [_places(file) for file in files]
    return sum(
        len(np.unique(np.concatenate([_between(*one, place) for one in zip(files, places, strict=True)])))
        for place in range(_SLICES if files else 0)
    )


def _places(file: Path) -> list[int]:
    """Where the slices of a file begin and end. No file stays open: a list may have more parts than a process may."""
    held = np.memmap(file, np.uint64, mode="r")
    edges = [np.uint64(place * (2**64 // _SLICES)) for place in range(1, _SLICES)]
    return [0, *np.searchsorted(held, edges).tolist(), len(held)]


def _between(file: Path, places: Sequence[int], place: int) -> Shown:
    start, end = places[place : place + 2]
    return np.fromfile(file, np.uint64, count=end - start, offset=start * np.dtype(np.uint64).itemsize)
