"""The demo's customers are like the real ones, and its judgement of verdicts is right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from experiments.cli.demo.customers import VISIT_RATES, Customer, Simulated, group_of
from experiments.cli.demo.setup import from_plan, spring_email
from experiments.cli.demo.show import judge
from experiments.domain.errors import Unauthenticated
from experiments.domain.segment import Segment
from experiments.services.replaying.plan import read_plan
from experiments.services.sign_in import make_token, read_token
from tests.unit.replaying.replays import PLAN

MANY = Simulated(count=40_000, seed=7)


def test_customers_have_the_shares_of_the_real_ones() -> None:
    """28,818, 28,734 and 6,448 of the 64,000; 4 standard errors of 40,000 draws are below one point."""
    crowd = list(MANY.customers())
    groups = Counter(group_of(customer.attributes) for customer in crowd)
    assert groups["mens_only"] / MANY.count == pytest.approx(28_818 / 64_000, abs=0.01)
    assert groups["womens_only"] / MANY.count == pytest.approx(28_734 / 64_000, abs=0.01)
    assert groups["both"] / MANY.count == pytest.approx(6_448 / 64_000, abs=0.01)
    assert len({customer.unit_id for customer in crowd}) == MANY.count


@pytest.mark.parametrize("group", VISIT_RATES)
@pytest.mark.parametrize("variant", ["no_email", "mens_email", "womens_email"])
def test_customers_visit_at_the_published_rates(group: str, variant: str) -> None:
    flags = {"mens_only": (1, 0), "womens_only": (0, 1), "both": (1, 1)}[group]
    attributes = dict(zip(("mens", "womens"), flags, strict=True))
    drawn = [MANY.outcomes(Customer(unit_id=f"c{number}", attributes=attributes), variant) for number in range(20_000)]
    visits = sum(1 for outcomes in drawn if ("visit", None) in outcomes)
    purchases = [value for outcomes in drawn for name, value in outcomes if name == "purchase" and value is not None]
    assert visits / len(drawn) == pytest.approx(VISIT_RATES[group][variant], abs=0.0135)
    assert all(29.99 <= value <= 499 for value in purchases)
    assert 0.03 <= len(purchases) / visits <= 0.10


def test_the_same_seed_gives_the_same_customers_and_outcomes() -> None:
    first, again = Simulated(count=50, seed=1), Simulated(count=50, seed=1)
    assert list(first.customers()) == list(again.customers())
    assert list(first.customers()) != list(Simulated(count=50, seed=2).customers())
    for customer in first.customers():
        assert first.outcomes(customer, "mens_email") == again.outcomes(customer, "mens_email")


@pytest.mark.parametrize(
    ("outcome", "variant", "leaders", "judged"),
    [
        ("winner", "b", ["b"], "right"),
        ("winner", "c", ["c"], "wrong"),
        ("tied", None, ["c", "b"], "right"),
        ("tied", None, ["c", "a"], "wrong"),
        ("control_wins", "a", ["a"], "wrong"),
        ("undecided", None, ["c"], "open"),
        ("too_early", None, [], "open"),
    ],
)
def test_a_verdict_is_judged_by_the_truth(outcome: str, variant: str | None, leaders: list[str], judged: str) -> None:
    scope: dict[str, Any] = {"verdict": {"outcome": outcome, "variant": variant, "leaders": leaders}}
    assert judge(scope, {"a": 0.1, "b": 0.2, "c": 0.15}) == judged


def test_segments_of_the_setup_are_the_groups_of_the_truth() -> None:
    for body in spring_email().segments:
        assert Segment(**body).key in VISIT_RATES


def test_a_plan_becomes_bodies_without_what_is_left_open() -> None:
    setup = from_plan(read_plan(PLAN))
    assert setup.experiment["randomisation"] == "external"
    assert setup.experiment["segments"][0] == {"segment": "mens", "weights": {"old": 2, "new": 1}, "traffic_bp": 10_000}
    assert "layer" not in setup.experiment
    assert setup.metrics[0]["event_name"] == "visit"
    assert setup.variant_names == {"old": "Old", "new": "New"}


SECRET = "a secret of at least thirty-two characters"


def test_a_sign_in_token_names_its_key_and_nonce() -> None:
    assert read_token(SECRET, make_token(SECRET, "k1", "once"), 60) == ("k1", "once")


@pytest.mark.parametrize(
    ("secret", "token", "seconds"),
    [
        ("another secret", make_token(SECRET, "k1", "once"), 60),
        (SECRET, make_token(SECRET, "k1", "once") + "x", 60),
        (SECRET, make_token(SECRET, "k1", "once"), -1),
        (SECRET, "", 60),
    ],
    ids=["another secret", "changed", "too old", "empty"],
)
def test_any_other_token_is_refused(secret: str, token: str, seconds: int) -> None:
    with pytest.raises(Unauthenticated):
        read_token(secret, token, seconds)
