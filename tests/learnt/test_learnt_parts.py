"""The pieces: distributions of one mode, silhouettes and stability of cuts that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from segmentation.learnt import Learning, NoClusters, learn
from segmentation.learnt.partition import nearest, partition, silhouette, single_thread, stability
from segmentation.learnt.preparation import matrix, prepare
from segmentation.learnt.reference import Margin, Steps, unimodal
from segmentation.refusal import Refused
from segmentation.rules import columns_of
from tests.learnt.worlds import named


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform"])
def test_what_has_one_mode_keeps_its_distribution(draw: str) -> None:
    values = getattr(np.random.default_rng(2), draw)(size=2000)
    margin = unimodal(values)
    assert isinstance(margin, Margin)
    drawn = margin.quantile((np.arange(4000) + 0.5) / 4000)
    # Half of what two samples of 2,000 differ by at the 5 % point.
    assert kstest(drawn, values).statistic <= 0.022


def test_two_modes_become_one() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(-5, 1, size=1000), rng.normal(5, 1, size=1000)])
    margin = unimodal(values)
    assert isinstance(margin, Margin)
    densities = np.diff(margin.cumulative) / np.diff(margin.knots)
    mode = int(densities.argmax())
    assert (np.diff(densities[: mode + 1]) >= -1e-9).all()
    assert (np.diff(densities[mode:]) <= 1e-9).all()
    # The valley, empty in the data, is filled: by hand, more than a tenth lies within two of 0.
    assert np.diff(np.interp([-2, 2], margin.knots, margin.cumulative))[0] > 0.1
    assert np.mean(np.abs(values) < 2) < 0.005


def test_few_values_keep_their_shares_and_an_atom_at_the_least_stays() -> None:
    counts = np.repeat([0.0, 1.0, 2.0, 3.0], [500, 300, 150, 50])
    steps = unimodal(counts)
    assert isinstance(steps, Steps)
    assert steps.values.tolist() == [0, 1, 2, 3]
    assert steps.cumulative.tolist() == pytest.approx([0.5, 0.8, 0.95, 1.0])
    assert steps.quantile(np.array([0.1, 0.5, 0.51, 0.999])).tolist() == [0, 0, 1, 3]
    spend = np.concatenate([np.zeros(400), np.random.default_rng(1).normal(50, 5, size=600)])
    margin = unimodal(spend)
    assert isinstance(margin, Margin)
    assert np.mean(margin.quantile((np.arange(1000) + 0.5) / 1000) == 0) == pytest.approx(0.4, abs=0.002)


def test_a_cut_that_is_there_is_found_by_every_subsample() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0, 1, size=(150, 2)), rng.normal(20, 1, size=(50, 2))])
    with single_thread():
        cut = partition(values, 2, seed=1, starts=2)
        steady = stability(values, cut.labels, pairs=4, share=0.8, starts=2, rng=rng)
        shaky = stability(values, partition(values, 4, seed=1, starts=2).labels, pairs=4, share=0.8, starts=2, rng=rng)
    assert cut.labels.tolist() == [0] * 150 + [1] * 50
    assert (steady.adjusted_rand, steady.jaccard) == (1.0, (1.0, 1.0))
    assert min(shaky.jaccard) < 0.75
    assert (nearest(values, cut.centroids) == cut.labels).all()


def test_silhouette_by_hand() -> None:
    """0 and 1 beside 10 and 11: a = 1, b = 10.5, 9.5, 9.5, 10.5."""
    values = np.array([[0.0], [1.0], [10.0], [11.0]])
    assert silhouette(values, np.array([0, 0, 1, 1], dtype=np.int32)) == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    assert silhouette(values, np.zeros(4, dtype=np.int32)) == -1


def test_structure_that_no_number_cuts_alike_is_unstable() -> None:
    """Three clusters three standard deviations apart, and a demand that no subsample ever differs."""
    rng = np.random.default_rng(6)
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [1.5, 2.6]])
    values = centres[rng.integers(3, size=400)] + rng.normal(size=(400, 2))
    wanted = Learning(seed=1, most_clusters=4, starts=2, references=19, pairs=3, least_stability=1.0, alpha=0.5)
    found = learn(named(values), wanted)
    assert isinstance(found, NoClusters)
    assert found.reason == "unstable"
    assert [one.clusters for one in found.candidates] == [2, 3, 4]


@pytest.mark.parametrize("scale", [1e300, 1e60, 1e-310])
def test_what_trees_cannot_read_is_left_out_and_told(scale: float) -> None:
    """They are grown of 32 bits; and of the wildest the standard deviation would be infinite or 0."""
    values = np.linspace(-1.0, 1.0, 400)
    columns = columns_of({"wild": values * scale, "tame": values})
    prepared = prepare(columns)
    assert [(one.attribute, one.why) for one in prepared.left_out] == [("wild", "out_of_range")]
    assert np.isfinite(matrix(prepared, columns)[0]).all()
    with pytest.raises(Refused, match=r"wild \(out of range\)"):
        prepare(columns_of({"wild": values * scale}))
