"""How often checks by chance are repeated: so often that a defect is seen, or as often as our documents state.

`make test` repeats them so that it ends within a quarter of an hour on two cores; `make test-whole` sets
`WINNOW_TEST_WHOLE=1` and repeats them as the pages say, which takes about an hour.
"""

from __future__ import annotations

import os

WHOLE = os.environ.get("WINNOW_TEST_WHOLE") == "1"


def repeats(usual: int, whole: int) -> int:
    """Return how often something is repeated in this run."""
    return whole if WHOLE else usual
