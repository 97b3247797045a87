"""What a winner that is live has come to against what was predicted, in words and as a plot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.evidence_words import against_seen
from api.dashboard.gain import Measure
from api.dashboard.gain_plot import NARROW, WIDE, GainPlot, gain_plot
from api.dashboard.guardrails import Guardrail, guardrails_of_live
from api.dashboard.names import Names
from api.dashboard.policy_words import taken_back
from experiments.domain.evidence import Evidence, Live
from experiments.domain.experiment import Experiment, Status
from experiments.domain.promotion import Promotion, PromotionState
from experiments.domain.wording import plural
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """What it has come to against what was predicted; the plots are None where there is nothing to draw."""

    predicted: str
    against_seen: str
    measured: str
    answer: str
    tone: str
    units: str
    data_until: str
    threshold: str
    short_of: str
    taken_back: str
    level: str
    wide: GainPlot | None
    narrow: GainPlot | None
    left_side: str
    guardrails: tuple[Guardrail, ...]


def _looks(promotion: Promotion, present: Proposal | None) -> Iterator[Evidence]:
    """What was seen of it while it was live, newest first."""
    if present is not None:
        yield present.evidence
    yield from (step.evidence for step in reversed(promotion.steps) if step.evidence is not None)


def realised_of(
    experiment: Experiment,
    promotion: Promotion,
    present: Proposal | None,
    names: Names,
    measure: Measure,
    *,
    revertible: bool,
) -> Realised | None:
    """Return what it has come to; None before it has been live."""
    if promotion.went_live is None:
        return None
    seen = [
        (evidence, evidence.live)
        for evidence in _looks(promotion, present)
        if evidence.live is not None and evidence.live.promotion == promotion.id
    ]
    counted = next(((evidence, live) for evidence, live in seen if live.gain is not None), seen[0] if seen else None)
    live = counted[1] if counted else None
    threshold = experiment.definition.promotion.revert_below_lift
    predicted = promotion.evidence.predicted_gain
    ends = None if live is None or live.critical else _ends(live)
    lifts = None if ends is None else _lifts(measure, *ends)
    plots = [
        gain_plot(
            predicted=None if predicted is None else measure.lift(predicted),
            realised=lifts,
            threshold=measure.lift(threshold),
            rises=measure.rises,
            frame=frame,
        )
        for frame in (WIDE, NARROW)
    ]
    answer, tone = _answer(live, ends, predicted, threshold, measure)
    if ends is None and live is not None and live.units and not live.critical:
        answer = _too_early(live, experiment, names)
    data_until = say.instant(counted[0].watermark_at) if counted else ""
    if promotion.state is PromotionState.KEPT:
        by_hand = ": take it back by hand" if revertible else ""
        answer = f"{_when_kept(ends, predicted, measure, data_until)} Nobody watches it since{by_hand}."
    return Realised(
        predicted="not known: no lift had been measured when it was proposed"
        if predicted is None
        else measure.said(predicted),
        against_seen=against_seen(promotion.evidence),
        measured=_nothing(live) if ends is None else f"{measure.said(ends[0])}, {measure.between(ends[1], ends[2])}",
        answer=answer,
        tone=tone,
        units=_units(live, names),
        data_until=data_until,
        threshold=measure.said(threshold),
        short_of=_short_of(measure, threshold),
        taken_back=_taken_back(experiment, promotion, measure),
        level=f"{100 * (1 - experiment.definition.analysis.alpha):g}%",
        wide=plots[0],
        narrow=plots[1],
        left_side="worse" if measure.rises else "better",
        guardrails=guardrails_of_live(live, names) if live and not live.critical else (),
    )


def _taken_back(experiment: Experiment, promotion: Promotion, measure: Measure) -> str:
    """When it is taken back by itself: a stop ends the watch at the machine's next step."""
    if not (promotion.is_live and promotion.is_open):
        return ""
    if experiment.status is not Status.STOPPED:
        return taken_back(experiment.definition.promotion, measure)
    if promotion.state is PromotionState.HELD:
        return "only if harm is shown already: the experiment has been stopped, so at Winnow’s next step it is kept."
    return "at Winnow’s next step: the experiment has been stopped before it had its last share."


def _ends(live: Live) -> tuple[float, float, float] | None:
    if live.gain is None or live.gain_low is None or live.gain_high is None:
        return None
    return live.gain, live.gain_low, live.gain_high


def _lifts(measure: Measure, gain: float, low: float, high: float) -> tuple[float, float, float]:
    first, last = sorted((measure.lift(low), measure.lift(high)))
    return measure.lift(gain), first, last


def _answer(
    live: Live | None,
    ends: tuple[float, float, float] | None,
    predicted: float | None,
    threshold: float,
    measure: Measure,
) -> tuple[str, str]:
    """Say what may be concluded, and no more."""
    if live is not None and live.critical:
        return "Do not trust what was measured since: " + " ".join(live.critical), "worse"
    if ends is None:
        return "Nothing has been measured since it went live.", "open"
    _, low, high = ends
    if high < threshold:
        return "It surely does worse than its rules allow.", "worse"
    if high < 0:
        return f"It is surely worse than {measure.control}, but within what its rules allow.", "worse"
    if low <= 0:
        sentence = f"Too early to say: it may be better or worse than {measure.control}."
    else:
        sentence = f"It keeps winning: it is surely better than {measure.control}."
    return sentence + _unlike_predicted("gains", low, high, predicted), "better" if low > 0 else "open"


def _when_kept(
    ends: tuple[float, float, float] | None, predicted: float | None, measure: Measure, data_until: str
) -> str:
    """What was known at the end of its hold: nothing is measured after that."""
    if ends is None:
        return "When it was kept, nothing could be said of that yet."
    _, low, high = ends
    was = "surely better" if low > 0 else "surely worse" if high < 0 else "perhaps better, perhaps worse"
    sentence = f"At the end of the hold it was {was} than {measure.control} (data until {data_until})."
    return sentence + _unlike_predicted("gained", low, high, predicted)


def _unlike_predicted(gains: str, low: float, high: float, predicted: float | None) -> str:
    """Say where it is sure that the prediction was wrong; `gains` is the verb in its tense."""
    if predicted is not None and high < predicted:
        return f" It surely {gains} less than was predicted."
    if predicted is not None and low > predicted:
        return f" It surely {gains} more than was predicted."
    return ""


def _short_of(measure: Measure, threshold: float) -> str:
    """The side of the threshold on which it is taken back: below 0%."""
    return measure.short_of(threshold) if threshold else f"{'below' if measure.rises else 'above'} 0%"


def _nothing(live: Live | None) -> str:
    return "nothing yet" if live is None or not live.units or live.critical else "too early to say"


def _too_early(live: Live, experiment: Experiment, names: Names) -> str:
    """Who has been counted since, and how many are needed."""
    needed, unit = experiment.definition.analysis.minimum_units, plural(names.unit)
    few = [(variant, units) for variant, units in live.units if units < needed]
    if not few:
        return "Too early: those who were counted since do not allow a conclusion yet."
    variant, units = min(few, key=lambda one: one[1])
    others = ", ".join(f"{names.variant(other)} {say.count(count)}" for other, count in live.units if other != variant)
    missing = f"{names.variant(variant)} has {say.count(units)} of the {say.count(needed)} {unit} needed"
    return f"Too early: {missing}{f' ({others})' if others else ''}."


def _units(live: Live | None, names: Names) -> str:
    if live is None or not live.units:
        return ""
    return ", ".join(f"{say.count(count)} with {names.variant(variant)}" for variant, count in live.units)
