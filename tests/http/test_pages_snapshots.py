"""Earlier snapshots of an experiment, and segments that came and went between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.http.pages_site import (
    EARLY,
    WON,
    Site,
    mail,
    mail_report,
    segment_plan,
    small,
    tag,
)

PAGE = "/experiments/mail"


def test_an_earlier_snapshot_can_be_read_and_says_that_it_is_one(judged: Site) -> None:
    judged.store(small(sentence="Newer."), at=judged.winnow.clock())
    rows = judged.read(f"{PAGE}/snapshots")
    assert rows.index("5 Jan 2026, 09:00 UTC") < rows.index("5 Jan 2026, 08:48 UTC")
    assert "Bought men’s goods: Men’s e-mail" in rows
    assert 'href="/experiments/mail?snapshot=1"' in judged.get(f"{PAGE}/snapshots")
    page = judged.read(f"{PAGE}?snapshot=1")
    assert "You are looking at an earlier snapshot (number 1)." in page
    assert WON in page
    assert "may go live" not in page
    assert "You are looking at an earlier snapshot" not in judged.read(f"{PAGE}?snapshot=2")


def test_snapshots_are_walked_page_by_page(judged: Site) -> None:
    for _ in range(20):
        judged.store(mail_report())
    first = judged.get(f"{PAGE}/snapshots")
    older = tag(first, r'href="([^"]+after=\d+)"')
    assert first.count("snapshot=") == 20
    assert judged.get(older[0]).count("snapshot=") == 1


@pytest.mark.parametrize("snapshot", ["99", "0", "-1", "x", "1e3", "9" * 30, ""])
def test_a_snapshot_that_is_not_there_is_not_replaced_by_another(judged: Site, snapshot: str) -> None:
    assert "There is nothing here" in judged.read(f"{PAGE}?snapshot={snapshot}", 404)


def test_a_segment_without_traffic_takes_no_part_and_is_not_waited_for(site: Site) -> None:
    *listed, last = mail().segments
    site.add(mail(segments=(*listed, replace(last, traffic_bp=0))))
    document = mail_report()
    segments = [{**one, "units": 0} if one["segment"] == "everyone" else one for one in document["segments"]]
    site.store({**document, "segments": segments})
    said = site.read(PAGE)
    assert "Takes no part It has no traffic, so nothing is found out about it here." in said
    assert "Nobody of this segment takes part: all see No e-mail." in said
    assert EARLY not in said


def test_segments_added_since_the_analysis_wait_for_the_next_one(site: Site) -> None:
    site.add(mail())
    doc = mail_report()
    site.store({**doc, "segments": [doc["segments"][0], doc["segments"][2]]})
    page = site.read(PAGE)
    assert "Bought women’s goods No data yet Its first numbers come with the next analysis." in page


def test_segments_that_left_the_experiment_are_told_as_such(site: Site) -> None:
    site.add(mail(segments=(segment_plan("women", "Bought women’s goods"), segment_plan("everyone", ""))))
    site.store(mail_report())
    assert "men Not part of the experiment any more · 28,818 customers Winner" in site.read(PAGE)
