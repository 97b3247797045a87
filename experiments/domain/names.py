"""What a key, an id and an instant must look like, everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from experiments.domain.errors import InvalidInput

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_KEY = re.compile(KEY_PATTERN.removesuffix("$") + r"\Z")
_UNFIT_FOR_ID = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
MAX_ID_LENGTH = 512
MAX_TEXT_LENGTH = 2_000


def check_key(key: object, path: str = "/key") -> None:
    """Refuse what is no key: 1 to 100 of A-Z a-z 0-9 . _ - with a letter or digit first (safe in any URL)."""
    if not isinstance(key, str) or not _KEY.match(key):
        raise InvalidInput(
            "key_invalid",
            "A key is 1 to 100 letters, digits, dots, dashes or underscores, the first a letter or digit.",
            path=path,
        )


def check_id(value: object, path: str) -> None:
    """Refuse what is no id from outside (unit, event): 1 to 512 characters, no control characters or surrogates."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        raise InvalidInput("id_invalid", f"An id is a text of 1 to {MAX_ID_LENGTH} characters.", path=path)
    if _UNFIT_FOR_ID.search(value):
        raise InvalidInput(
            "id_invalid", "An id holds no control characters, line breaks or unpaired surrogates.", path=path
        )


def are_ids(values: Sequence[object]) -> bool:
    """Say whether `check_id` would let all of them pass, in a fraction of the time."""
    try:
        texts = "".join(values)  # type: ignore[arg-type]
    except TypeError:
        return False
    lengths = set(map(len, values))  # type: ignore[arg-type]
    return not values or (min(lengths) > 0 and max(lengths) <= MAX_ID_LENGTH and not _UNFIT_FOR_ID.search(texts))


def check_text(value: object, path: str, *, least: int = 0, most: int = MAX_TEXT_LENGTH) -> None:
    """Refuse a text that is too short or too long, or that no database can hold (NUL, unpaired surrogates)."""
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise InvalidInput("text_invalid", f"A text of {least} to {most} characters is wanted.", path=path)
    if "\x00" in value or (not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)):
        raise InvalidInput("text_invalid", "The text holds a character that cannot be stored.", path=path)


def pointer(*steps: object) -> str:
    """Return the JSON pointer (RFC 6901) to a place in the input."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def check_instant(value: datetime, path: str) -> None:
    """Refuse an instant without a time zone."""
    if value.tzinfo is None:
        raise InvalidInput("instant_without_zone", "An instant needs a time zone.", path=path)
    if not 1970 <= value.year <= 9998:
        raise InvalidInput("instant_invalid", "An instant lies between the years 1970 and 9998.", path=path)
