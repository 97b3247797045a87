"""How often checks by chance are repeated: so often that a defect is seen, or as often as our documents state.

`make test` does the first; `make test-whole` sets `WINNOW_TEST_WHOLE=1` and does the second, which takes much longer.
Bounds are the same: what is said of a rate follows from how many runs there were.
"""

from __future__ import annotations

import os

WHOLE = os.environ.get("WINNOW_TEST_WHOLE") == "1"


def repeats(usual: int, whole: int) -> int:
    """Return how often something is repeated in this run."""
    return whole if WHOLE else usual
