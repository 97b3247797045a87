"""What approving a winner ends where the split of its segment follows the results."""

from __future__ import annotations

from collections.abc import Mapping

from api.dashboard.names import Names
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.wording import listed


def adapting_ends(
    definition: Definition, plan: SegmentPlan | None, after_bp: Mapping[str, int], names: Names
) -> tuple[str, ...]:
    """Say so, and who is shown to nobody from then on; nothing where the split does not follow the results."""
    if definition.adaptive is None or plan is None or plan.is_promoted:
        return ()
    shown = [key for key, share in plan.allocation.weights_bp.items() if share and not after_bp.get(key)]
    gone = listed([names.variant(key) for key in shown])
    so = f"; {gone} {'is' if len(shown) == 1 else 'are'} shown to nobody any more" if shown else ""
    return (f"The split stops following the results here{so}.",)
