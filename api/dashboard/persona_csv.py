"""The portrait of a segment as a table for spreadsheets, numbers in full."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from api.dashboard.stored.card_values import Trait
from api.dashboard.stored.portrait import Portrait, TypicalShare
from api.dashboard.table_csv import guarded

COLUMNS = (
    "segment", "section", "name", "value", "inside", "elsewhere", "low", "high", "lift", "size", "p_value",
)  # fmt: skip


def persona_csv(segment: str, portrait: Portrait) -> str:
    """Return the table with its header, the same as `winnow segments persona` writes; empty is what does not apply."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(portrait):
        writer.writerow({"segment": guarded(segment)} | row)
    return text.getvalue()


def _rows(portrait: Portrait) -> Iterator[dict[str, str]]:
    yield _row("size", "units", inside=portrait.units)
    yield _row("size", "share", inside=portrait.share)
    for one in portrait.typical:
        if isinstance(one, TypicalShare):
            yield _row("typical", one.attribute, one.value, inside=one.share)
        else:
            yield _row("typical", one.attribute, inside=one.median, low=one.lower, high=one.upper)
    for section, traits in (("by_definition", portrait.by_definition), ("distinguishing", portrait.distinguishing)):
        for trait in traits:
            yield _trait(section, trait)
    for habit in portrait.habits:
        yield _row("habit", habit.name, inside=habit.inside, elsewhere=habit.everybody)
    for reach in portrait.channels:
        yield _row("channel", reach.channel, inside=reach.share.value)
    for content in portrait.won:
        yield _row("won", content.experiment, content.variant, lift=content.lift)


def _trait(section: str, trait: Trait) -> dict[str, str]:
    return _row(
        section,
        trait.attribute,
        trait.value or "",
        inside=trait.inside,
        elsewhere=trait.elsewhere,
        lift=trait.lift.value,
        size=trait.size,
        p_value=trait.p_value,
    )


def _row(section: str, name: str, value: str = "", **numbers: float | None) -> dict[str, str]:
    told = {key: repr(number) for key, number in numbers.items() if number is not None}
    return {"section": section, "name": guarded(name), "value": guarded(value), **told}
