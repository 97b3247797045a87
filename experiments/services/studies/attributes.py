"""What studies may look at: registered attributes that are not personal, as columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.nearest import did_you_mean
from experiments.domain.profile import Registry
from segmentation.refusal import Refused

MOST_ATTRIBUTES = 50
_ID = "unit_id"


def study_attributes(
    registry: Registry, names: Sequence[str], types: Collection[AttributeType]
) -> dict[str, Attribute]:
    """Return them in the order in which they were named. Raises InvalidInput, also for one that is personal.

    Only what is registered can be in a profile, and so only that can a condition find there.
    """
    wanted = tuple(dict.fromkeys(names))
    if not 0 < len(wanted) <= MOST_ATTRIBUTES:
        raise InvalidInput(
            "attributes_count", f"1 to {MOST_ATTRIBUTES} attributes can be looked at.", path="/attributes"
        )
    return {name: _attribute(registry.attributes, name, types) for name in wanted}


def _attribute(registered: Mapping[str, Attribute], name: str, types: Collection[AttributeType]) -> Attribute:
    found = registered.get(name)
    if found is None or name == _ID:
        told = f"There is no attribute {name!r}: register it first (`winnow attributes add`)."
        hint = did_you_mean(name, registered)
        raise InvalidInput("attribute_unknown", told + hint, path="/attributes")
    if found.type not in types:
        kinds = " or ".join(f"{kind}" for kind in types)
        message = f"{name!r} is of type {found.type}; {kinds} is wanted here."
        raise InvalidInput("attribute_type_unfit", message, path="/attributes")
    if found.personal:
        message = f"{name!r} is personal: it is looked at only once the registry says that it is not."
        raise InvalidInput("attribute_personal", message, path="/attributes")
    return found


@contextmanager
def told_as_input() -> Iterator[None]:
    """Tell what the numbers refuse as a refusal of ours, with its code."""
    try:
        yield
    except Refused as refusal:
        raise InvalidInput(refusal.code, str(refusal)) from None
