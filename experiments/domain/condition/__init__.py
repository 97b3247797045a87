"""Segment conditions: MongoDB-style documents on attributes, checked when saved and compiled once to a closure."""

from experiments.domain.condition.check import check_condition
from experiments.domain.condition.compile import attributes_of, compile_condition
from experiments.domain.condition.limits import MAX_DEPTH, MAX_LIST_ELEMENTS, MAX_NODES, MAX_TEXT_LENGTH
from experiments.domain.condition.operators import MAX_SUBJECT_LENGTH
from experiments.domain.condition.portable import NotPortable, portable

__all__ = [
    "MAX_DEPTH",
    "MAX_LIST_ELEMENTS",
    "MAX_NODES",
    "MAX_SUBJECT_LENGTH",
    "MAX_TEXT_LENGTH",
    "NotPortable",
    "attributes_of",
    "check_condition",
    "compile_condition",
    "portable",
]
