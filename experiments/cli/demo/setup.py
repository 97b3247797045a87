"""What the demo asks the API to make: metrics, segments and the experiment, as request bodies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from experiments.services.replaying.plan import ReplayPlan

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """`experiment` names the segments and metrics."""

    segments: tuple[Body, ...]
    metrics: tuple[Body, ...]
    experiment: Body

    @property
    def key(self) -> str:
        return str(self.experiment["key"])

    @property
    def variant_names(self) -> dict[str, str]:
        return {variant["key"]: variant["name"] for variant in self.experiment["variants"]}

    @property
    def segment_names(self) -> dict[str, str]:
        return {segment["key"]: segment["name"] for segment in self.segments} | {"everyone": "Everyone else"}


def spring_email() -> Setup:
    """Return the experiment on simulated customers; Winnow splits them."""
    return Setup(
        segments=(
            {"key": "mens_only", "name": "Bought men's goods only", "condition": {"mens": 1, "womens": 0}},
            {"key": "womens_only", "name": "Bought women's goods only", "condition": {"mens": 0, "womens": 1}},
            {"key": "both", "name": "Bought both", "condition": {"mens": 1, "womens": 1}},
        ),
        metrics=(
            {"key": "visit", "name": "Visits", "kind": "conversion", "event_name": "visit"},
            {"key": "conversion", "name": "Purchases", "kind": "conversion", "event_name": "purchase"},
            {"key": "spend", "name": "Spend per customer", "kind": "mean", "event_name": "purchase"},
        ),
        experiment={
            "key": "spring-email",
            "name": "Spring e-mail",
            "hypothesis": "An e-mail about what customers bought before brings more of them back.",
            "owner": "content",
            "variants": [
                {"key": "no_email", "name": "No e-mail", "is_control": True},
                {"key": "mens_email", "name": "Men's e-mail", "content": {"template": "mens"}},
                {"key": "womens_email", "name": "Women's e-mail", "content": {"template": "womens"}},
            ],
            "segments": [{"segment": "mens_only"}, {"segment": "womens_only"}, {"segment": "both"}],
            "metrics": [
                {"metric": "visit", "role": "primary"},
                {"metric": "conversion", "role": "secondary"},
                {"metric": "spend", "role": "guardrail", "margin_lift": 0.1},
            ],
            "analysis": {"minimum_duration_seconds": 0},
            # So few customers cannot rule harm to spend out; the page says so.
            "promotion": {"guardrails": "not_harmed"},
        },
    )


def from_plan(plan: ReplayPlan) -> Setup:
    """Return the experiment that a plan describes; somebody else split the units."""
    wish = plan.wish
    experiment = _filled(asdict(wish))
    return Setup(
        segments=tuple(_filled(asdict(segment)) for segment in plan.segments),
        metrics=tuple(_filled(asdict(metric)) for metric in plan.metrics),
        experiment={
            **experiment,
            "variants": [_filled(asdict(variant)) for variant in wish.variants],
            "segments": [_filled(asdict(segment)) for segment in wish.segments],
            "metrics": [_filled(asdict(metric)) for metric in wish.metrics],
            # A demo has no night.
            "promotion": _filled({**asdict(wish.promotion), "quiet_hours": None}),
        },
    )


def _filled(document: Body) -> Body:
    return {name: value for name, value in document.items() if value is not None}
