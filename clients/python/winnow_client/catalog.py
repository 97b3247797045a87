"""The catalog document `winnow.catalog/1`, compiled whole; never changed afterwards, only replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from winnow_client.assignment import Assign, compile_experiment

SCHEMA = "winnow.catalog/1"


class CatalogError(Exception):
    """A document that is no catalog, or one of a schema that this client does not know and so must not guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """`assigns` are all live experiments; `running` those that answer when no experiment is named.

    `skipped` says of experiments why this client cannot decide them, such as a bucketing newer than itself.
    """

    version: int
    assigns: Mapping[str, Assign]
    running: tuple[Assign, ...]
    skipped: Mapping[str, str]


EMPTY = Catalog(version=-1, assigns=MappingProxyType({}), running=(), skipped=MappingProxyType({}))


def compile_catalog(document: Any) -> Catalog:
    """Raise CatalogError. An experiment that cannot be compiled is skipped: it must not take the others with it."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise CatalogError(f"the document is not of the schema {SCHEMA}")
    version, experiments = document.get("version"), document.get("experiments")
    if not isinstance(version, int) or not isinstance(experiments, list):
        raise CatalogError("the document has no version or no list of experiments")
    assigns: dict[str, Assign] = {}
    running: list[Assign] = []
    skipped: dict[str, str] = {}
    for number, experiment in enumerate(experiments):
        key = _key(experiment, number)
        try:
            assigns[key] = compile_experiment(experiment)
            if experiment["status"] == "running":
                running.append(assigns[key])
        except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as problem:
            skipped[key] = f"{type(problem).__name__}: {problem}"
    return Catalog(
        version=version,
        assigns=MappingProxyType(assigns),
        running=tuple(running),
        skipped=MappingProxyType(skipped),
    )


def _key(experiment: Any, number: int) -> str:
    key = experiment.get("key") if isinstance(experiment, dict) else None
    return key if isinstance(key, str) else f"#{number}"
