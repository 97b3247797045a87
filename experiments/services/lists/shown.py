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
    held = [np.memmap(file, np.uint64, mode="r") for file in files]
    edges = [np.uint64(place * (2**64 // _SLICES)) for place in range(1, _SLICES)]
    places = [[0, *np.searchsorted(one, edges).tolist(), len(one)] for one in held]
    return sum(
        len(np.unique(np.concatenate([one[at[place] : at[place + 1]] for one, at in zip(held, places, strict=True)])))
        for place in range(_SLICES if held else 0)
    )
