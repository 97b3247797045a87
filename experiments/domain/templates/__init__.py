"""Segment templates: the trade's questions about customers, ready to be filled in. What comes out is a condition."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.domain.errors import NotFound
from experiments.domain.templates import (
    behavioural,
    demographic,
    engagement,
    geographic,
    journey,
    lists,
    needs_based,
    psychographic,
    technographic,
)
from experiments.domain.templates.parameter import Parameter, ParameterType
from experiments.domain.templates.template import Example, SegmentTemplate

__all__ = ["TEMPLATES", "Example", "Parameter", "ParameterType", "SegmentTemplate", "template"]

TEMPLATES: Mapping[str, SegmentTemplate] = {
    one.key: one
    for room in (
        demographic,
        geographic,
        behavioural,
        engagement,
        psychographic,
        needs_based,
        technographic,
        journey,
        lists,
    )
    for one in room.TEMPLATES
}


def template(key: str) -> SegmentTemplate:
    """Return the template of that key. Raises NotFound."""
    if key not in TEMPLATES:
        raise NotFound("segment_template", key, TEMPLATES)
    return TEMPLATES[key]
