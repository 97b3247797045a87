"""Reading a document of tables (a TOML file, say) strictly: what does not fit is refused by its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

from experiments.domain.errors import DomainError, InvalidInput

Doc = Mapping[str, Any]
E = TypeVar("E", bound=StrEnum)


@contextmanager
def under(path: str) -> Iterator[None]:
    """Put refusals under a path; a value of the wrong kind becomes a refusal too."""
    try:
        yield
    except DomainError as refusal:
        raise refusal.at(path) from None
    except (TypeError, AttributeError) as error:
        raise InvalidInput("plan_invalid", f"Something here is of the wrong kind: {error}.", path=path) from None


def only(table: Doc, path: str, *known: str) -> None:
    """Refuse fields that nobody reads: they are typing errors."""
    for name in table:
        if name not in known:
            message = f"There is no field {name!r}; known are {', '.join(known)}."
            raise InvalidInput("field_unknown", message, path=f"{path}/{name}")


def table_of(document: Doc, name: str, *, default: Doc | None = None) -> Doc:
    """Return the table of that name."""
    found = document.get(name, default)
    if not isinstance(found, Mapping):
        raise InvalidInput("field_missing", f"The plan needs a table [{name}].", path=f"/{name}")
    return found


def tables_of(document: Doc, name: str, *, default: Sequence[Doc] | None = None) -> Sequence[Doc]:
    """Return the list of tables of that name."""
    found = document.get(name, default)
    if not isinstance(found, list | tuple) or not all(isinstance(table, Mapping) for table in found):
        raise InvalidInput("field_missing", f"The plan needs tables [[{name}]].", path=f"/{name}")
    return found


def text_of(table: Doc, name: str, path: str = "") -> str:
    """Return a text that must be there."""
    found = table.get(name)
    if not isinstance(found, str) or not found:
        raise InvalidInput("field_missing", f"The plan needs a text for `{name}` here.", path=f"{path}/{name}")
    return found


def one_of(kind: type[E], table: Doc, name: str, default: E) -> E:
    """Return a word out of a closed set."""
    found = table.get(name, default)
    try:
        return kind(found)
    except ValueError:
        raise InvalidInput("value_unknown", f"{found!r} is none of {', '.join(kind)}.", path=f"/{name}") from None
