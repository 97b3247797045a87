"""Cards and portraits as CSV, from stored reports: numbers in full, and a reason where there is none."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CARD_COLUMNS = ("segment", "section", "item", "detail", "measure", "value", "reason")
PERSONA_COLUMNS = (
    "segment", "section", "name", "value", "inside", "elsewhere", "low", "high", "lift", "size", "p_value",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = dict[str, str]
Document = Mapping[str, Any]


def card_csv(report: Document) -> str:
    """Return a row per number of the card, and per doubt; `report` is what may be told of it."""
    return _table(CARD_COLUMNS, report["segment"], _card(report))


def persona_csv(report: Document) -> str:
    """Return the portrait as `segmentation.card.persona_csv` writes it; of nobody, the header alone."""
    drawn = report["persona"]
    return _table(PERSONA_COLUMNS, report["segment"], () if _is_reason(drawn) else _persona(drawn))


def _table(columns: Sequence[str], segment: str, rows: Iterator[Row] | tuple[()]) -> str:
    """Texts that a spreadsheet would take for a formula get an apostrophe in front."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({"segment": _guarded(segment)} | row for row in rows)
    return text.getvalue()


def _card(report: Document) -> Iterator[Row]:
    card = report["card"]
    if _is_reason(card):
        yield from _numbers("card", "", "", {"": card})
    else:
        yield from _numbers("size", "", "", card["size"])
        for section in ("value", "stability", "reached", "testability"):
            part = card[section]
            yield from _numbers(section, "", "", {section: part} if _is_reason(part) else part)
        yield from _lists(card)
        for profile in card["profiles"]:
            yield from _profile(profile)
    for doubt in report["doubts"]:
        about = {"section": "doubts", "item": doubt["code"], "detail": doubt.get("other", "")}
        yield {**about, "measure": doubt["severity"], "value": _guarded(doubt["sentence"])}


def _lists(card: Document) -> Iterator[Row]:
    """What stands in a list is named by one of its fields."""
    for week in card["stability"].get("weeks", ()):
        yield from _numbers("stability", week["ends_at"], "", week)
    for one in card["overlaps"]:
        yield from _numbers("overlaps", one["other"], "", one)
    for one in card["reached"].get("channels", ()):
        yield from _numbers("reached", one["channel"], "", one)
    for one in card["traits"]:
        yield from _numbers("traits", one["attribute"], one.get("value", ""), one)
    for one in card["testability"].get("shown", ()):
        yield from _numbers("testability", "shown", f"{one['weeks']} weeks", one)


def _profile(profile: Document) -> Iterator[Row]:
    yield from _numbers("profiles", profile["attribute"], "", profile)
    for value, share in profile.get("shares", ()):
        yield from _numbers("profiles", profile["attribute"], value, {"share": share})


def _numbers(section: str, item: str, detail: str, found: Document) -> Iterator[Row]:
    """A row per number, flag and reason of a mapping, and of the interval in it."""
    about = {"section": section, "item": _guarded(item), "detail": _guarded(detail)}
    for measure, value in found.items():
        if _is_reason(value):
            yield {**about, "measure": measure, "reason": value["undefined"]}
        elif isinstance(value, bool):
            yield {**about, "measure": measure, "value": str(value).lower()}
        elif isinstance(value, int | float):
            yield {**about, "measure": measure, "value": repr(value)}
        elif isinstance(value, Mapping):
            for end in ("low", "high"):
                yield {**about, "measure": f"{measure}_{end}", "value": repr(value[end])}


def _persona(drawn: Document) -> Iterator[Row]:
    yield _row("size", "units", inside=drawn["units"])
    yield _row("size", "share", inside=drawn["share"])
    for one in drawn["typical"]:
        if "value" in one:
            yield _row("typical", one["attribute"], one["value"], inside=one["share"])
        else:
            yield _row("typical", one["attribute"], inside=one["median"], low=one["lower"], high=one["upper"])
    for section in ("by_definition", "distinguishing"):
        for trait in drawn[section]:
            numbers = {name: trait[name] for name in ("inside", "elsewhere", "lift", "size", "p_value")}
            yield _row(section, trait["attribute"], trait.get("value", ""), **numbers)
    for habit in drawn["habits"]:
        yield _row("habit", habit["name"], inside=habit["inside"], elsewhere=habit["everybody"])
    for reach in drawn["channels"]:
        yield _row("channel", reach["channel"], inside=reach["share"])
    for won in drawn["won"]:
        yield _row("won", won["experiment"], won["variant"], lift=won["lift"])


def _row(section: str, name: str, value: str = "", **numbers: Any) -> Row:
    told = {key: repr(number) for key, number in numbers.items() if not _is_reason(number)}
    return {"section": section, "name": _guarded(name), "value": _guarded(value), **told}


def _is_reason(value: object) -> bool:
    return isinstance(value, Mapping) and "undefined" in value


def _guarded(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
