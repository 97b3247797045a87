"""Who won: from pairwise comparisons, corrected in their family, to one verdict.

A verdict is only ever built from adjusted p-values. With Holm it errs at the family's rate: the chance that any
verdict is wrong, at any look, is at most alpha. With Benjamini-Hochberg it does not: what is limited there is the
expected share of wrong comparisons among those that are shown, and a verdict is made of few of them. Many true
differences (from one poor variant, in every segment) pay for many false ones (between the good ones), so that most of
the *winners* may be wrong while the rate holds. It is for screening, and no such plan promotes by itself.

For the segments the family is all pairwise comparisons between variants that were ever offered, on the primary metric,
in all segments. All segments together are a question of their own, with a family and an error rate of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.estimate import Finding, Verdict
from analysis.inference import sentences
from analysis.inference.contest import Contest


def verdict(contest: Contest) -> Verdict:
    """The outcome for one scope, and its sentence.

    Returns
    -------
    Verdict
        `untrustworthy`: a critical finding stands. `too_early`: a variant that is still offered is below the minimum
        (one that is no longer offered and never reached it is left out of the contest instead: it never will).
        `winner`: one treatment beats the control and every other one. `control_wins`: the control beats every
        treatment. `tied`: two or more treatments beat the control, and none of these is beaten by any other.
        `undecided`: all the rest, also when just one treatment beats the control but is not told apart from another
        which does not: `leaders` then names it, for it is better than the control, but it has not won.

        A treatment that is not offered any more is in none of these: it cannot win, and nobody has to beat it. If it
        was better than the winner (or than the control, where nobody wins), the sentence says so.
    """
    if contest.critical:
        return Verdict(outcome="untrustworthy", variant=None, leaders=(), sentence=sentences.untrustworthy(contest))
    control, treatments = contest.plan.control, contest.contestants
    if control not in contest.scope.offered or len(contest.scope.offered) < 2:
        return _undecided(sentences.nothing_to_compare(contest))
    if reasons := _still_early(contest):
        return Verdict(outcome="too_early", variant=None, leaders=(), sentence=sentences.too_early(contest, reasons))
    if not treatments or control not in contest.measured:
        return _undecided(sentences.nothing_to_compare(contest))
    if all(contest.beats(control, treatment) for treatment in treatments):
        sentence = sentences.control_wins(contest, treatments)
        return Verdict(outcome="control_wins", variant=control, leaders=(), sentence=sentence)
    return _best_treatment(contest, treatments)


def _best_treatment(contest: Contest, treatments: Sequence[str]) -> Verdict:
    control = contest.plan.control
    better = [treatment for treatment in treatments if contest.beats(treatment, control)]
    unbeaten = [one for one in better if not any(contest.beats(other, one) for other in treatments if other != one)]
    leaders = tuple(sorted(unbeaten, key=lambda treatment: -contest.advantage(treatment, control)))
    if len(leaders) > 1:
        return Verdict(outcome="tied", variant=None, leaders=leaders, sentence=sentences.tied(contest, leaders))
    if not leaders:
        return _undecided(sentences.undecided(contest))
    leader = leaders[0]
    rivals = [other for other in treatments if other != leader and not contest.beats(leader, other)]
    if rivals:
        return _undecided(sentences.ahead(contest, leader, rivals), leaders)
    return Verdict(outcome="winner", variant=leader, leaders=leaders, sentence=sentences.winner(contest, leader))


def _undecided(sentence: str, leaders: tuple[str, ...] = ()) -> Verdict:
    return Verdict(outcome="undecided", variant=None, leaders=leaders, sentence=sentence)


def _still_early(contest: Contest) -> list[Finding]:
    return [finding for finding in contest.early if finding.variant in contest.scope.current]
