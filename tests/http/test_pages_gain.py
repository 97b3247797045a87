"""What came of a promotion: said, in figures and in a picture, with what is sure of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.dashboard.gain import Measure, how_sure
from api.dashboard.gain_plot import NARROW, WIDE, gain_plot
from experiments.bootstrap import Winnow
from tests.http.pages_site import Site, tag
from tests.http.promoted import (
    AT_ONCE,
    FALLING,
    address,
    approved,
    measured,
    own_report,
    running,
)

RISES = Measure(metric="Visits", control="No e-mail", rises=True)
FALLS = replace(RISES, rises=False)


def test_before_anything_is_measured_nothing_is_concluded(at_once: Site) -> None:
    at_once.sign_in("read")
    page = at_once.read(address(approved(at_once)))
    assert "Nothing has been measured since it went live." in page
    # 0.693 − 0.065² / 0.693 = 0.693 − 0.0061 = 0.6869
    assert "Predicted +68.7%" in page
    assert "Measured since it went live nothing yet" in page
    assert "What it was proposed on Men’s e-mail wins for Bought men’s goods" in page


@pytest.mark.parametrize(
    ("lift", "ends", "answer", "tone"),
    [
        (0.61, (0.2, 1.1), "It keeps winning: it is surely better than No e-mail.", "better"),
        (
            0.06,
            (0.01, 0.11),
            "It keeps winning: it is surely better than No e-mail. It surely gains less than was predicted.",
            "better",
        ),
        (
            0.9,
            (0.8, 1.1),
            "It keeps winning: it is surely better than No e-mail. It surely gains more than was predicted.",
            "better",
        ),
        (0.3, (-0.15, 0.8), "Too early to say: it may be better or worse than No e-mail.", "open"),
        (
            0.02,
            (-0.15, 0.2),
            "Too early to say: it may be better or worse than No e-mail. It surely gains less than was predicted.",
            "open",
        ),
        (-0.02, (-0.035, -0.01), "It is surely worse than No e-mail, but within what its rules allow.", "worse"),
        (-0.2, (-0.3, -0.06), "It surely does worse than its rules allow.", "worse"),
    ],
    ids=["better", "better, less", "better, more", "open", "open, less", "worse", "lost"],
)
def test_what_it_came_to_is_said_and_no_more(
    winnow: Winnow, lift: float, ends: tuple[float, float], answer: str, tone: str
) -> None:
    site = running(Site(winnow), replace(AT_ONCE, revert_below_lift=-0.05))
    site.sign_in("read")
    made = approved(site)
    measured(site, made, lift, ends)
    assert tag(site.get(address(made)), r'<p class="proposal-lead realised-(\w+)">([^<]*)</p>') == [(tone, answer)]


def test_what_it_came_to_is_told_in_figures(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, 0.061, (0.012, 0.11), units=(240, 4_600))
    page = at_once.read(address(made))
    for words in (
        "Predicted +68.7% Visits against No e-mail; a little less than was seen: winners were also lucky.",
        "Measured since it went live +6.1%, between +1.2% and +11.0%",
        "A 95% interval against those who saw No e-mail meanwhile, right however often one looks. 240 with No e-mail",
        "4,600 with Men’s e-mail.",
        "Taken back by itself until it is kept, as soon as it is surely worse than No e-mail, or harms a guardrail",
        "Guardrail Returns with Men’s e-mail: safe",
        "held back with No e-mail until 23 Feb 2026, 09:00 UTC. As of now: The holdback measures until 23 Feb 2026,",
    ):
        assert words in page
    html = at_once.get(address(made))
    assert html.count("Predicted: +68.7%. Measured: +6.1%, between +1.2% and +11.0%. Taken back at 0.0%.</desc>") == 2


def test_of_a_metric_that_shall_fall_the_picture_is_turned(winnow: Winnow) -> None:
    site = running(Site(winnow), replace(AT_ONCE, revert_below_lift=-0.02), metrics=FALLING)
    doc = own_report()
    for scope in doc["segments"]:
        scope["metrics"] = scope["metrics"][:1]
    comparison = doc["segments"][0]["metrics"][0]["comparisons"][0]
    comparison["lift"]["value"] = -0.2
    comparison["lift_in_family"] = {**comparison["lift_in_family"], "low": -0.3, "high": -0.1}
    site.store({**doc, "segment_comparisons": []})
    site.sign_in("read")
    made = approved(site)
    measured(site, made, -0.1, (-0.15, -0.05))
    page = site.read(address(made))
    assert "It keeps winning: it is surely better than No e-mail. It surely gains less than was predicted." in page
    # 0.2 − 0.065² / 0.2 = 0.2 − 0.0211 = 0.1789
    assert "Predicted −17.9%" in page
    assert "Measured since it went live −10.0%, between −15.0% and −5.0%" in page
    assert "taken back above +2.0%" in page


def test_what_cannot_be_trusted_is_not_drawn(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, 0.4, (0.3, 0.5), critical="Group sizes are off.")
    page = at_once.read(address(made))
    assert "Do not trust what was measured since: Group sizes are off." in page
    assert "Measured since it went live nothing yet" in page
    assert "+40.0%" not in page


def test_a_guardrail_that_breaks_is_in_sight(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, 0.061, (0.012, 0.11), guardrail="harmed")
    page = at_once.read(address(made))
    assert "Guardrail Returns with Men’s e-mail: harmed beyond the margin" in page
    assert "As of now: It harms a guardrail metric beyond what is tolerated." in page


@pytest.mark.parametrize(
    ("measure", "numbers", "said"),
    [
        (RISES, (0.041, 0.012, 0.08), "+4.1%, surely above +1.2%"),
        (FALLS, (0.041, 0.012, 0.08), "−4.1%, surely below −1.2%"),
        (RISES, (0.041, -0.012, 0.08), "+4.1%, but anything between −1.2% and +8.0% is possible"),
        (FALLS, (0.041, -0.012, 0.08), "−4.1%, but anything between −8.0% and +1.2% is possible"),
        (RISES, (0.041, -0.012, None), "+4.1%, but perhaps no more than −1.2%"),
        (RISES, (0.041, None, None), "+4.1%; how sure is not known"),
        (RISES, (None, None, None), "Not known yet"),
        (RISES, (0.041, 0.0, 0.08), "+4.1%, surely above 0.0%"),
    ],
)
def test_a_gain_is_said_with_what_is_sure_of_it(
    measure: Measure, numbers: tuple[float | None, float | None, float | None], said: str
) -> None:
    assert how_sure(measure, *numbers) == said


def test_the_picture_puts_everything_on_one_axis() -> None:
    plot = gain_plot(predicted=0.04, realised=(0.02, -0.01, 0.05), threshold=0.0, rises=True, frame=WIDE)
    assert plot is not None
    assert plot.realised is not None
    assert [tick.label for tick in plot.ticks] == ["−1%", "0%", "+1%", "+2%", "+3%", "+4%", "+5%"]
    assert plot.threshold == next(tick.x for tick in plot.ticks if tick.is_zero) == 305.0
    assert (plot.predicted, plot.realised.low, plot.realised.point, plot.realised.high) == (845.0, 170.0, 575.0, 980.0)
    assert (plot.realised.cut_low, plot.realised.cut_high) == (False, False)
    assert plot.predicted_y < plot.realised_y < plot.bottom < plot.height


def test_the_words_at_the_threshold_stand_on_its_worse_side_where_there_is_room() -> None:
    wide = gain_plot(predicted=0.04, realised=(0.02, -0.01, 0.05), threshold=0.0, rises=True, frame=WIDE)
    narrow = gain_plot(predicted=0.04, realised=(0.02, -0.01, 0.05), threshold=0.0, rises=True, frame=NARROW)
    falls = gain_plot(predicted=-0.04, realised=(-0.02, -0.05, 0.01), threshold=0.0, rises=False, frame=WIDE)
    assert wide is not None
    assert narrow is not None
    assert falls is not None
    assert (wide.threshold_anchor, wide.threshold_label_x) == ("end", 299.0)
    assert narrow.threshold_anchor == "start"
    assert falls.threshold_anchor == "start"


def test_an_end_beyond_the_axis_gets_an_arrow() -> None:
    plot = gain_plot(predicted=0.01, realised=(0.01, -0.5, 9.0), threshold=0.0, rises=True, frame=WIDE)
    assert plot is not None
    assert plot.realised is not None
    assert plot.realised.cut_high


def test_without_a_number_there_is_no_picture() -> None:
    assert gain_plot(predicted=None, realised=None, threshold=0.0, rises=True, frame=WIDE) is None
    alone = gain_plot(predicted=0.03, realised=None, threshold=0.0, rises=True, frame=NARROW)
    assert alone is not None
    assert alone.realised is None
