"""Notices: what people and other systems are told of an experiment, such as that a winner went live."""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_instant, check_key

MAX_TITLE_LENGTH = 200
MAX_PAYLOAD_LENGTH = 100_000
_UNFIT_FOR_LINE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_SPACES = re.compile(r"\s+")


class NoticeKind(StrEnum):
    """`alert`: something a person should look at. `test`: an administrator tries a webhook; nobody subscribes to it."""

    PROPOSED = "promotion.proposed"
    PROMOTED = "promotion.promoted"
    REVERTED = "promotion.reverted"
    ALERT = "alert"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened and is told once. Personal data never belongs in it: it leaves the house.

    `title` is one line, as it stands in the subject of an e-mail; `one_line` makes one of any text. `payload` is JSON;
    its `reasons`, where it has them, are a list of {code, message}. An alert need not be about an experiment.
    """

    id: str
    kind: NoticeKind
    at: datetime
    title: str
    experiment: str | None = None
    segment: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_uuid(self.id)
        check_instant(self.at, "/at")
        _check_title(self.title)
        if self.experiment is not None:
            check_key(self.experiment, "/experiment")
        if self.segment is not None:
            check_key(self.segment, "/segment")
        _check_payload(self.payload)


def one_line(text: str) -> str:
    """Return the text as a title: what would break a line becomes a space, and what is too long is cut."""
    fit = "".join(" " if unicodedata.category(character) in _UNFIT_FOR_LINE else character for character in text)
    line = _SPACES.sub(" ", fit).strip()
    return line if len(line) <= MAX_TITLE_LENGTH else line[: MAX_TITLE_LENGTH - 1] + "…"


def _check_uuid(value: str) -> None:
    try:
        fit = str(uuid.UUID(value)) == value
    except (ValueError, AttributeError, TypeError):
        fit = False
    if not fit:
        raise InvalidInput("notice_id_invalid", "The id of a notice is a UUID in lower case.", path="/id")


def _check_title(title: str) -> None:
    if not title or one_line(title) != title:
        raise InvalidInput(
            "title_invalid", f"A title is one line of 1 to {MAX_TITLE_LENGTH} characters.", path="/title"
        )


def _check_payload(payload: Mapping[str, Any]) -> None:
    try:
        fit = len(json.dumps(dict(payload), allow_nan=False)) <= MAX_PAYLOAD_LENGTH
    except (TypeError, ValueError, RecursionError):
        fit = False
    if not fit:
        raise InvalidInput(
            "payload_invalid",
            f"A payload is a JSON object of at most {MAX_PAYLOAD_LENGTH} characters.",
            path="/payload",
        )
