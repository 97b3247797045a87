"""Parameters that many templates have, in a line each."""

from __future__ import annotations

from typing import Any

from experiments.domain.templates.parameter import Parameter, ParameterType


def attribute(default: str, description: str = "The attribute that holds it.") -> Parameter:
    """Return the parameter that names the attribute to look at."""
    return Parameter(name="attribute", type=ParameterType.ATTRIBUTE, description=description, default=default)


def named(name: str, default: str, description: str) -> Parameter:
    """Return a parameter that names a further attribute."""
    return Parameter(name=name, type=ParameterType.ATTRIBUTE, description=description, default=default)


def values(description: str) -> Parameter:
    """Return the parameter that lists what is looked for."""
    return Parameter(name="values", type=ParameterType.VALUES, description=description)


def number(name: str, description: str, default: float | None = None, **bounds: Any) -> Parameter:
    """Return a number."""
    return Parameter(name=name, type=ParameterType.NUMBER, description=description, default=default, **bounds)


def whole(name: str, description: str, default: int | None = None, **bounds: Any) -> Parameter:
    """Return a whole number."""
    return Parameter(name=name, type=ParameterType.WHOLE, description=description, default=default, **bounds)


def choice(name: str, description: str, default: str, *options: str) -> Parameter:
    """Return one of a few words."""
    return Parameter(
        name=name, type=ParameterType.CHOICE, description=description, default=default, options=(default, *options)
    )
