"""Rules a person can read: boxes of attributes, as condition documents and as tests of whole columns."""

from segmentation.rules.bounds import Bound, Choice, Range, both
from segmentation.rules.columns import Column, Columns, columns_of
from segmentation.rules.readable import readable
from segmentation.rules.rule import Leaf, Rule, leaf_document, leaf_matches, rule_document, rule_matches, simplified

__all__ = [
    "Bound",
    "Choice",
    "Column",
    "Columns",
    "Leaf",
    "Range",
    "Rule",
    "both",
    "columns_of",
    "leaf_document",
    "leaf_matches",
    "readable",
    "rule_document",
    "rule_matches",
    "simplified",
]
