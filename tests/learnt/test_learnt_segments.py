"""Learnt segments from end to end: preparation, rules that compile, the same bytes, learning again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from experiments.domain.condition import check_condition, compile_condition
from segmentation.learnt import (
    Learning,
    LearntSegments,
    Refit,
    assign,
    canonical_json,
    from_document,
    learn,
    project,
    refit,
    to_document,
)
from segmentation.learnt.preparation import matrix, prepare
from segmentation.refusal import Refused
from segmentation.rules import columns_of

LEARNING = Learning(seed=1, most_clusters=5, starts=4, references=19, pairs=3, sample_units=500)
Table = dict[str, Any]


def customers(seed: int, units: int = 1500) -> tuple[Table, Any]:
    """Three kinds: regulars, sleepers, big spenders; three in a hundred without recency, and what is no use."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, size=units, p=[0.5, 0.3, 0.2])
    recency = np.array([30.0, 200.0, 60.0])[kind] + np.array([8.0, 30.0, 12.0])[kind] * rng.normal(size=units)
    recency[rng.uniform(size=units) < 0.03] = np.nan
    return {
        "recency_days": recency,
        "spend": np.exp(np.array([4.0, 3.0, 6.5])[kind] + 0.3 * rng.normal(size=units)),
        "balance": np.array([-40.0, 5.0, 50.0])[kind] + 8 * rng.normal(size=units),
        "newsletter": rng.uniform(size=units) < 0.5,
        "country": np.where(rng.uniform(size=units) < 0.5, "DE", "AT"),
        "constant": np.ones(units),
    }, kind


@pytest.fixture(scope="module")
def learnt() -> LearntSegments:
    found = learn(customers(7)[0], LEARNING)
    assert isinstance(found, LearntSegments)
    return found


def units_of(table: Table) -> list[dict[str, object]]:
    """Each unit as attributes that a request would bring: what is missing is not there."""
    columns = {name: np.asarray(values).tolist() for name, values in table.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [{name: value for name, value in row.items() if value == value} for row in rows]  # noqa: PLR0124 - NaN


def test_clusters_are_the_planted_kinds(learnt: LearntSegments) -> None:
    table, kind = customers(8)
    labels = assign(learnt, table)
    placed = labels >= 0
    assert len(learnt.clusters) == 3
    assert adjusted_rand_score(kind[placed], labels[placed]) >= 0.95
    assert (~placed).sum() == np.isnan(table["recency_days"]).sum() > 0
    assert [round(cluster.share, 1) for cluster in learnt.clusters] == [0.5, 0.3, 0.2]


def test_what_was_not_used_is_told(learnt: LearntSegments) -> None:
    told = {one.attribute: one.why for one in learnt.preparation.left_out}
    missing = int(np.isnan(customers(7)[0]["recency_days"]).sum())
    assert told == {"newsletter": "yes_or_no", "country": "not_a_number", "constant": "constant"}
    assert learnt.preparation.incomplete == missing == dict(learnt.preparation.missing)["recency_days"]
    assert {one.attribute: one.logarithm for one in learnt.preparation.used} == {
        "recency_days": False,
        "spend": True,
        "balance": False,
    }


def test_conditions_stand_for_their_clusters_on_units_never_seen(learnt: LearntSegments) -> None:
    """The dialect's own compiler is the judge; fidelity told and fidelity on new units may differ by .03."""
    table, _ = customers(9)
    labels, units = assign(learnt, table), units_of(table)
    placed = labels >= 0
    for index, cluster in enumerate(learnt.clusters):
        assert cluster.condition is not None
        assert cluster.fidelity is not None
        check_condition(cluster.condition)
        inside = np.fromiter(map(compile_condition(cluster.condition), units), dtype=bool)
        agreement = float((inside == (labels == index))[placed].mean())
        assert agreement >= 0.95
        assert cluster.fidelity.agreement == pytest.approx(agreement, abs=0.03)


def test_the_same_seed_gives_the_same_bytes_and_they_can_be_read_back(learnt: LearntSegments) -> None:
    again = learn(pa.table(customers(7)[0]), LEARNING)
    assert isinstance(again, LearntSegments)
    assert canonical_json(again) == canonical_json(learnt)
    assert from_document(to_document(learnt)) == learnt
    with pytest.raises(ValueError, match=r"winnow\.learnt/1"):
        from_document({**to_document(learnt), "schema": "winnow.learnt/0"})


def test_learning_again_keeps_keys_and_tells_who_moved(learnt: LearntSegments) -> None:
    """Of the sleepers 100 become big spenders; then all sleepers do, and theirs is gone."""
    table, kind = customers(7)
    wide = {name: values.copy() for name, values in table.items()}
    whole = ~np.isnan(table["recency_days"])
    sleepers, spenders = np.flatnonzero((kind == 1) & whole), np.flatnonzero((kind == 2) & whole)
    for name in ("recency_days", "spend", "balance"):
        wide[name][sleepers[:100]] = table[name][spenders[:100]]
    again = refit(learnt, wide)
    assert isinstance(again, Refit)
    assert (again.segments.version, set(again.segments.keys)) == (2, set(learnt.keys))
    assert (again.movement.appeared, again.movement.vanished) == ((), ())
    placed = sum(map(sum, again.movement.table))
    assert placed == whole.sum()
    assert again.movement.moved is not None
    # Both place the new profiles alike: the centroids have hardly moved. But the units have.
    assert again.movement.moved <= 0.02
    known = refit(learnt, wide, before=assign(learnt, table))
    assert isinstance(known, Refit)
    assert known.movement.moved == pytest.approx(100 / placed, abs=0.01)
    assert len(known.moved_rows) == round((known.movement.moved or 0) * placed)
    assert len(set(known.moved_rows) & set(sleepers[:100].tolist())) >= 99
    gone = {name: values[kind != 1] for name, values in table.items()}
    fewer = refit(learnt, gone)
    assert isinstance(fewer, Refit)
    assert len(fewer.movement.vanished) == 1
    assert fewer.movement.vanished[0] == learnt.clusters[1].key
    assert fewer.movement.appeared == ()


def test_a_new_kind_of_unit_gets_a_key_that_nobody_had(learnt: LearntSegments) -> None:
    table, _ = customers(7)
    rng = np.random.default_rng(3)
    fresh = {"recency_days": 400 + 10 * rng.normal(size=600), "spend": np.exp(9 + 0.3 * rng.normal(size=600))}
    fresh["balance"] = -200 + 8 * rng.normal(size=600)
    grown = {name: np.concatenate([table[name], fresh[name]]) for name in fresh}
    found = refit(learnt, grown)
    assert isinstance(found, Refit)
    assert found.movement.appeared == ("c4",)
    assert found.segments.keys_given == 4


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ({}, "no_table"),
        ([1, 2], "no_table"),
        ({"a": np.ones(3), "b": np.ones(2)}, "unequal_lengths"),
        ({"$a": np.arange(3.0)}, "bad_name"),
        ({"a": np.array([1.0, np.inf])}, "not_finite"),
        ({"a": np.ones(200), "b": np.array(["x"] * 200)}, "no_attributes"),
        ({"a": np.array([1, "x", None], dtype=object)}, "mixed_column"),
        (pa.table([[1.0], [2.0]], names=["a", "a"]), "duplicate_column"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_table_that_cannot_be_worked_on_is_refused(table: object, code: str) -> None:
    with pytest.raises(Refused) as refused:
        learn(table)
    assert refused.value.code == code


def test_a_column_that_was_learnt_from_must_be_there(learnt: LearntSegments) -> None:
    table, _ = customers(7)
    for replaced, code in [({}, "no_column"), ({"spend": table["country"]}, "not_a_number")]:
        rest = {name: values for name, values in table.items() if name != "spend"}
        with pytest.raises(Refused) as refused:
            assign(learnt, {**rest, **replaced})
        assert refused.value.code == code


def test_skewness_decides_about_the_logarithm() -> None:
    """Of 1, 1, 1, 1, 6 by hand: m₂ = 4, m₃ = 12, skewness 1.5."""
    columns = columns_of({"a": np.array([1.0, 1, 1, 1, 6]), "b": np.array([-1.0, -1, -1, -1, 4])})
    prepared = prepare(columns, skewness_for_log=1.49)
    assert [one.skewness for one in prepared.used] == pytest.approx([1.5, 1.5])
    assert [one.logarithm for one in prepared.used] == [False, False]
    wide = columns_of({"a": np.exp(np.random.default_rng(1).normal(size=500))})
    assert prepare(wide).used[0].logarithm is True
    assert prepare(wide, skewness_for_log=1e6).used[0].logarithm is False


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.0}, {"references": 10}, {"depth": 5}, {"most_clusters": 1}, {"seed": -1}]
)
def test_learning_outside_its_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(LEARNING, **wrong)


def test_the_map_is_that_of_principal_components(learnt: LearntSegments) -> None:
    """Beside scikit-learn's: the same shares of variance, the same weights but for signs, the same places."""
    table = customers(7)[0]
    prepared, _ = matrix(learnt.preparation, columns_of(table))
    expected = PCA(n_components=2).fit(prepared)
    drawn = project(learnt, table, points=len(prepared))
    assert [axis.share for axis in drawn.axes] == pytest.approx(expected.explained_variance_ratio_)
    for axis, component in zip(drawn.axes, expected.components_, strict=True):
        weights = np.array([weight for _, weight in axis.loadings])
        assert tuple(name for name, _ in axis.loadings) == learnt.preparation.attributes
        assert np.abs(weights) == pytest.approx(np.abs(component))
        assert weights[np.abs(weights).argmax()] > 0
        assert float(np.dot(weights, component)) ** 2 == pytest.approx(1)
    signs = [
        np.sign(np.dot([w for _, w in a.loadings], c)) for a, c in zip(drawn.axes, expected.components_, strict=True)
    ]
    places = sorted(np.round(expected.transform(prepared) * signs, 2).tolist())
    assert sorted([one.x, one.y] for one in drawn.points) == pytest.approx(np.array(places), abs=0.011)
    assert [one.key for one in drawn.centres] == list(learnt.keys)
    few = project(learnt, table, points=50, seed=4)
    assert few == project(learnt, table, points=50, seed=4)
    assert len(few.points) == 50
    assert {one.key for one in few.points} == set(learnt.keys)


def test_of_one_attribute_the_map_is_a_line() -> None:
    found = learn({"spend": customers(7)[0]["spend"]}, replace(LEARNING, sample_units=200, most_clusters=3))
    assert isinstance(found, LearntSegments)
    first, second = project(found, {"spend": customers(7)[0]["spend"]}).axes
    assert (first.share, second.share) == (pytest.approx(1), 0.0)


def test_steps_are_told_to_the_last() -> None:
    told: list[tuple[int, int]] = []
    quick = replace(LEARNING, mixture=False, most_clusters=3, sample_units=200)
    bare = learn(customers(7)[0], quick, progress=lambda done, total: told.append((done, total)))
    assert isinstance(bare, LearntSegments)
    assert (bare.mixture, len(bare.clusters)) == (None, 3)
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert from_document(to_document(bare)) == bare
