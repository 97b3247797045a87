"""What to do with all segments: one variant for everybody, one for each, or wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from analysis.estimate import Advice, Outlook, Recommendation, SegmentComparison, Verdict, WaitsFor
from analysis.inference.waiting import Prospects, Waiting, waiting


def _as_is(key: str) -> str:
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people call things: by key, and the units in the plural."""

    variant: Callable[[str], str] = _as_is
    segment: Callable[[str], str] = _as_is
    metric: Callable[[str], str] = _as_is
    units: str = "units"
    primary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """A guardrail metric that a variant is shown to harm, in a segment or (None) over all; `beyond` its margin."""

    segment: str | None
    variant: str
    metric: str
    beyond: bool


def recommend(
    overall: Verdict,
    segments: Mapping[str, Verdict],
    comparisons: Sequence[SegmentComparison] = (),
    outlooks: Sequence[Outlook] = (),
    *,
    control: str,
    names: Names | None = None,
    unfit: Mapping[str, frozenset[str]] | None = None,
    harms: Sequence[Harm] = (),
    doubted: bool = False,
    early: str = "",
    is_over: bool = False,
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
    harms
        To guardrails. Nobody is shown to everybody who harms one beyond its margin anywhere, nor to a segment in which
        they do; of all other harm the sentence says that it is there.
    doubted
        Whether the arms' sizes hardly fit the split, which forbids nothing and is said.
    early
        Of a plan with one look that has not all its units: what is missing.
    is_over
        Whether nobody can come in any more: then what is missing forbids nothing and is said.
    ends
        Whether the plan has a last look, at which all units that were planned are in.
    prospects
        Of all segments together, for what to wait for.

    Returns
    -------
    Recommendation
        `one_for_all`: a treatment wins overall, no segment says otherwise, and its effect is not shown to differ (or
        differs only in size: it wins in each of them). `per_segment`: some segments have a winner of their own (the
        control where it wins), or variants in front that are not in front overall, and these differ, or contradict the
        overall winner, or there is none, or the one for all does harm, and in segments only. `none`: the data cannot
        be trusted, the control wins, or the one for all harms a guardrail beyond its margin. `wait`: all the rest.

    Notes
    -----
    Rests on up to three families with an error rate of alpha each: the overall comparisons, those in all segments, and
    "segments differ". So a wrong verdict among those named has a chance of at most alpha for `one_for_all` and at most
    alpha for `per_segment`, each, at every look; that one of the two is ever wrong, 2·alpha. Not showing that segments
    differ does not show that they are alike: a small segment that is harmed may go unseen in `one_for_all`.
    """
    winner = overall.variant if overall.outcome == "winner" else None
    about = [one for one in comparisons if winner in (None, one.treatment, one.baseline)]
    call = _Call(
        overall=overall,
        segments=segments,
        outlooks=outlooks,
        control=control,
        names=names or Names(),
        differ=any(one.differ for one in about),
        others_differ=tuple(dict.fromkeys([one.treatment for one in comparisons if one.differ and one not in about])),
        unfit=unfit or {},
        harms=harms,
        doubted=doubted,
        short=early if is_over else "",
        ends=ends,
        prospects=prospects or Prospects(),
    )
    if overall.outcome == "untrustworthy":
        return call.advise("none", "Nothing can be recommended yet: these data cannot be trusted, see the warnings.")
    if early and not is_over:
        sentence = f"{early}, and this plan concludes once, at its end: nothing is concluded before."
        return call.advise("wait", sentence + _caution(call, _in_front(overall)), waits_for="units")
    return _without_winner(call) if winner is None else _with_winner(call, winner)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """All that the advice is made of."""

    overall: Verdict
    segments: Mapping[str, Verdict]
    outlooks: Sequence[Outlook]
    control: str
    names: Names
    differ: bool
    others_differ: tuple[str, ...]
    unfit: Mapping[str, frozenset[str]]
    harms: Sequence[Harm]
    doubted: bool
    short: str
    ends: bool
    prospects: Prospects

    @property
    def winners(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (segment, verdict.variant)
            for segment, verdict in self.segments.items()
            if verdict.outcome in ("winner", "control_wins") and verdict.variant is not None
        )

    @property
    def others_lead(self) -> bool:
        """In some segment a treatment is better than the control, of which nothing of the kind is said overall."""
        return any(set(verdict.leaders) - set(self.overall.leaders) for verdict in self.segments.values())

    def contradicts(self, variant: str) -> bool:
        """Somewhere another one is shown to be better, or it is not on offer."""
        return bool(self.unfit_for(variant)) or any(
            (verdict.outcome in ("winner", "control_wins") and verdict.variant != variant)
            or (verdict.outcome == "tied" and variant not in verdict.leaders)
            for verdict in self.segments.values()
        )

    def harmed(self, segment: str, variant: str) -> tuple[str, ...]:
        """Guardrails that keep a variant from being shown to a segment."""
        return tuple(
            one.metric for one in self.harms if one.beyond and (one.segment, one.variant) == (segment, variant)
        )

    def unfit_for(self, variant: str) -> list[str]:
        return [segment for segment, variants in self.unfit.items() if variant in variants]

    @property
    def fit_winners(self) -> tuple[tuple[str, str], ...]:
        return tuple(one for one in self.winners if not self.harmed(*one))

    @property
    def waiting(self) -> Waiting:
        return waiting(
            self.outlooks,
            self.prospects,
            units=self.names.units,
            too_early=self.overall.outcome == "too_early",
            ends=self.ends,
        )

    def advise(
        self, advice: Advice, sentence: str, variant: str | None = None, waits_for: WaitsFor | None = None
    ) -> Recommendation:
        winners = self.fit_winners if advice == "per_segment" else ()
        return Recommendation(advice=advice, variant=variant, winners=winners, sentence=sentence, waits_for=waits_for)


def _with_winner(call: _Call, variant: str) -> Recommendation:
    name = call.names.variant(variant)
    everywhere = len(call.segments) > 1 and len(call.winners) == len(call.segments)
    if not call.contradicts(variant):
        if everywhere:
            how = ", though not by the same amount" if call.differ else ""
            return _for_all(call, variant, f"it wins in every segment{how}")
        if not call.differ:
            return _for_all(call, variant, f"it wins{_no_sign(call)}")
    if call.winners or call.others_lead:
        return _per_segment(call, _why(call))
    start = f"{name} wins over all, but not equally in all segments, and in no segment alone is it sure yet"
    if unfit := call.unfit_for(variant):
        where = _list([call.names.segment(segment) for segment in unfit])
        start = f"{name} wins over all, but not for {where}, where it is worse or not on offer"
    return _wait(call, start, [variant])


def _for_all(call: _Call, variant: str, why: str) -> Recommendation:
    name, on = call.names.variant(variant), f" on {call.names.primary}" if call.names.primary else ""
    if harm := _harm(call, variant):
        if call.fit_winners and not any(one.beyond and one.segment is None for one in _harms_by(call, variant)):
            return _per_segment(call, f"{name} wins{on}, but not without harm")
        sentence = f"{name} wins{on}, but harms {harm}: do not show it to everybody before that is understood."
        return call.advise("none", sentence)
    sentence = f"Show {name} to everybody: {why}.{_doubt(call)}{_caution(call, [variant])}"
    return call.advise("one_for_all", sentence, variant)


def _per_segment(call: _Call, why: str) -> Recommendation:
    shown = dict.fromkeys(one for verdict in call.segments.values() for one in _in_front(verdict))
    told = f"{why}: {_each(call)}.{_doubt(call)}{_caution(call, list(shown), held=True)}"
    return call.advise("per_segment", told)


def _doubt(call: _Call) -> str:
    sizes = " The arms' sizes hardly fit the split: look at that first." if call.doubted else ""
    short = f" {call.short}: if it was stopped for what the numbers said, do not rely on them." if call.short else ""
    return sizes + short


def _harms_by(call: _Call, variant: str) -> list[Harm]:
    return [one for one in call.harms if one.variant == variant]


def _harm(call: _Call, variant: str) -> str:
    """'Returns, and Complaints for Women and Men': over all, and where segments alone show it."""
    found = [one for one in _harms_by(call, variant) if one.beyond]
    over_all = [one.metric for one in found if one.segment is None]
    where: dict[str, list[str]] = {}
    for one in found:
        if one.segment is not None and one.metric not in over_all:
            where.setdefault(one.metric, []).append(call.names.segment(one.segment))
    parts = [_list([call.names.metric(one) for one in over_all])] if over_all else []
    parts += [f"{call.names.metric(metric)} for {_list(segments)}" for metric, segments in where.items()]
    return ", and ".join(parts)


def _caution(call: _Call, variants: Sequence[str], *, held: bool = False) -> str:
    """Harm that forbids nothing. `held`: what is beyond the margin in a segment is said with that segment already."""
    said: dict[tuple[str, str, bool], list[str | None]] = {}
    for one in call.harms:
        if one.variant in variants and not (held and one.beyond and one.segment is not None):
            said.setdefault((one.variant, one.metric, one.beyond), []).append(one.segment)
    return "".join(
        _cautioned(call, variant, metric, segments, beyond=beyond)
        for (variant, metric, beyond), segments in said.items()
    )


def _cautioned(call: _Call, variant: str, metric: str, segments: Sequence[str | None], *, beyond: bool) -> str:
    name, harmed = call.names.variant(variant), call.names.metric(metric)
    alone = _list([call.names.segment(one) for one in segments if one is not None]) if None not in segments else ""
    if not beyond:
        where = f" for {alone}" if alone else ""
        return f" {name} does some harm to {harmed}{where}, perhaps no more than is tolerated: look at that first."
    if len(call.segments) < 2:
        return f" {name} harms {harmed}: look at that first."
    return f" {f'For {alone}' if alone else 'Over all'}, {name} harms {harmed}: look at that first."


def _no_sign(call: _Call) -> str:
    if len(call.segments) < 2:
        return ""
    others = _list([call.names.variant(one) for one in call.others_differ]) if call.others_differ else ""
    but = f" (that of {others} does)" if others else ""
    return f" over all, and there is no sure sign that its effect differs between segments{but}"


def _in_front(verdict: Verdict) -> list[str]:
    return list(dict.fromkeys(one for one in (*verdict.leaders, verdict.variant) if one is not None))


def _without_winner(call: _Call) -> Recommendation:
    control = call.names.variant(call.control)
    if call.others_lead or any(variant != call.control for _, variant in call.winners):
        return _per_segment(call, _why(call))
    if call.overall.outcome == "control_wins":
        return call.advise("none", f"Keep {control}: it is better than everything that was tried.")
    if call.winners:
        return _per_segment(call, "There is no winner over all")
    return _wait(call, _so_far(call), call.overall.leaders)


def _wait(call: _Call, start: str, variants: Sequence[str]) -> Recommendation:
    ahead = call.waiting
    sentence = f"{start}. {ahead.sentence}{_caution(call, variants)}"
    return call.advise("wait", sentence, waits_for=ahead.waits_for)


def _why(call: _Call) -> str:
    return "What works differs between segments" if call.differ else "No variant is shown to be best for everybody"


def _each(call: _Call) -> str:
    """'show New to Women and Men; keep Old for Kids; wait for Dogs'"""
    of: dict[str, list[str]] = {}
    for segment, variant in call.winners:
        if not call.harmed(segment, variant):
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
        ahead = [one for one in verdict.leaders if segment not in decided and not call.harmed(segment, one)]
        if len(ahead) > 1:
            either = _list([call.names.variant(one) for one in ahead], "or")
            parts.append(f"either {either} to {call.names.segment(segment)}, or wait to know which")
        elif ahead:
            parts.append(_ahead(call, segment, ahead[0]))
        elif segment not in decided and not verdict.leaders:
            waiting.append(call.names.segment(segment))
    parts += _held(call)
    if waiting:
        parts.append(f"wait for {_list(waiting)}" if len(waiting) <= 3 else f"wait for the other {len(waiting)}")
    return "; ".join(parts)


def _held(call: _Call) -> list[str]:
    """'do not show New to Women before it is understood why it harms Returns'"""
    of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for segment, verdict in call.segments.items():
        for variant in _in_front(verdict):
            if metrics := call.harmed(segment, variant):
                of.setdefault((variant, metrics), []).append(call.names.segment(segment))
    return [
        f"do not show {call.names.variant(variant)} to {_list(where)} before it is understood why it harms "
        f"{_list([call.names.metric(metric) for metric in metrics])}"
        for (variant, metrics), where in of.items()
    ]


def _ahead(call: _Call, segment: str, leader: str) -> str:
    name, control = call.names.variant(leader), call.names.variant(call.control)
    return f"for {call.names.segment(segment)} {name} beats {control}, but may not be the best: show it, or wait"


def _so_far(call: _Call) -> str:
    if call.overall.outcome == "too_early":
        return call.overall.sentence.rstrip(".")
    if call.overall.leaders:
        leaders = _list([call.names.variant(one) for one in call.overall.leaders])
        verb = "is" if len(call.overall.leaders) == 1 else "are"
        return f"{leaders} {verb} better than {call.names.variant(call.control)}, but the best one is not certain"
    return "There is no winner" if call.prospects.untestable else "There is no winner yet"


def _list(parts: Sequence[str], conjunction: str = "and") -> str:
    *rest, last = parts
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last
