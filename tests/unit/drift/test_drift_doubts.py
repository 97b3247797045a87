"""Drift that variants have made, drift that they have not, and what cannot be told."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from analysis.quality.moves import moving_differs
from experiments.domain.definition import Randomisation, Variant
from experiments.domain.metric import MetricRole
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.drift.counts import SegmentDrift
from experiments.services.drift.document import document_of
from tests.stats.builders import plan as stats_plan
from tests.unit.drift.shop import LOYAL, NEW, Customer, Shop, codes, play, rows


def planted(shop: Shop, seed: int, chance: Mapping[str, float]) -> dict[str, Any]:
    """Everybody was new; who was given a variant has become loyal with that chance."""
    draw = random.Random(seed)
    people = [
        Customer(unit_id=f"u{number}", variant=variant, then="new", now=now, visited=False)
        for number in range(2_000)
        for variant in draw.choice("ab")
        for now in ["loyal" if draw.random() < chance[variant] else "new"]
    ]
    play(shop, people)
    return shop.drift()


def test_a_variant_that_moves_people_is_told(shop: Shop) -> None:
    shop.start()
    document = planted(shop, 3, {"a": 0.10, "b": 0.20})
    [warning] = [one for one in document["findings"] if one["severity"] == "warning"]
    assert (warning["code"], warning["segment"]) == ("variant_moves_units", "new")
    row = rows(document)["new"]
    (old, fresh) = row["variants"]
    assert f"{fresh['moved']:,} moved" in warning["message"] or f"{old['moved']:,} moved" in warning["message"]
    assert row["test"]["p_value"] < 1e-6
    assert "moved_after_exposure" in codes(document)


def test_a_variant_that_takes_no_part_is_not_blamed() -> None:
    """Of 10 who were given c all moved, which is furthest off; but c expects too few moves to be compared."""
    asked = stats_plan(variants=("a", "b", "c"))
    sizes = [1_000, 1_000, 10]
    test = moving_differs([sizes], [[60, 140, 10]])
    row = SegmentDrift(
        segment=asked.segments[0],
        units=2_010,
        stayed=1_800,
        unknown=0,
        in_none=210,
        moved_to={},
        known=(1_000, 1_000, 10),
        test=test,
    )
    document = document_of(asked, [row], {}, edited=False, at_exposure=None, at_present=None, skipped=None)
    [warning] = [one for one in document["findings"] if one["code"] == "variant_moves_units"]
    assert "140 moved" in warning["message"] or "60 moved" in warning["message"]


def test_moving_that_has_nothing_to_do_with_variants_warns_of_nothing(shop: Shop) -> None:
    shop.start()
    document = planted(shop, 4, {"a": 0.20, "b": 0.20})
    assert codes(document) == ["moved_after_exposure"]
    assert rows(document)["new"]["test"]["p_value"] > 0.01


def test_what_profiles_cannot_tell_is_said_by_segment(shop: Shop) -> None:
    """Loyal comes first and is known; who is on a phone is not, so nobody else's segment is either."""
    shop.start(segments=(SegmentWish(segment="loyal"), SegmentWish(segment="phone"), SegmentWish(segment="new")))
    for unit, segment in (("u1", "loyal"), ("u2", "phone"), ("u3", "new"), ("u4", "everyone"), ("u5", "loyal")):
        shop.show(unit, "a", segment)
    shop.know({"u1": LOYAL, "u2": LOYAL, "u3": NEW, "u4": LOYAL, "u5": NEW})
    document = shop.drift()
    assert [(one["segment"], one["code"]) for one in document["hidden"]] == [
        ("phone", "needs_request"),
        ("new", "behind_hidden"),
        ("everyone", "behind_hidden"),
    ]
    assert "device, which profiles do not hold" in document["hidden"][0]["message"]
    assert "those who are not in “" in document["hidden"][1]["message"]
    found = {key: (row["stayed"], row["moved"], row["unknown"]) for key, row in rows(document).items()}
    assert found == {"loyal": (1, 0, 1), "phone": (0, 1, 0), "new": (0, 0, 1), "everyone": (0, 1, 0)}


def test_where_only_requests_tell_nothing_is_counted(shop: Shop) -> None:
    shop.start(segments=(SegmentWish(segment="phone"), SegmentWish(segment="new")))
    shop.show("u1", "a", "phone")
    document = shop.drift()
    assert (document["skipped"]["code"], document["segments"], document["at_present"]) == ("all_hidden", [], None)
    assert [one["code"] for one in document["hidden"]] == ["needs_request", "behind_hidden", "behind_hidden"]


def test_one_segment_has_nowhere_to_go(shop: Shop) -> None:
    shop.start(segments=(SegmentWish(segment="everyone"),))
    shop.show("u1", "a", "everyone")
    assert shop.drift()["skipped"]["code"] == "one_segment"


def test_of_too_many_units_no_profile_is_read(shop: Shop) -> None:
    shop.start()
    for number in range(11):
        shop.show(f"u{number}", "a", "new")
    assert shop.drift(most_units=10)["skipped"]["code"] == "too_many_units"
    assert shop.drift(most_units=11)["skipped"] is None


def test_segments_that_an_edit_removed_or_changed_are_told(shop: Shop) -> None:
    shop.start()
    shop.show("u1", "a", "loyal")
    shop.show("u2", "a", "new")
    shop.clock.advance(hours=1)
    wish = ExperimentWish(
        key="banner",
        name="Banner",
        variants=(Variant(key="a", name="Old", is_control=True), Variant(key="b", name="Fresh")),
        segments=(SegmentWish(segment="new"),),
        metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
        randomisation=Randomisation.EXTERNAL,
    )
    shop.winnow.author.edit("banner", wish, expected_revision=2, actor="ann")
    shop.show("u3", "b", "everyone", version=2)
    shop.know({"u1": NEW, "u2": LOYAL, "u3": NEW})
    document = shop.drift()
    found = {key: (row["stayed"], row["moved"], row["unknown"]) for key, row in rows(document).items()}
    assert found == {"new": (0, 1, 0), "everyone": (0, 1, 0), "loyal": (0, 0, 1)}
    assert [(one["segment"], one["code"]) for one in document["hidden"]] == [("loyal", "segment_removed")]
    assert "segments_edited" in codes(document)
