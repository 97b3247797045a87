"""Promotions on the pages: an experiment with a policy, a proposal by the machine, and what a winner came to."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import time
from typing import Any

from experiments.domain.metric import MetricRole, MetricUse
from experiments.domain.promotion import Promotion
from experiments.domain.promotion_policy import PromotionPolicy, QuietHours
from tests.http.full_report import full_report
from tests.http.pages_site import (
    CONTROL,
    MENS,
    RETURNS,
    VISIT,
    Site,
    comparison,
    finding,
    mail,
    metric_report,
    report,
    scope,
)

Doc = dict[str, Any]

PAGE = "/experiments/mail"
POLICY = PromotionPolicy(
    ramp_bp=(5_000, 8_000),
    minimum_lift=0.01,
    quiet_hours=QuietHours(start=time(22), end=time(7), timezone="Europe/Berlin"),
)
AT_ONCE = replace(POLICY, ramp_bp=())
FALLING = (MetricUse(metric=replace(VISIT, direction=RETURNS.direction), role=MetricRole.PRIMARY),)


def own_report() -> Doc:
    """Return a report of which a test may change every part."""
    return deepcopy(full_report())


def running(site: Site, policy: PromotionPolicy = POLICY, *, days: float = 21, **changes: Any) -> Site:
    """Three weeks after the start there is a winner for men; the clock is a test's own."""
    site.add(mail(promotion=policy, **changes))
    clock: Any = site.winnow.clock
    clock.advance(days=days)
    site.store(full_report())
    return site


def proposed(site: Site, segment: str = "men", *, experiment: str = "mail") -> Promotion:
    """Let the machine propose."""
    made = site.winnow.advancer.step(experiment, segment)
    assert made is not None
    return made


def approved(site: Site, segment: str = "men") -> Promotion:
    """Let the machine propose and a person approve."""
    return site.winnow.promoter.approve(proposed(site, segment).id, actor="key:Ada", note="")


def realised(
    promotion: Promotion,
    lift: float,
    ends: tuple[float, float],
    *,
    units: tuple[int, int] = (1_200, 1_300),
    guardrail: str = "safe",
    critical: str = "",
) -> Mapping[str, Any]:
    """Return what a snapshot holds of a winner that is live: its own small report against the holdback."""
    visits = metric_report(
        "visit", {CONTROL: (units[0], 0.1), promotion.variant: (units[1], 0.12)}, [comparison(MENS, lift, ends)]
    )
    returns = metric_report(
        "returns",
        {CONTROL: (units[0], 0.02), promotion.variant: (units[1], 0.02)},
        [comparison(promotion.variant, 0.0, (-0.02, 0.02), guardrail=guardrail)],
    )
    findings = [finding("srm", "critical", critical)] if critical else []
    one = scope(promotion.segment, "undecided", "Since it went live.", [visits, returns], findings=findings)
    return {promotion.id: {"since_epoch": 2, "report": report([one], {**one, "segment": None})}}


def measured(site: Site, promotion: Promotion, lift: float, ends: tuple[float, float], **changes: Any) -> None:
    """Store a snapshot that knows what the promotion has come to."""
    site.store(full_report(), realised=realised(promotion, lift, ends, **changes))


def address(promotion: Promotion) -> str:
    return f"/promotions/{promotion.id}"
