"""Who sees what, as bar, legend and words: a winner, its holdback, and what explores beside them."""

from __future__ import annotations

import re

import pytest

from api.dashboard.live import Exploring, Split, split_of
from api.dashboard.names import names_of
from experiments.domain.allocation import Allocation
from experiments.domain.experiment import draft
from experiments.domain.exploration import promoted_weights
from tests.conftest import FakeClock
from tests.http.pages_site import ARMS, CONTROL, MENS, mail


def split(
    clock: FakeClock, share_bp: int, exploration_bp: int, variants: tuple[str, ...], promoted: str | None
) -> Split:
    experiment = draft(mail(), by="test", now=clock())
    weights = promoted_weights(MENS, CONTROL, share_bp, variants=variants, exploration_bp=exploration_bp)
    exploring = Exploring(winner=MENS, share_bp=exploration_bp) if exploration_bp else None
    return split_of(experiment, Allocation.from_weights(weights), names_of(experiment), promoted, exploring)


def shares(found: Split) -> list[tuple[str, str, str]]:
    return [(piece.share, piece.name, piece.role) for piece in found.pieces]


@pytest.mark.parametrize("exploration_bp", [900, 1_000], ids=["even", "with-a-rest"])
def test_exploration_is_no_holdback(clock: FakeClock, exploration_bp: int) -> None:
    """The shares are those of the policy, whatever cannot be shared evenly."""
    found = split(clock, 9_500 - exploration_bp, exploration_bp, ARMS, MENS)
    assert shares(found) == [
        ("5%", "No e-mail", "holdback"),
        (f"{95 - exploration_bp / 100:g}%", "Men’s e-mail", "promoted"),
        (f"{exploration_bp / 100:g}%", "any of 3 variants", "exploration"),
    ]
    assert [piece.colours for piece in found.pieces] == [("control",), ("1",), ("control", "1", "2")]
    ends = [(piece.start, piece.start + piece.width) for piece in found.pieces]
    assert [start for start, _ in ends] == pytest.approx([0, *(end for _, end in ends[:-1])])
    assert ends[-1][1] == pytest.approx(100)


def test_of_two_variants_both_explore(clock: FakeClock) -> None:
    found = split(clock, 8_900, 600, (CONTROL, MENS), MENS)
    assert found.sentence == "89% Men’s e-mail, 6% any of 2 variants (exploration), 5% No e-mail (holdback)"


def test_on_the_way_the_control_is_not_called_a_holdback(clock: FakeClock) -> None:
    found = split(clock, 5_000, 600, ARMS, None)
    assert found.sentence == "50% Men’s e-mail, 44% No e-mail, 6% any of 3 variants (exploration)"


def test_without_exploration_there_is_no_word_of_it(clock: FakeClock) -> None:
    found = split(clock, 9_500, 0, (CONTROL, MENS), MENS)
    assert found.sentence == "95% Men’s e-mail, 5% No e-mail (holdback)"
    assert not re.search("explor", found.sentence)
