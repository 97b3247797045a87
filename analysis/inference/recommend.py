"""What to do with all segments: one variant for everybody, one for each, or wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from analysis.design.outlook import HORIZON_REACHED
from analysis.estimate import Advice, Outlook, Recommendation, SegmentComparison, Undefined, Verdict
from analysis.wording import percentage

# Who waits longer waits for nothing: traffic, seasons and what is offered are others by then.
_LONG_DAYS = 365


def _as_is(key: str) -> str:
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people call things: by key, and the units in the plural."""

    variant: Callable[[str], str] = _as_is
    segment: Callable[[str], str] = _as_is
    units: str = "units"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """What else is known of what may still be found, all segments together.

    Parameters
    ----------
    untestable
        Why nothing can be tested, however many units come.
    maturing, enough
        Units that are in and too recent to count, and whether they reach the minimum alone.
    closed
        Whether nobody new comes in.
    """

    untestable: Undefined | None = None
    maturing: int = 0
    enough: bool = False
    closed: bool = False


def recommend(
    overall: Verdict,
    segments: Mapping[str, Verdict],
    comparisons: Sequence[SegmentComparison] = (),
    outlooks: Sequence[Outlook] = (),
    *,
    control: str,
    names: Names | None = None,
    unfit: Mapping[str, frozenset[str]] | None = None,
    ends: bool = False,
    prospects: Prospects | None = None,
) -> Recommendation:
    """One piece of advice from the verdicts and from whether segments differ.

    Parameters
    ----------
    overall, segments
        Verdicts on the primary metric, by segment in the plan's order.
    comparisons
        Of the treatments between segments.
    outlooks
        Of the overall comparisons that are still open, for when something can be said.
    control
        Its key.
    unfit
        By segment, the variants that are shown to be worse there than another one, or are not on offer.
    ends
        Whether the plan has a last look, at which all units that were planned are in.
    prospects
        Of all segments together, for what to wait for.

    Returns
    -------
    Recommendation
        `one_for_all`: a treatment wins overall, no segment says otherwise, and its effect is not shown to differ (or
        differs only in size: it wins in each of them). `per_segment`: some segments have a winner of their own (the
        control where it wins), and these differ, or contradict the overall winner, or there is none. `none`: the data
        cannot be trusted, or the control wins. `wait`: all the rest.

    Notes
    -----
    Rests on up to three families with an error rate of alpha each: the overall comparisons, those in all segments, and
    "segments differ". So a wrong verdict among those named has a chance of at most alpha for `one_for_all` and at most
    alpha for `per_segment`, each, at every look; that one of the two is ever wrong, 2·alpha. Not showing that segments
    differ does not show that they are alike: a small segment that is harmed may go unseen in `one_for_all`.
    """
    call = _Call(
        overall=overall,
        segments=segments,
        outlooks=outlooks,
        control=control,
        names=names or Names(),
        differ=False,
        unfit=unfit or {},
        ends=ends,
        prospects=prospects or Prospects(),
    )
    if overall.outcome == "untrustworthy":
        return call.advise("none", "Nothing can be recommended yet: these data cannot be trusted, see the warnings.")
    if overall.outcome == "winner" and overall.variant is not None:
        about = [one for one in comparisons if overall.variant in (one.treatment, one.baseline)]
        return _with_winner(replace(call, differ=any(one.differ for one in about)), overall.variant)
    return _without_winner(replace(call, differ=any(one.differ for one in comparisons)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """All that the advice is made of."""

    overall: Verdict
    segments: Mapping[str, Verdict]
    outlooks: Sequence[Outlook]
    control: str
    names: Names
    differ: bool
    unfit: Mapping[str, frozenset[str]]
    ends: bool
    prospects: Prospects

    @property
    def winners(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (segment, verdict.variant)
            for segment, verdict in self.segments.items()
            if verdict.outcome in ("winner", "control_wins") and verdict.variant is not None
        )

    def contradicts(self, variant: str) -> bool:
        """Somewhere another one is shown to be better, or it is not on offer."""
        return bool(self.unfit_for(variant)) or any(
            (verdict.outcome in ("winner", "control_wins") and verdict.variant != variant)
            or (verdict.outcome == "tied" and variant not in verdict.leaders)
            for verdict in self.segments.values()
        )

    def unfit_for(self, variant: str) -> list[str]:
        return [segment for segment, variants in self.unfit.items() if variant in variants]

    def advise(self, advice: Advice, sentence: str, variant: str | None = None) -> Recommendation:
        winners = self.winners if advice == "per_segment" else ()
        return Recommendation(advice=advice, variant=variant, winners=winners, sentence=sentence)


def _with_winner(call: _Call, variant: str) -> Recommendation:
    name = call.names.variant(variant)
    everywhere = len(call.segments) > 1 and len(call.winners) == len(call.segments)
    if not call.contradicts(variant):
        if everywhere:
            how = ", though not by the same amount" if call.differ else ""
            return call.advise("one_for_all", f"Show {name} to everybody: it wins in every segment{how}.", variant)
        if not call.differ:
            return call.advise("one_for_all", f"Show {name} to everybody: it wins{_no_sign(call)}.", variant)
    if call.winners:
        return call.advise("per_segment", f"{_why(call)}: {_each(call)}.")
    start = f"{name} wins over all, but not equally in all segments, and in no segment alone is it sure yet"
    if unfit := call.unfit_for(variant):
        where = _list([call.names.segment(segment) for segment in unfit])
        start = f"{name} wins over all, but not for {where}, where it is worse or not on offer"
    return call.advise("wait", f"{start}. {_when(call)}")


def _no_sign(call: _Call) -> str:
    if len(call.segments) < 2:
        return ""
    return " over all, and there is no sure sign that segments differ"


def _without_winner(call: _Call) -> Recommendation:
    control = call.names.variant(call.control)
    if any(variant != call.control for _, variant in call.winners):
        return call.advise("per_segment", f"{_why(call)}: {_each(call)}.")
    if call.overall.outcome == "control_wins":
        return call.advise("none", f"Keep {control}: it is better than everything that was tried.")
    if call.winners:
        return call.advise("per_segment", f"There is no winner over all: {_each(call)}.")
    return call.advise("wait", f"{_so_far(call)}. {_when(call)}")


def _why(call: _Call) -> str:
    return "What works differs between segments" if call.differ else "No variant is shown to be best for everybody"


def _each(call: _Call) -> str:
    """'show New to Women and Men; keep Old for Kids; wait for Dogs'"""
    of: dict[str, list[str]] = {}
    for segment, variant in call.winners:
        of.setdefault(variant, []).append(call.names.segment(segment))
    parts = [
        f"keep {call.names.variant(variant)} for {_list(where)}"
        if variant == call.control
        else f"show {call.names.variant(variant)} to {_list(where)}"
        for variant, where in of.items()
    ]
    decided = {segment for segment, _ in call.winners}
    waiting = []
    for segment, verdict in call.segments.items():
        if verdict.outcome == "tied":
            either = _list([call.names.variant(one) for one in verdict.leaders], "or")
            parts.append(f"either {either} to {call.names.segment(segment)}, or wait to know which")
        elif segment not in decided:
            waiting.append(call.names.segment(segment))
    if waiting:
        parts.append(f"wait for {_list(waiting)}" if len(waiting) <= 3 else f"wait for the other {len(waiting)}")
    return "; ".join(parts)


def _so_far(call: _Call) -> str:
    if call.overall.outcome == "too_early":
        return call.overall.sentence.rstrip(".")
    if call.overall.leaders:
        leaders = _list([call.names.variant(one) for one in call.overall.leaders])
        verb = "is" if len(call.overall.leaders) == 1 else "are"
        return f"{leaders} {verb} better than {call.names.variant(call.control)}, but the best one is not certain"
    return "There is no winner yet"


def _when(call: _Call) -> str:
    return _held_up(call) or _in_sight(call)


def _held_up(call: _Call) -> str:
    """What more units alone, or no more of them, will not change; empty where nothing is in the way."""
    ahead, units = call.prospects, call.names.units
    if ahead.untestable:
        why = ahead.untestable.message
        return f"It cannot be tested: {why[:1].lower()}{why[1:]} More {units} like these will not change that."
    if ahead.maturing and call.overall.outcome == "too_early":
        more = "" if ahead.enough else f", and more {units} are needed"
        return f"Give it time: {ahead.maturing:,} {units} are in whose time is not over yet{more}."
    if ahead.closed:
        return f"Nobody new comes in: with these {units} it stays open. To know more, run it again, with more {units}."
    return ""


def _in_sight(call: _Call) -> str:
    """The soonest of what is still open; otherwise what can still be found."""
    units = call.names.units
    if in_days := [one.days_left for one in call.outlooks if not isinstance(one.days_left, Undefined)]:
        if min(in_days) > _LONG_DAYS:
            return (
                f"At this traffic nothing can be said within a year: bring in more {units}, test something bolder, or "
                "decide without a winner."
            )
        return f"If things stay as they are, something can be said in about {_days(min(in_days))}."
    if in_units := [one.units_left for one in call.outlooks if not isinstance(one.units_left, Undefined)]:
        return f"If things stay as they are, something can be said after {min(in_units):,} more {units}."
    if lifts := [one.detectable_lift for one in call.outlooks if not isinstance(one.detectable_lift, Undefined)]:
        reached = any(one.power_left == HORIZON_REACHED for one in call.outlooks)
        if reached and call.ends:
            return "All units that were planned are in: nothing more can be expected at this size."
        seen = f"a difference of {percentage(min(lifts))} or more would probably be seen"
        return f"Nothing is in sight so far; {seen} by {'now' if reached else 'the planned end'}."
    return f"Let it run: more {units} are needed."


def _days(days: float) -> str:
    if days <= 1:
        return "a day"
    if days <= 21:
        return f"{ceil(days)} days"
    return f"{ceil(days / 7)} weeks" if days <= 140 else f"{ceil(days / 30.4)} months"


def _list(parts: Sequence[str], conjunction: str = "and") -> str:
    *rest, last = parts
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last
