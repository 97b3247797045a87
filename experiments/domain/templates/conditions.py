"""The few forms of condition that templates are made of.

Order counts a missing value as 0; whoever has no such attribute is in none of these segments but `or_unknown`, so order
always comes with `$exists`. Order of versions has an answer for any text; what does not look like a version is in none
either.
"""

from __future__ import annotations

from typing import Any

from experiments.domain.errors import InvalidInput
from experiments.domain.templates.template import Document

YES: tuple[Any, ...] = (True, 1)
NO: tuple[Any, ...] = (False, 0)
_LOOKS_LIKE_A_VERSION = "^v?[0-9][0-9A-Za-z.+-]*$"


def among(*, attribute: str, values: tuple[Any, ...]) -> Document:
    """One of the values, or a list that holds one of them."""
    return {attribute: {"$in": list(values)}}


def missing_from(*, attribute: str, values: tuple[Any, ...]) -> Document:
    """Known, and none of the values."""
    return {attribute: {"$exists": True, "$nin": list(values)}}


def yes(attribute: str) -> Document:
    """`true` or 1, as flags come from different systems."""
    return {attribute: {"$in": list(YES)}}


def no(attribute: str) -> Document:
    """`false` or 0, and not merely unknown."""
    return {attribute: {"$in": list(NO)}}


def or_unknown(attribute: str, document: Document) -> Document:
    """The document, or nothing is known of the attribute: who counts speaks of those alone who have any."""
    return {"$or": [document, {attribute: {"$exists": False}}]}


def at_least(attribute: str, number: float) -> Document:
    """Known, and so much or more."""
    return {attribute: {"$exists": True, "$gte": number}}


def at_most(attribute: str, number: float) -> Document:
    """Known, and so much or less."""
    return {attribute: {"$exists": True, "$lte": number}}


def more_than(attribute: str, number: float) -> Document:
    """Known, and more."""
    return {attribute: {"$exists": True, "$gt": number}}


def less_than(attribute: str, number: float) -> Document:
    """Known, and less."""
    return {attribute: {"$exists": True, "$lt": number}}


def from_to(attribute: str, least: float, most: float) -> Document:
    """Known, from `least` to `most`, both included. Raises InvalidInput where that is nobody."""
    if least > most:
        raise _contradiction(f"Nothing is at least {least:g} and at most {most:g}.")
    return {attribute: {"$exists": True, "$gte": least, "$lte": most}}


def from_below(attribute: str, least: float, below: float | None) -> Document:
    """Known, at least `least` and below `below`, so that bands side by side share nobody. Raises InvalidInput."""
    if below is None:
        return at_least(attribute, least)
    if least >= below:
        raise _contradiction(f"Nothing is at least {least:g} and below {below:g}.")
    return {attribute: {"$exists": True, "$gte": least, "$lt": below}}


def version_from(attribute: str, least: str) -> Document:
    """A version, this one or a newer one. 3 and 3.0 are 3.0.0, though the order of versions puts them before it."""
    found: Document = {attribute: {"$regex": _LOOKS_LIKE_A_VERSION, "$vgte": least}}
    same = [{attribute: {"$veq": short}} for short in _shorter(least)]
    return {"$or": [found, *same]} if same else found


def version_before(attribute: str, below: str) -> Document:
    """A version, older than this one; the same written shorter is not older."""
    found: Document = {attribute: {"$regex": _LOOKS_LIKE_A_VERSION, "$vlt": below}}
    same = [{attribute: {"$veq": short}} for short in _shorter(below)]
    return {**found, "$nor": same} if same else found


def _shorter(version: str) -> list[str]:
    """Return what is left of a version while its last part is 0: of 3.0.0, 3.0 and 3."""
    found = []
    while (cut := version.rpartition("."))[0] and not cut[2].strip("0") and cut[2]:
        version = cut[0]
        found.append(version)
    return found


def all_of(*documents: Document) -> Document:
    """Everything at once; side by side where no attribute stands twice."""
    merged = {key: value for document in documents for key, value in document.items()}
    return merged if len(merged) == sum(map(len, documents)) else {"$and": list(documents)}


def _contradiction(message: str) -> InvalidInput:
    return InvalidInput("parameters_contradict", message)
