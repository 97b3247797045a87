"""Studies, what was made of them, and imported lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.errors import InvalidInput, NotFound, RevisionMismatch
from experiments.domain.study import Adoption, Study, StudyKind
from experiments.services.studies.ports import ImportedList

CLUSTERING, DISCOVERY = StudyKind.CLUSTERING, StudyKind.DISCOVERY
DOCUMENT = {"z": [0.1 + 0.2, None, "Größe"], "outcome": "clusters", "groups": [], "a": {"tiny": 1e-300}}


@pytest.fixture
def study(now):
    def build(name="habits", version=1, **changes):
        one = Study(kind=CLUSTERING, name=name, version=version, made_at=now, made_by="ada", document=DOCUMENT)
        return replace(one, **changes)

    return build


def test_versions_come_back_equal_and_the_newest_first(do, study):
    for one in (study(), study(version=2, made_by="bob"), study(kind=DISCOVERY, version=9)):
        do(lambda work, one=one: work.studies.add(one))
    found = do(lambda work: work.studies.get(CLUSTERING, "habits"))
    assert found == study(version=2, made_by="bob")
    assert list(found.document) == list(DOCUMENT)
    assert do(lambda work: work.studies.get(CLUSTERING, "habits", 1)) == study()
    page = do(lambda work: work.studies.versions(CLUSTERING, "habits", after=None, limit=1))
    assert ([one.version for one in page.items], page.next_after) == ([2], "2")
    rest = do(lambda work: work.studies.versions(CLUSTERING, "habits", after="2", limit=1))
    assert ([one.version for one in rest.items], rest.next_after) == ([1], None)
    assert do(lambda work: work.studies.versions(CLUSTERING, "none", after=None, limit=9)).items == ()


@pytest.mark.parametrize(("name", "version"), [("none", None), ("habits", 2), ("habits", 2**70)])
def test_what_is_not_there(do, study, name, version):
    do(lambda work: work.studies.add(study()))
    with pytest.raises(NotFound) as refusal:
        do(lambda work: work.studies.get(CLUSTERING, name, version))
    assert refusal.value.code == "clustering_not_found"


def test_the_newest_of_each_in_order_of_name(do, study):
    for one in (study("b"), study("Z"), study("b", 2), study("a", 7), study("c", kind=DISCOVERY)):
        do(lambda work, one=one: work.studies.add(one))
    first = do(lambda work: work.studies.page(CLUSTERING, after=None, limit=2))
    assert [(one.name, one.version) for one in first.items] == [("Z", 1), ("a", 7)]
    second = do(lambda work: work.studies.page(CLUSTERING, after=first.next_after, limit=2))
    assert [(one.name, one.version) for one in second.items] == [("b", 2)]
    assert second.next_after is None
    with pytest.raises(InvalidInput):
        do(lambda work: work.studies.page(CLUSTERING, after="no key!", limit=2))


def test_of_two_who_store_a_version_one_does(do, study):
    do(lambda work: work.studies.add(study()))
    with pytest.raises(RevisionMismatch):
        do(lambda work: work.studies.add(study(made_by="eve")))
    assert do(lambda work: work.studies.get(CLUSTERING, "habits")).made_by == "ada"


def test_a_segment_is_made_of_one_thing(do, now):
    made = Adoption(
        segment="sleepers", kind=CLUSTERING, name="habits", version=1, group="c2", adopted_at=now, adopted_by="ada"
    )
    later = replace(made, version=2, adopted_by="bob", adopted_at=now + timedelta(days=1))
    for one in (made, replace(made, segment="buyers", group="c1"), replace(made, segment="x", name="other"), later):
        do(lambda work, one=one: work.studies.adopt(one))
    found = do(lambda work: work.studies.adoptions(CLUSTERING, "habits"))
    assert found == (replace(made, segment="buyers", group="c1"), later)
    assert do(lambda work: work.studies.adoption("sleepers")) == later
    assert do(lambda work: work.studies.adoption("nobody")) is None
    assert do(lambda work: work.studies.adoptions(DISCOVERY, "habits")) == ()


def test_lists_are_replaced(do, now):
    first = ImportedList(key="vip", at=now, digest="1" * 64, units=3, started_by="ada")
    assert do(lambda work: work.lists.get("vip")) is None
    do(lambda work: work.lists.put(first))
    assert do(lambda work: work.lists.take("vip")) == first
    done = replace(first, digest="2" * 64, units=2**40, finished_at=now + timedelta(seconds=1))
    do(lambda work: work.lists.put(done))
    assert do(lambda work: work.lists.get("vip")) == done


def test_what_is_not_committed_never_was(open_unit_of_work, do, study, now):
    with open_unit_of_work() as work:
        work.studies.add(study())
        work.lists.put(ImportedList(key="vip", at=now, digest="", units=0, started_by="ada"))
    assert do(lambda work: work.studies.page(CLUSTERING, after=None, limit=9)).items == ()
    assert do(lambda work: work.lists.get("vip")) is None
