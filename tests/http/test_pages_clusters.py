"""Clusters and discoveries: where marks stand, what is said of them, and that no proposal looks like a winner."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.dashboard.cluster_map import NARROW, WIDE, MapFrame, axis_words, cluster_map
from api.dashboard.cluster_page import again_words, apart_words, holds_words
from api.dashboard.stored.clusterings import Axis, CustomerMap, Place
from experiments.bootstrap import Winnow
from experiments.domain.study import Adoption, Study, StudyKind
from tests.http import segment_documents as made
from tests.http.pages_site import Site, mail

SLEEPERS = {"recency_days": {"$gt": 90}}
BUYERS = {"orders": {"$gt": 3}, "recency_days": {"$lte": 90, "$exists": True}}


def cluster(key: str, units: int, condition: made.Doc | None, **changes: Any) -> made.Doc:
    fidelity = {"units": 900, "agreement": 0.972, "precision": 0.95, "recall": None if condition is None else 0.931}
    return {
        "key": key,
        "units": units,
        "share": units / 3_000,
        "typical": {"recency_days": 200.0, "orders": 2.0},
        "stability": 0.93,
        "condition": condition,
        "fidelity": None if condition is None else fidelity,
        "refusal": None,
        "sentence": "",
        **changes,
    }


def clustering(**changes: Any) -> made.Doc:
    return {
        "schema": "winnow.clustering/1",
        "outcome": "clusters",
        "message": "3 clusters of 2,980 customers.",
        "attributes": ["recency_days", "orders"],
        "units": 3_000,
        "incomplete": 20,
        "silhouette": 0.41,
        "adjusted_rand": 0.93,
        "rules_right": 0.965,
        "groups": [cluster("c1", 2_000, SLEEPERS), cluster("c2", 971, BUYERS), cluster("c3", 9, None, stability=0.4)],
        "movement": None,
        "chart": {
            "axes": [{"share": 0.7, "loadings": {"orders": 0.9, "recency_days": -0.43}}, {"share": 0, "loadings": {}}],
            "centres": [{"key": "c1", "x": -1.0, "y": 0.0}, {"key": "c2", "x": 1.0, "y": 0.5}],
            "points": [{"key": "c1", "x": -2.0, "y": 0.0}, {"key": "c2", "x": 2.0, "y": 1.0}],
        },
        "notes": ["The clusters lie close together."],
        **changes,
    }  # fmt: skip


def nothing() -> made.Doc:
    empty = dict.fromkeys(("silhouette", "adjusted_rand", "rules_right", "movement", "chart"))
    return clustering(outcome="no_structure", message="One lump.", groups=[], notes=[], **empty)


def leaf(key: str, *, proposed: bool, **changes: Any) -> made.Doc:
    return {
        "key": key,
        "treatment": "womens",
        "condition": {"womens": True},
        "units": 8_840,
        "share": 0.414,
        "effect": 0.0741,
        "effect_interval": {"low": 0.0581, "high": 0.0902},
        "outside": 0.0121,
        "difference": 0.062,
        "difference_interval": {"low": 0.0402, "high": 0.0838},
        "p_value": 1e-7,
        "p_adjusted": 0.0004,
        "proposed": proposed,
        "units_needed": 3_921,
        "units_needed_at_worst": 9_322,
        "refusal": None,
        "sentence": "",
        **changes,
    }


def discovery(*leaves: made.Doc, **changes: Any) -> made.Doc:
    return {
        "schema": "winnow.discovered/1",
        "outcome": "proposals",
        "message": "In one segment of mail Visits may move otherwise than elsewhere.",
        "metric": {"key": "visit", "name": "Visits", "kind": "conversion", "direction": "increase"},
        "look": 1,
        "units": 42_613,
        "comparisons": [{"treatment": "womens", "message": "One group differs from the rest."}],
        "groups": list(leaves),
        "notes": ["Proposals for the next experiment, never winners."],
        **changes,
    }


def store(site: Site, name: str, document: made.Doc, kind: StudyKind = StudyKind.CLUSTERING, version: int = 1) -> None:
    now = site.winnow.clock()
    with site.winnow.open_unit_of_work() as work:
        work.studies.add(Study(kind=kind, name=name, version=version, made_at=now, made_by="ada", document=document))
        work.commit()


@pytest.mark.parametrize("frame", [WIDE, NARROW], ids=["wide", "narrow"])
def test_both_axes_have_one_scale_so_that_near_is_alike(frame: MapFrame) -> None:
    axis = Axis(share=0.5, loadings={"a": 1.0})
    points = tuple(Place(key="c1", x=x, y=y) for x, y in ((0.0, 0.0), (4.0, 0.0), (0.0, 2.0)))
    chart = CustomerMap(axes=(axis, axis), centres=(Place(key="c1", x=2.0, y=1.0),), points=points)
    plot = cluster_map(chart, ["c1"], {}, frame)
    assert plot is not None
    starts = [re.match(r"M([\d.]+) ([\d.]+)a4 4", mark.path) for mark in plot.marks]
    (x0, y0), (x1, y1), (x2, y2) = ((float(found[1]) + 4, float(found[2])) for found in starts if found)
    assert y1 == y0
    assert x2 == x0
    assert y0 - y2 == pytest.approx((x1 - x0) / 2, abs=0.2)
    assert (x0 + x1) / 2 == pytest.approx((frame.left + frame.right) / 2, abs=0.2)
    assert plot.centres[0].x == pytest.approx((x0 + x1) / 2, abs=0.1)
    assert frame.left < x0 < x1 < frame.right
    assert frame.top < y2 < y0 < frame.bottom


def test_clusters_differ_by_shape_and_not_by_colour_alone() -> None:
    axis = Axis(share=0.5, loadings={})
    keys = [f"c{place}" for place in range(8)]
    chart = CustomerMap(axes=(axis, axis), centres=(), points=tuple(Place(key=key, x=0, y=0) for key in keys))
    plot = cluster_map(chart, keys, {}, WIDE)
    assert plot is not None
    assert len({mark.path for mark in plot.marks}) == 8
    assert cluster_map(CustomerMap(axes=(axis, axis), centres=(), points=()), [], {}, WIDE) is None


def test_axes_are_told_in_words() -> None:
    axis = Axis(share=0.7, loadings={"orders": 0.8, "days": -0.5, "age": 0.1})
    assert axis_words(axis, {"days": "days since"}) == "more orders, less days since"
    assert axis_words(Axis(share=0, loadings={}), {}) == ""


def test_figures_are_told_in_words() -> None:
    assert "stand apart" in apart_words(0.5)
    assert "a useful way to cut" in apart_words(0.49)
    assert "run into each other" in apart_words(0.24)
    assert "nearly the same" in again_words(0.9)
    assert "rather different" in again_words(0.79)
    assert [holds_words(at).split()[1] for at in (0.75, 0.74, 0.49)] == ["holds", "wavers", "dissolves"]
    assert (apart_words(None), again_words(None)) == ("", "")


def test_a_clustering_tells_its_rules_and_how_well_they_stand_for_it(site: Site) -> None:
    store(site, "habits", clustering())
    said = site.read("/clusters/habits")
    assert "3 clusters of 2,980 customers." in said
    assert "3,000 customers by recency_days and orders; 20 of them lack one of these" in said
    assert "a useful way to cut, rather than separate kinds of customers (silhouette 0.41 of 1)" in said
    assert "For 96.5% of customers that the rules had not seen, exactly the right rule holds." in said
    assert "c1 2,000 customers, 66.7% recency_days is above 90" in said
    assert "say the same of 97.2% of customers. Of those whom the rule takes, 95% are of the cluster" in said
    assert "c3 under 30 customers, too few to say which share No rule stands for this cluster" in said
    assert "It dissolves when customers are left out (0.40 of 1)." in said
    assert "Further right : more orders, less recency_days" in said
    assert "Further up" not in said


def test_versions_and_who_moved(site: Site) -> None:
    movement = {
        "from_version": 1, "old": ["c1", "c2"], "new": ["c1", "c4"], "table": [[1_900, 12], [0, 988]], "units": 2_900,
        "moved": 0.0041, "moved_units": 12, "appeared": ["c4"], "vanished": ["c2"],
    }  # fmt: skip
    store(site, "habits", clustering())
    store(site, "habits", clustering(movement=movement), version=2)
    said = site.read("/clusters/habits")
    assert "Of today’s 2,900 customers, under 30 are in another cluster than by version 1." in said
    assert "New: c4. Gone: c2." in said
    assert "By the old clusters now c1 now c4 c1 1,900 under 30 c2 0 988" in said
    assert "Version 1 5 Jan 2026" in site.read("/clusters/habits?version=1")
    assert "There is nothing here" in site.read("/clusters/habits?version=3", 404)
    assert "There is nothing here" in site.read("/clusters/habits?version=x", 404)


def test_no_clusters_is_an_answer(site: Site) -> None:
    store(site, "habits", nothing())
    page = site.get("/clusters/habits")
    assert "There are no clusters" in page
    assert "One lump." in page
    assert '<path class="cluster' not in page
    assert "One lump." in site.read("/clusters")


def test_segments_that_were_made_of_it_say_how_they_stand(site: Site) -> None:
    store(site, "habits", clustering())
    made.add_segment(site.winnow, "sleepers", "Sleepers", SLEEPERS)
    with site.winnow.open_unit_of_work() as work:
        work.studies.adopt(
            Adoption(
                segment="sleepers", kind=StudyKind.CLUSTERING, name="habits", version=1, group="c1",
                adopted_at=site.winnow.clock(), adopted_by="ada",
            )
        )  # fmt: skip
        work.commit()
    assert "sleepers of c1, version 1: as the newest version has it" in site.read("/clusters/habits")


def test_a_discovery_is_for_the_next_experiment(site: Site) -> None:
    site.add(mail())
    uncertain = leaf("v1-2", proposed=True, units_needed_at_worst=None, condition={"age": {"$gt": 40}})
    store(site, "mail", discovery(leaf("v1-1", proposed=True), uncertain), StudyKind.DISCOVERY)
    page, said = site.get("/discoveries"), site.read("/discoveries")
    assert page.count('<span class="chip step-proposed">For the next experiment, never a winner</span>') == 2
    assert "Which newsletter for whom?" in said
    assert "womens is yes 8,840 customers, 41.4% of those compared; Women’s e-mail against No e-mail" in said
    assert "Visits, here +7.41\xa0points +5.81 to +9.02\xa0points".replace("\xa0", " ") in said.replace("\xa0", " ")
    assert "Elsewhere +1.21" in said
    assert "about 9,400 customers about 4,000 customers would do if it were as large as it looks" in said
    assert "not known: the difference may be nothing at all" in said
    assert "wins" not in said
    assert "first look" not in said


def test_a_second_look_says_what_it_costs(site: Site) -> None:
    store(site, "mail", discovery(leaf("v2-1", proposed=True), look=2), StudyKind.DISCOVERY)
    assert "It was not the first look: each further one makes it likelier" in site.read("/discoveries")


def test_nothing_found_is_told_with_what_was_looked_at(site: Site) -> None:
    message = "Nothing was found. Effects do not differ."
    document = discovery(leaf("v1-1", proposed=False, units=12), message=message, outcome="nothing")
    store(site, "gone", document, StudyKind.DISCOVERY)
    page, said = site.get("/discoveries"), site.read("/discoveries")
    assert message in said
    assert "/experiments/gone" not in page  # there is no such experiment any more
    assert "under 30 customers, too few to say which share too few to say too few to say" in said
    assert "step-proposed" not in page


def test_empty_lists_say_how_to_begin(site: Site) -> None:
    assert "Nothing was learnt yet" in site.read("/clusters")
    assert "Nobody has looked yet" in site.read("/discoveries")
    for path in ("/clusters", "/discoveries"):
        assert "That was the last one" in site.read(f"{path}?after=z")
    assert 'href="/clusters"' in site.get("/segments")


def test_hostile_words_stay_words(site: Site) -> None:
    evil = "<script>alert(1)</script>"
    bad = cluster("c1", 100, {evil: evil}, typical={evil: 1.0})
    store(site, "habits", clustering(groups=[bad], message=evil, attributes=[evil], notes=[evil], chart=None))
    store(site, "mail", discovery(leaf(evil, proposed=True, condition={evil: evil}), message=evil), StudyKind.DISCOVERY)
    for path in ("/clusters", "/clusters/habits", "/discoveries"):
        assert "<script>alert" not in site.get(path)


def test_strangers_sign_in_first(winnow: Winnow) -> None:
    stranger = Site(winnow)
    for path in ("/clusters", "/clusters/habits", "/discoveries"):
        assert stranger.client.get(path).status_code == 303
