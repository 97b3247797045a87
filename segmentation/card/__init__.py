"""Segment cards and personas: what a group of customers is worth knowing for, before content is made for it."""

from __future__ import annotations

from segmentation.card.card import CardBook, CardWarning, SegmentCard, Stability, Week
from segmentation.card.cards import make_cards
from segmentation.card.persona import Persona, Won, persona, persona_csv
from segmentation.card.question import Question, Tables, Thresholds, Trial
from segmentation.card.steadiness import stability_of

__all__ = [
    "CardBook",
    "CardWarning",
    "Persona",
    "Question",
    "SegmentCard",
    "Stability",
    "Tables",
    "Thresholds",
    "Trial",
    "Week",
    "Won",
    "make_cards",
    "persona",
    "persona_csv",
    "stability_of",
]
