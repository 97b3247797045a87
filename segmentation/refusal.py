"""The one way in which this package says no to its input."""

from __future__ import annotations


class Refused(ValueError):
    """Input that means nothing, or not what it was given for; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
