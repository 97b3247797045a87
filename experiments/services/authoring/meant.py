"""Which key somebody may have meant who named one that there is not. For those who manage experiments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.nearest import did_you_mean
from experiments.services.ports import ExperimentStore, Library, OpenUnitOfWork, UnitOfWork

_SHELVES: Mapping[str, Callable[[UnitOfWork], ExperimentStore | Library[Any]]] = {
    "experiment": lambda work: work.experiments,
    "segment": lambda work: work.segments,
    "metric": lambda work: work.metrics,
    "layer": lambda work: work.layers,
    "attribute": lambda work: work.attributes,
    "source": lambda work: work.sources,
}


def meant(missing: NotFound, open_unit_of_work: OpenUnitOfWork) -> str:
    """Return the sentence to append to the refusal; nothing where no key is close."""
    if missing.known is not None:
        return did_you_mean(missing.key, missing.known)
    if missing.kind not in _SHELVES:
        return ""
    with open_unit_of_work(read_only=True) as work:
        return did_you_mean(missing.key, _SHELVES[missing.kind](work).keys())


def unknown(missing: NotFound, library: Library[Any], *, path: str) -> InvalidInput:
    """Return the refusal of a body that names what there is not, with what may have been meant."""
    hint = did_you_mean(missing.key, library.keys())
    return InvalidInput(f"{missing.kind}_unknown", missing.message + hint, path=path)
