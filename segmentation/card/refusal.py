"""What no cards can be made of."""

from __future__ import annotations


class CardError(ValueError):
    """Tables or a question that contradict themselves; `code` is stable.

    `no_units`, `unit_missing`, `units_repeat`, `columns_missing`, `no_segments`, `segment_not_boolean`,
    `name_reserved`, `attribute_unknown`, `attribute_not_numeric`, `outcome_not_numeric`, `question_invalid`,
    `instant_without_zone`, `ids_differ`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
