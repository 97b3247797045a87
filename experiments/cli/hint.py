"""What may have been meant by a key that there is not."""

from __future__ import annotations

from contextlib import suppress

from experiments.domain.errors import DomainError, NotFound
from experiments.settings import Settings


def hint(refusal: DomainError) -> str:
    """Return a sentence to append to the refusal, or nothing."""
    if not isinstance(refusal, NotFound):
        return ""
    # Imported here: every command imports this.
    from experiments.bootstrap import build  # noqa: PLC0415
    from experiments.services.authoring.meant import meant  # noqa: PLC0415

    with suppress(DomainError):
        return meant(refusal, build(Settings.from_environment()).open_unit_of_work)
    return ""
