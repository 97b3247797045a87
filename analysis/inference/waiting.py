"""What an answer waits for, and when it may come: said only where waiting helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from analysis.design.outlook import HORIZON_REACHED
from analysis.estimate import Outlook, Undefined, WaitsFor
from analysis.wording import are, percentage

# Who waits longer waits for nothing: traffic, seasons and what is offered are others by then.
_LONG_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """What else is known of what may still be found, all segments together.

    Parameters
    ----------
    untestable
        Why nothing can be tested, however many units come.
    maturing, enough
        Units that are in and too recent to count, and whether nothing else is missing once they do.
    scarce
        Whether events are too few: when there will be enough nobody knows, least of all of a variant that has none.
    closed
        Whether nobody new comes in: the epochs are `over`, or arrivals have been `silent` for a week.
    """

    untestable: Undefined | None = None
    maturing: int = 0
    enough: bool = False
    scarce: bool = False
    closed: Literal["over", "silent"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A sentence, and what it says as a code; `nothing`: waiting does not help."""

    waits_for: WaitsFor
    sentence: str


def waiting(
    outlooks: Sequence[Outlook], prospects: Prospects, *, units: str, too_early: bool, ends: bool = False
) -> Waiting:
    """What is in the way of an answer; where nothing is, when it may come.

    Parameters
    ----------
    outlooks
        Of the comparisons that are still open.
    units
        What units are called, in the plural.
    too_early
        Whether the minimum is not met, which the sentence before this one says, with the units that are maturing.
    ends
        Whether all units that were planned are all that there will be.
    """
    return _held_up(prospects, units, too_early=too_early) or _in_sight(
        outlooks, units, ends=ends, scarce=too_early and prospects.scarce
    )


def _held_up(ahead: Prospects, units: str, *, too_early: bool) -> Waiting | None:
    """What more units alone, or no more of them, will not change; None where nothing is in the way."""
    if ahead.untestable:
        why = ahead.untestable.message
        told = f"It cannot be tested: {why[:1].lower()}{why[1:]} More {units} like these will not change that."
        return Waiting(waits_for="nothing", sentence=told)
    if ahead.maturing and too_early:
        return Waiting(waits_for="time", sentence=_time(ahead, units))
    if ahead.closed and ahead.maturing:
        in_time = are(ahead.maturing, units)
        told = f"{_nobody_new(ahead)}, but {in_time} in whose time is not over yet: wait for that."
        return Waiting(waits_for="time", sentence=told)
    if ahead.closed:
        more = "run it again, with" if ahead.closed == "over" else "bring in"
        told = f"{_nobody_new(ahead)}: with these {units} it stays open. To know more, {more} more {units}."
        return Waiting(waits_for="nothing", sentence=told)
    return None


def _time(ahead: Prospects, units: str) -> str:
    if ahead.enough:
        return "Give it time."
    if ahead.closed:
        return f"Give it time; {_nobody_new(ahead).lower()}, so it may not be enough."
    return f"Give it time; more {units} are needed, too."


def _nobody_new(ahead: Prospects) -> str:
    return "Nobody new comes in" if ahead.closed == "over" else "Nobody new has come for a week"


def _in_sight(outlooks: Sequence[Outlook], units: str, *, ends: bool, scarce: bool) -> Waiting:
    """The soonest of what is still open; otherwise what can still be found."""
    reached = any(one.power_left == HORIZON_REACHED for one in outlooks)
    if reached and ends:
        told = "All units that were planned are in: nothing more can be expected at this size."
        return Waiting(waits_for="nothing", sentence=told)
    if scarce:
        return Waiting(waits_for="units", sentence=f"Let it run: more {units} with such events are needed.")
    if in_days := [one.days_left for one in outlooks if not isinstance(one.days_left, Undefined)]:
        if min(in_days) > _LONG_DAYS:
            told = (
                f"At this traffic nothing can be said within a year: bring in more {units}, test something bolder, or "
                "decide without a winner."
            )
            return Waiting(waits_for="nothing", sentence=told)
        told = f"If things stay as they are, something can be said in about {_days(min(in_days))}."
    elif in_units := [one.units_left for one in outlooks if not isinstance(one.units_left, Undefined)]:
        told = f"If things stay as they are, something can be said after {min(in_units):,} more {units}."
    elif lifts := [one.detectable_lift for one in outlooks if not isinstance(one.detectable_lift, Undefined)]:
        seen = f"a difference of {percentage(min(lifts))} or more would probably be seen"
        told = f"Nothing is in sight so far; {seen} by {'now' if reached else 'the planned end'}."
    else:
        told = f"Let it run: more {units} are needed."
    return Waiting(waits_for="units", sentence=told)


def _days(days: float) -> str:
    if days <= 1:
        return "a day"
    if days <= 21:
        return f"{ceil(days)} days"
    return f"{ceil(days / 7)} weeks" if days <= 140 else f"{ceil(days / 30.4)} months"
