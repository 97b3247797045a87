"""In a layer, and with less than all traffic, shares are of those who take part: every page says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import SegmentPlan
from experiments.domain.layer import Layer, LayerClaim
from tests.http.pages_site import MENS, Site, segment_plan
from tests.http.promoted import AT_ONCE, PAGE, POLICY, proposed, running

HALF = (
    "Only 50% of its customers take part; the others see No e-mail. Of all in its layer “The checkout”, this "
    "experiment has 50%, 10% are held out of every experiment, 40% are for other experiments."
)
SPLIT = "5% No e-mail (holdback) 95% Men’s e-mail"
SEE = "95% of those who take part see it"


def in_layer(winnow: Winnow, *, share_bp: int = 5_000, holdout_bp: int = 1_000, traffic_bp: int = 10_000) -> Site:
    """A winner for men, in an experiment that has half of a layer."""
    layer = Layer(key="checkout", name="The checkout", salt="checkout", holdout_bp=holdout_bp)
    winnow.author.layers.create(layer, actor="test")
    site = Site(winnow)
    claim = LayerClaim(layer="checkout", share_bp=share_bp)
    running(site, AT_ONCE, layer=claim, segments=plans(traffic_bp))
    site.sign_in("read", "write")
    return site


def plans(traffic_bp: int) -> tuple[SegmentPlan, ...]:
    men = replace(segment_plan("men", "Bought men’s goods"), traffic_bp=traffic_bp)
    return men, segment_plan("women", "Bought women’s goods"), segment_plan("everyone", "")


def test_before_a_winner_goes_live_the_pages_say_who_takes_part(winnow: Winnow) -> None:
    site = in_layer(winnow)
    assert HALF in site.read(f"{PAGE}/promote/men")
    made = proposed(site)
    for path in ("/inbox", f"/promotions/{made.id}", PAGE):
        assert HALF in site.read(path)


def test_once_it_is_live_its_share_is_one_of_those_who_take_part(winnow: Winnow) -> None:
    site = in_layer(winnow)
    confirm = f"{PAGE}/promote/men"
    site.submit(confirm, confirm, variant=MENS)
    page = site.read(PAGE)
    assert "Some of them still see No e-mail, which is shown to be worse" in page
    assert f"Men’s e-mail for Bought men’s goods is live: {SEE}." in page
    assert f"{SEE}; 5% are held back with No e-mail until" in page
    assert f"{SPLIT} {HALF}" in page
    promotion = winnow.promoter.history(experiment="mail", state=None, after=None, limit=1).items[0]
    read = site.read(f"/promotions/{promotion.id}")
    assert f"{SEE}; 5% are held back" in read
    assert f"{SPLIT} {HALF}" in read


def test_on_its_way_too(winnow: Winnow) -> None:
    site = Site(winnow)
    running(site, replace(POLICY, quiet_hours=None), segments=plans(2_500))
    site.sign_in("read", "write")
    made = winnow.promoter.approve(proposed(site).id, actor="key:Ada", note="")
    page = site.read(f"/promotions/{made.id}")
    assert "50% of those who take part see it since" in page
    assert "Only 25% of its customers take part; the others see No e-mail." in page
    assert "layer" not in page


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        # 50% of the layer, and 20% of these: 10%
        (
            {"traffic_bp": 2_000},
            (
                "Only 10% of its customers take part; the others see No e-mail. Of all in its layer “The checkout”, "
                "this experiment has 50% (20% of these take part here), 10% are held out of every experiment, "
                "40% are for other experiments."
            ),
        ),
        (
            {"share_bp": 9_000},
            (
                "Only 90% of its customers take part; the others see No e-mail. Of all in its layer “The checkout”, "
                "this experiment has 90%, 10% are held out of every experiment."
            ),
        ),
        (
            {"holdout_bp": 0},
            "this experiment has 50%, 50% are for other experiments.",
        ),
    ],
    ids=["traffic, too", "all but the holdout", "no holdout"],
)
def test_layer_and_traffic_are_put_together(winnow: Winnow, parts: dict[str, int], said: str) -> None:
    assert said in in_layer(winnow, **parts).read(f"{PAGE}/promote/men")


def test_who_has_a_whole_layer_says_nothing_of_it(winnow: Winnow) -> None:
    site = in_layer(winnow, share_bp=10_000, holdout_bp=0)
    for path in (PAGE, f"{PAGE}/promote/men"):
        assert "take part" not in site.read(path)


@pytest.mark.parametrize(("holdout_bp", "but"), [(1_000, ", but for who is held out of its layer"), (0, "")])
def test_after_a_stop_only_a_holdout_is_excepted(winnow: Winnow, holdout_bp: int, but: str) -> None:
    site = in_layer(winnow, holdout_bp=holdout_bp)
    winnow.promoter.apply("mail", "men", note="", actor="key:Ada")
    winnow.author.step("mail", "stop", actor="test")
    assert f"Stopped: everybody sees Men’s e-mail{but}." in site.read(PAGE)
