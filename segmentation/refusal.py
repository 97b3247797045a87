"""The one way in which this package says no to its input."""

from __future__ import annotations


class Refused(ValueError):
    """Input that means nothing, or not what it was given for; `code` is stable.

    The codes stand with the functions that raise them; cards have `no_units`, `unit_missing`, `units_repeat`,
    `missing_columns`, `no_segments`, `segment_not_boolean`, `name_reserved`, `attribute_unknown`,
    `attribute_not_numeric`, `outcome_not_numeric`, `question_invalid`, `instant_without_zone` and `ids_differ`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
