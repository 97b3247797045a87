"""Kinds of segments, as the trade names them: by what is known of customers that sets these apart."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class SegmentKind(StrEnum):
    """A label for people: whatever the kind, a segment is a condition on attributes."""

    DEMOGRAPHIC = "demographic"
    GEOGRAPHIC = "geographic"
    BEHAVIOURAL = "behavioural"
    PSYCHOGRAPHIC = "psychographic"
    NEEDS_BASED = "needs_based"
    TECHNOGRAPHIC = "technographic"
    JOURNEY = "journey"
    LIST = "list"
    LEARNT = "learnt"
    DISCOVERED = "discovered"


KIND_SENTENCES: Mapping[SegmentKind, str] = {
    SegmentKind.DEMOGRAPHIC: "Who they are: age, generation, household, income, occupation.",
    SegmentKind.GEOGRAPHIC: "Where they are: country, region, postcode, kind of place.",
    SegmentKind.BEHAVIOURAL: "What they did: bought, spent, came back, by which channel.",
    SegmentKind.PSYCHOGRAPHIC: "What they think: answers to surveys, interests, satisfaction.",
    SegmentKind.NEEDS_BASED: "What they want it for: needs, use, what decides their choice.",
    SegmentKind.TECHNOGRAPHIC: "What they use: device, browser, operating system, version of the app.",
    SegmentKind.JOURNEY: "How far they have come: prospect, new, repeat customer, lapsed.",
    SegmentKind.LIST: "Who somebody put on a list: imported, not derived.",
    SegmentKind.LEARNT: "Who is alike: a cluster of customers, as the rule that stands for it.",
    SegmentKind.DISCOVERED: "For whom a treatment did something else: proposed by an experiment for the next one.",
}
