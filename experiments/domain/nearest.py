"""The name that somebody may have meant who wrote one that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.75
"""How like a name must be, by `difflib`'s ratio: one slip in four letters is as far as it goes."""
MAX_LENGTH = 100
"""No key is longer, and comparing costs the product of both lengths."""


def nearest(said: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like what was said, whatever its capitals.

    None where none is close, and where it is known itself: then something else is wrong.
    """
    names = sorted(known)
    if len(said) > MAX_LENGTH or said in names:
        return None
    by_form = {name.casefold(): name for name in names}
    found = get_close_matches(said.casefold(), by_form, n=1, cutoff=LIKENESS)
    return by_form[found[0]] if found else None


def did_you_mean(said: str, known: Iterable[str]) -> str:
    """Return a sentence to append to a refusal, with a space before it; nothing where no name is close."""
    found = nearest(said, known)
    return "" if found is None else f" Did you mean {found!r}?"
