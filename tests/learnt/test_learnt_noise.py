"""Of noise no segments are made, at the stated rate; planted clusters are found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import adjusted_rand_score

from segmentation.learnt import Learning, LearntSegments, NoClusters, assign, learn
from tests.learnt.worlds import NOISE, named, planted, structure_p
from tests.repeats import repeats

RUNS = repeats(3, 200)
"""With 200, which take half an hour of a core, the rates are those that the page states."""
QUICK = Learning(seed=5, most_clusters=6, starts=4, references=19, pairs=3, sample_units=500)


def false_findings(name: str, runs: int, units: int) -> int:
    found = 0
    for run in range(runs):
        rng = np.random.default_rng([run, 61])
        found += structure_p(NOISE[name](rng, units), rng) <= 0.05
    return found


def test_noise_is_no_structure() -> None:
    """Of all kinds, more than four findings at an error rate of .05 would come once in 2,300 times."""
    assert len(NOISE) * 2 >= 14
    assert sum(false_findings(name, 2, 150) for name in NOISE) <= 4


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NOISE)
def test_noise_is_no_structure_at_the_stated_rate(name: str) -> None:
    """Of 300 units each: at .05 more findings than that (1 in 3 runs, 19 in 200) come once in 200 times."""
    assert false_findings(name, RUNS, 300) <= binom.ppf(0.995, RUNS, 0.05)


@pytest.mark.parametrize("name", ["gaussian", "skewed"])
def test_noise_is_refused_with_its_reason(name: str) -> None:
    found = learn(named(NOISE[name](np.random.default_rng(4), 300)), QUICK)
    assert isinstance(found, NoClusters)
    assert found.reason == "no_structure"
    assert found.structure is not None
    assert found.structure.p_value > 0.05


@pytest.mark.parametrize(("clusters", "attributes"), [(2, 2), (3, 2), (4, 3), (5, 4)])
def test_planted_clusters_are_recovered(clusters: int, attributes: int) -> None:
    """The stated design: adjusted Rand at least .9, and their number, in each of two runs."""
    for run in range(2):
        values, truth = planted(np.random.default_rng([run, clusters]), 600, clusters, attributes)
        found = learn(named(values), QUICK)
        assert isinstance(found, LearntSegments)
        assert len(found.clusters) == clusters
        assert adjusted_rand_score(truth, assign(found, named(values))) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "attributes"), [(2, 2), (3, 2), (4, 3), (5, 4)])
def test_planted_clusters_are_recovered_at_the_stated_rate(clusters: int, attributes: int) -> None:
    """Four in five at the least, with rules that are right for .95 of the held-out units in each."""
    recovered, runs = 0, repeats(5, 25)
    for run in range(runs):
        values, truth = planted(np.random.default_rng([run, clusters, 101]), 600, clusters, attributes)
        found = learn(named(values), QUICK)
        if isinstance(found, LearntSegments):
            same = adjusted_rand_score(truth, assign(found, named(values))) >= 0.9
            recovered += same and len(found.clusters) == clusters
            assert found.rules_right >= 0.95
    assert recovered >= 0.8 * runs


def test_too_few_units_are_too_few() -> None:
    found = learn(named(np.random.default_rng(1).normal(size=(99, 2))))
    assert isinstance(found, NoClusters)
    assert (found.reason, found.structure) == ("too_few_units", None)
