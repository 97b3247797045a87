"""The pure decision: evidence, policy and an instant in, an action with its reasons out."""

from __future__ import annotations

from datetime import datetime

from experiments.domain.aftercare import judge_live
from experiments.domain.candidacy import judge_candidate
from experiments.domain.decision import Decision
from experiments.domain.evidence import Evidence
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy


def decide(
    evidence: Evidence, policy: PromotionPolicy, plan: AnalysisPlan, now: datetime, *, unattended: bool = False
) -> Decision:
    """Say what to do with one segment: trust and guardrails come before lift, and stale evidence moves nothing.

    What a person rejected or took back, nobody `unattended` puts live again; nor is a family acted upon that does not
    limit the chance of a wrong winner. Quiet hours keep from going live and from the next share, not from deciding.
    """
    if evidence.live is not None:
        return judge_live(evidence, evidence.live, policy, now, unattended=unattended)
    return judge_candidate(evidence, policy, plan, now, unattended=unattended)
