"""Promotions that have begun."""

from __future__ import annotations

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.authoring.wishes import ExperimentWish
from tests.conftest import FakeClock
from tests.unit.promoting.advancing import Begin, World


@pytest.fixture
def begin(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Begin:
    def build(policy: PromotionPolicy) -> World:
        world = World(winnow, clock, wish)
        world.start(policy)
        return world

    return build
