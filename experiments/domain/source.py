"""Sources: who says what is known of units."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key, check_text

MAX_PRECEDENCE = 1_000_000


class SourceKind(StrEnum):
    """`first_party`: systems of the house (CRM); `third_party`: bought or borrowed; `own`: what Winnow itself finds."""

    FIRST_PARTY = "first_party"
    THIRD_PARTY = "third_party"
    OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where two sources say different things, the one with the higher `precedence` counts; no two have the same."""

    key: str
    name: str
    kind: SourceKind
    precedence: int
    description: str = ""

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.description, "/description")
        if not 0 <= self.precedence <= MAX_PRECEDENCE:
            raise InvalidInput(
                "precedence_invalid",
                f"A precedence is a whole number from 0 to {MAX_PRECEDENCE:,}.",
                path="/precedence",
            )
