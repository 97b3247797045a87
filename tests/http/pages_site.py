"""A site for the tests of the pages: the real app, a browser without JavaScript, and reports made by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from experiments.bootstrap import Winnow
from experiments.domain.allocation import Allocation
from experiments.domain.definition import Definition, SegmentPlan, Variant
from experiments.domain.experiment import draft
from experiments.domain.metric import Direction, Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.segment import Segment, everyone
from experiments.services.analysing.ports import NewSnapshot, Snapshot
from experiments.services.recording.ports import Watermark

Doc = dict[str, Any]

CONTROL, MENS, WOMENS = "none", "mens", "womens"
ARMS = (CONTROL, MENS, WOMENS)
VISIT = Metric(key="visit", name="Visits", kind=MetricKind.CONVERSION, event_name="visit")
SPEND = Metric(key="spend", name="Spend", kind=MetricKind.MEAN, event_name="purchase")
RETURNS = Metric(
    key="returns", name="Returns", kind=MetricKind.CONVERSION, event_name="return", direction=Direction.DECREASE
)
USES = (
    MetricUse(metric=VISIT, role=MetricRole.PRIMARY),
    MetricUse(metric=SPEND, role=MetricRole.SECONDARY),
    MetricUse(metric=RETURNS, role=MetricRole.GUARDRAIL, margin_lift=0.05),
)
NO_INTERVAL: Doc = {"undefined": "too_few_units", "message": "Fewer than two customers."}
NOT_IN_FAMILY: Doc = {"undefined": "not_in_family", "message": "Only the primary metric is judged."}


@dataclass
class Site:
    """One browser on one app."""

    winnow: Winnow
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = create_app(winnow=self.winnow).test_client()

    def key(self, *scopes: str, name: str = "Ada") -> str:
        return self.winnow.keys.create(name, frozenset(scopes), actor="test").text

    def sign_in(self, *scopes: str) -> str:
        """Sign in with a new key, which is returned."""
        key = self.key(*scopes or ("read",))
        assert self.submit("/sign-in", "/sign-in", key=key).status_code == 303
        return key

    def get(self, path: str, status: int = 200) -> str:
        """Return the page as HTML."""
        response = self.client.get(path)
        assert response.status_code == status, response.text
        return response.text

    def read(self, path: str, status: int = 200) -> str:
        """Return the page as people read it."""
        return text_of(self.get(path, status))

    def submit(self, page: str, action: str, **fields: str) -> TestResponse:
        """Fill in a form of that page and send it."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(page).text)
        assert token is not None
        return self.client.post(action, data={"csrf_token": token[1], **fields})

    def add(self, definition: Definition, *, running: bool = True) -> None:
        now = self.winnow.clock()
        experiment = draft(definition, by="test", now=now)
        with self.winnow.open_unit_of_work() as work:
            work.experiments.add(experiment)
            if running:
                work.experiments.save(experiment.start(now), expected_revision=experiment.revision)
            work.commit()

    def store(
        self,
        report: Mapping[str, Any],
        *,
        experiment: str = "mail",
        at: datetime | None = None,
        realised: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        reached = at or self.winnow.clock()
        with self.winnow.open_unit_of_work() as work:
            snapshot = work.snapshots.add(
                NewSnapshot(
                    experiment=experiment,
                    version=work.experiments.get(experiment).current.number,
                    watermark=Watermark(exposure_id=1, event_id=1, at=reached),
                    computed_at=reached,
                    engine_version="1",
                    input_sha256="ab" * 32,
                    report_sha256="cd" * 32,
                    moments={},
                    report=report,
                    realised=realised or {},
                )
            )
            work.commit()
        return snapshot


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def stand(page: str, *words: str) -> list[int]:
    """Return where the words stand, all of which are there."""
    found = [page.find(word) for word in words]
    assert -1 not in found, [word for word, at in zip(words, found, strict=True) if at < 0]
    return found


def text_of(html: str) -> str:
    """Strip the markup and fold white space."""
    parser = _Text()
    parser.feed(html)
    return re.sub(r"\s+", " ", " ".join(parser.parts)).replace(" ,", ",")


def tag(html: str, pattern: str) -> list[str]:
    """Return all tags that match."""
    return [unescape(found) for found in re.findall(pattern, html)]


def segment_plan(key: str, name: str, arms: Sequence[str] = ARMS, *, description: str = "") -> SegmentPlan:
    made = everyone()
    if key != "everyone":
        made = Segment(key=key, name=name, condition={"group": key}, description=description)
    weights = dict.fromkeys(arms, 1)
    return SegmentPlan(segment=made, weights=weights, allocation=Allocation.from_weights(weights))


def mail(**changes: Any) -> Definition:
    """Three e-mails for two kinds of customers and everyone else."""
    parts: Doc = {
        "key": "mail",
        "name": "Which newsletter for whom?",
        "salt": "mail",
        "variants": (
            Variant(key=CONTROL, name="No e-mail", is_control=True),
            Variant(key=MENS, name="Men’s e-mail"),
            Variant(key=WOMENS, name="Women’s e-mail"),
        ),
        "segments": (
            segment_plan("men", "Bought men’s goods"),
            segment_plan("women", "Bought women’s goods"),
            segment_plan("everyone", ""),
        ),
        "metrics": USES,
    }
    return Definition(**{**parts, **changes})


def interval(low: float, high: float) -> Doc:
    return {"low": low, "high": high, "level": 0.95, "method": "any"}


def comparison(
    treatment: str,
    lift: float,
    ends: tuple[float, float] | None,
    *,
    baseline: str = CONTROL,
    p: float | Doc = 0.00002,
    guardrail: str | None = None,
    std_error: float = 0.01,
) -> Doc:
    anytime = interval(*ends) if ends else NO_INTERVAL
    fixed = interval(ends[0] + 0.01, ends[1] - 0.01) if ends else NO_INTERVAL
    of_lift: Doc = {"value": lift, "std_error": std_error, "fixed": fixed, "always_valid": anytime}
    return {
        "treatment": treatment,
        "baseline": baseline,
        "difference": {"value": lift / 10, "std_error": 0.001, "fixed": fixed, "always_valid": anytime},
        "lift": of_lift,
        "p_value": 0.00001,
        "p_value_always_valid": 0.00002,
        "p_value_adjusted": p,
        "difference_in_family": anytime if isinstance(p, float) else p,
        "lift_in_family": anytime if isinstance(p, float) else p,
        "guardrail": guardrail,
    }


def metric_report(metric: str, values: Mapping[str, tuple[int, float]], comparisons: Sequence[Doc]) -> Doc:
    use = next(use for use in USES if use.metric.key == metric)
    return {
        "metric": metric,
        "kind": use.metric.kind.value,
        "role": use.role.value,
        "direction": use.metric.direction.value,
        "arms": [
            {"variant": arm, "units": units, "total": units * value, "value": value, "std_dev": 0.3, "interval": {}}
            for arm, (units, value) in values.items()
        ],
        "comparisons": list(comparisons),
    }


def finding(code: str, severity: str, message: str) -> Doc:
    return {"code": code, "severity": severity, "message": message, "variant": None, "metric": None, "epoch": None}


def scope(
    segment: str | None,
    outcome: str,
    sentence: str,
    metrics: Sequence[Doc],
    *,
    variant: str | None = None,
    leaders: Sequence[str] = (),
    findings: Sequence[Doc] = (),
    units: int = 28_818,
) -> Doc:
    return {
        "segment": segment,
        "units": units,
        "srm": {"chi_square": 0.3, "degrees_of_freedom": 2, "p_value": 0.86, "observed": [], "expected": []},
        "metrics": list(metrics),
        "verdict": {"outcome": outcome, "variant": variant, "leaders": list(leaders), "sentence": sentence},
        "findings": list(findings),
    }


def report(segments: Sequence[Doc], overall: Doc, *, findings: Sequence[Doc] = (), **changes: Any) -> Doc:
    made: Doc = {
        "schema": "winnow.report/1",
        "engine_version": "1",
        "control": CONTROL,
        "variants": list(ARMS),
        "alpha": 0.05,
        "stopping_rule": "always_valid",
        "family": "holm",
        "tuned_for_units": 5000,
        "units": 64_000,
        "units_mixed": 0,
        "units_outside": 0,
        "watermark_at": None,
        "overall": overall,
        "segments": list(segments),
        "findings": list(findings),
    }
    return {**made, **changes}


MEN_VISITS = metric_report(
    "visit",
    {CONTROL: (9638, 0.099813), MENS: (9558, 0.168968), WOMENS: (9622, 0.110892)},
    [
        comparison(MENS, 0.693, (0.508, 0.901), std_error=0.065),
        comparison(WOMENS, 0.111, (-0.023, 0.263), p=0.21),
        comparison(MENS, 0.524, (0.41, 0.66), baseline=WOMENS),
    ],
)
WOMEN_VISITS = metric_report(
    "visit",
    {CONTROL: (9519, 0.095808), MENS: (9568, 0.166388), WOMENS: (9647, 0.169794)},
    [comparison(MENS, 0.737, (0.543, 0.956)), comparison(WOMENS, 0.772, (0.575, 0.994))],
)
ELSE_VISITS = metric_report(
    "visit",
    {CONTROL: (2, 0.0), MENS: (2, 0.5), WOMENS: (1, 0.0)},
    [comparison(MENS, 0.0, None, p=NO_INTERVAL), comparison(WOMENS, 0.0, None, p=NO_INTERVAL)],
)
SPENT = metric_report(
    "spend",
    {CONTROL: (9638, 0.6954), MENS: (9558, 1.378), WOMENS: (9622, 1234.5)},
    [comparison(MENS, 0.982, (0.006, 3.746), p=NOT_IN_FAMILY), comparison(WOMENS, 0.4, (-0.3, 2.4), p=NOT_IN_FAMILY)],
)
RETURNED = metric_report(
    "returns",
    {CONTROL: (9638, 0.02), MENS: (9558, 0.021), WOMENS: (9622, 0.03)},
    [
        comparison(MENS, 0.01, (-0.02, 0.04), p=NOT_IN_FAMILY, guardrail="safe"),
        comparison(WOMENS, 0.5, (0.2, 0.9), p=NOT_IN_FAMILY, guardrail="harmed"),
    ],
)
WON = "Men’s e-mail wins for Bought men’s goods: Visits are 69% higher than with No e-mail (between 51% and 90%)."
TIED = "Women’s e-mail and Men’s e-mail both beat No e-mail for Bought women’s goods, but cannot be told apart yet."
EARLY = "Too early to say for Everyone else: No e-mail has 2 of the 100 customers needed."
FEW = [finding("few_units", "info", "No e-mail has 2 of the 100 customers needed")]


def mail_report(*, men: Mapping[str, Any] | None = None, **changes: Any) -> Doc:
    """A winner, a tie, and too few customers; `men` changes the first segment."""
    first = scope("men", "winner", WON, [MEN_VISITS, SPENT, RETURNED], variant=MENS, leaders=[MENS])
    segments = [
        {**first, **(men or {})},
        scope("women", "tied", TIED, [WOMEN_VISITS, SPENT, RETURNED], leaders=[WOMENS, MENS], units=28_734),
        scope("everyone", "too_early", EARLY, [ELSE_VISITS, SPENT, RETURNED], findings=FEW, units=5),
    ]
    overall = scope(None, "tied", "Both beat No e-mail.", [WOMEN_VISITS, SPENT, RETURNED], units=64_000)
    return report(segments, overall, **changes)


def small(outcome: str = "undecided", sentence: str = "No winner yet.", **changes: Any) -> Doc:
    """Everyone is one segment; every scope has the same primary metric."""
    one = scope("everyone", outcome, sentence, [WOMEN_VISITS], units=28_734, **changes)
    return report([one], {**one, "segment": None}, units=28_734)


def plain(**changes: Any) -> Definition:
    """The same e-mails for everyone."""
    return mail(**{"segments": (segment_plan("everyone", ""),), "metrics": USES[:1], **changes})


def section(html: str, name: str) -> str:
    """The words of one section of the page."""
    found = re.search(rf'<section class="[^"]*" aria-labelledby="{name}-title".*?</section>', html, re.S)
    assert found is not None, name
    return text_of(found[0]).replace("\N{NO-BREAK SPACE}", " ")
