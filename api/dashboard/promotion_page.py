"""Everything on the page of one promotion: where it stands, what it has come to, its steps, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from api.dashboard import format as say
from api.dashboard.evidence_words import Fact, against_seen, facts_of, lead
from api.dashboard.gain import Measure, measure_of
from api.dashboard.gain_plot import NARROW, WIDE, GainPlot, gain_plot
from api.dashboard.guardrails import Guardrail, guardrails_of_evidence, guardrails_of_live
from api.dashboard.inbox import Waiting, waiting_of
from api.dashboard.live import Split, exploring_of, split_of
from api.dashboard.names import Names, names_of
from api.dashboard.policy_words import taken_back
from api.dashboard.reasons import in_words, reasons_of
from api.dashboard.standing import WORDS, Standing, person_of, standing_of, watched_since
from api.dashboard.taking_part import who_takes_part
from experiments.domain.evidence import Evidence, Live
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.domain.wording import plural
from experiments.services.promoting.proposals import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    state: str
    word: str
    when: str
    who: str
    share: str
    note: str
    reasons: tuple[str, ...]
    evidence: str
    evidence_short: str
    snapshot_id: int | None
    version: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPage:
    """`waiting` is there while it waits, `realised` once it has been live; `next_reasons`: what the policy says now."""

    id: str
    key: str
    experiment: str
    segment: str
    variant: str
    control: str
    metric: str
    standing: Standing
    waiting: Waiting | None
    realised: Realised | None
    next_reasons: tuple[str, ...]
    split: Split | None
    traffic: str
    steps: tuple[Step, ...]
    lead: str
    facts: tuple[Fact, ...]
    guardrails: tuple[Guardrail, ...]
    evidence: str
    evidence_short: str
    snapshot_id: int


_DONE = {PromotionState.PROPOSED: "Proposed"}


def promotion_page(
    experiment: Experiment, promotion: Promotion, present: Proposal | None, *, layer: Layer | None
) -> PromotionPage:
    """Put a promotion into words; `present` is what would be done now, where it is under way."""
    definition, names = experiment.definition, names_of(experiment)
    since = watched_since([] if present is None else [present])
    measure = measure_of(definition, names)
    standing = standing_of(experiment, promotion, names, since, layer=layer)
    waits = promotion.state in (PromotionState.PROPOSED, PromotionState.APPROVED)
    sha256 = promotion.proposal.evidence_sha256 or ""
    plan = definition.plan_of(promotion.segment)
    return PromotionPage(
        id=promotion.id,
        key=experiment.key,
        experiment=definition.name,
        segment=names.segment(promotion.segment),
        variant=names.variant(promotion.variant),
        control=measure.control,
        metric=measure.metric,
        standing=standing,
        waiting=waiting_of(experiment, promotion, present, layer=layer) if waits else None,
        realised=_realised(experiment, promotion, present, names, measure),
        next_reasons=reasons_of(present.decision) if present is not None and promotion.is_live else (),
        split=split_of(experiment, plan.allocation, names, plan.promoted, exploring_of(promotion))
        if plan and standing.is_shown
        else None,
        traffic=who_takes_part(definition, plan, names, layer) if standing.is_shown else "",
        steps=tuple(_steps(promotion, names.segment(promotion.segment), elsewhere=definition.is_split_elsewhere)),
        lead=lead(definition, promotion.evidence, promotion.variant, names),
        facts=facts_of(definition, promotion.evidence, names, measure),
        guardrails=guardrails_of_evidence(promotion.evidence, names),
        evidence=sha256,
        evidence_short=sha256[:12],
        snapshot_id=promotion.evidence.snapshot_id,
    )


def _steps(promotion: Promotion, segment: str, *, elsewhere: bool) -> Iterator[Step]:
    """What was said at the step before, at the same time, is not said again."""
    for position, step in enumerate(promotion.steps):
        before = [earlier for earlier in promotion.steps[:position] if earlier.at == step.at]
        noted = any(earlier.note == step.note for earlier in before)
        # Who takes it back in person says why; what the machine said at that moment was no reason.
        in_person = step.state is PromotionState.REVERTED and not step.unattended
        argued = in_person or (position > 0 and step.reasons == promotion.proposal.reasons)
        told = _step(step, segment, note="" if noted else step.note, reasons=() if argued else in_words(step.reasons))
        shown = step.state in (PromotionState.RAMPING, PromotionState.HELD)
        yield replace(told, word="Decided") if elsewhere and shown else told


def _step(step: PromotionStep, segment: str, *, note: str, reasons: tuple[str, ...]) -> Step:
    sha256 = step.evidence_sha256 or ""
    return Step(
        state=str(step.state),
        word=_DONE.get(step.state, WORDS[step.state]),
        when=say.instant(step.at),
        who=person_of(step),
        share=_share(step, segment),
        note=note,
        reasons=reasons,
        evidence=sha256,
        evidence_short=sha256[:12],
        snapshot_id=step.evidence.snapshot_id if step.evidence else None,
        version=f"version {step.version_after}" if step.version_after is not None else "",
    )


def _share(step: PromotionStep, segment: str) -> str:
    if step.share_bp is None:
        return ""
    exploring = f", {say.basis_points(step.exploration_bp)} any content" if step.exploration_bp else ""
    return f"{say.basis_points(step.share_bp)} of {segment}{exploring}"


def _looks(promotion: Promotion, present: Proposal | None) -> Iterator[Evidence]:
    """What was seen of it while it was live, newest first."""
    if present is not None:
        yield present.evidence
    yield from (step.evidence for step in reversed(promotion.steps) if step.evidence is not None)


def _realised(
    experiment: Experiment, promotion: Promotion, present: Proposal | None, names: Names, measure: Measure
) -> Realised | None:
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
        answer = f"{_when_kept(ends, predicted, measure, data_until)} Nobody watches it since: take it back by hand."
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
        taken_back=taken_back(experiment.definition.promotion, measure)
        if promotion.is_live and promotion.is_open
        else "",
        level=f"{100 * (1 - experiment.definition.analysis.alpha):g}%",
        wide=plots[0],
        narrow=plots[1],
        left_side="worse" if measure.rises else "better",
        guardrails=guardrails_of_live(live, names) if live and not live.critical else (),
    )


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
