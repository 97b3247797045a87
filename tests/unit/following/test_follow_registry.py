"""What somebody else registered, or edits, decides what is said of behaviour: of everybody, and at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.source import Source, SourceKind
from experiments.services.following.saying import SOURCE
from experiments.services.profiles.profiles import ProfileChange
from tests.unit.following import engaged
from tests.unit.following.test_follow import IN_MEMORY, buy, catch_up, follower, known, revision, shop

__all__ = ["shop"]


def edit(shop: Winnow, key: str, **changes: Any) -> None:
    stored = shop.author.attributes.get(key)
    value = replace(stored.value, **changes)
    shop.author.attributes.edit(key, value, expected_revision=stored.revision, actor="t")


def with_crm(shop: Winnow) -> None:
    shop.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=7), actor="t")


def test_a_source_that_is_put_back_says_what_is_so_now(shop: Winnow) -> None:
    with_crm(shop)
    following = follower(shop)
    buy(shop, "ada", 10)
    buy(shop, "bob", 10)
    catch_up(following)
    edit(shop, "orders", sources=("crm",))
    assert "orders" not in known(shop, "ada")
    buy(shop, "ada", 10)
    catch_up(following)
    assert known(shop, "ada")["total_spent"] == 20.0
    edit(shop, "orders", sources=("crm", SOURCE))
    assert [known(shop, unit_id).get("orders") for unit_id in ("ada", "bob")] == [None, None]
    catch_up(following)
    assert [known(shop, unit_id).get("orders") for unit_id in ("ada", "bob")] == [2, 1]
    edit(shop, "orders", sources=())
    catch_up(following)
    assert "orders" not in known(shop, "bob")


@IN_MEMORY
def test_nothing_old_comes_back_of_who_has_no_purchases_any_more(shop: Winnow) -> None:
    with_crm(shop)
    buy(shop, "ada", 10)
    catch_up(follower(shop))
    edit(shop, "orders", sources=("crm",))
    catch_up(follower(shop, names=("sale",)))
    edit(shop, "orders", sources=(SOURCE,))
    catch_up(follower(shop, names=("sale",)))
    assert known(shop, "ada") == {}


@IN_MEMORY
def test_what_others_say_of_it_stays(shop: Winnow) -> None:
    with_crm(shop)
    following = follower(shop)
    buy(shop, "ada", 10)
    catch_up(following)
    edit(shop, "orders", sources=("crm", SOURCE))
    catch_up(following)
    shop.profiles.patch(ProfileChange(unit_id="ada", source="crm", attributes={"orders": 40}))
    edit(shop, "orders", sources=("crm",))
    catch_up(following)
    assert known(shop, "ada")["orders"] == 40


def test_values_that_are_not_allowed_are_not_said(shop: Winnow) -> None:
    following = follower(shop)
    buy(shop, "ada", 10)
    buy(shop, "bob", 10, days_ago=100)
    catch_up(following)
    edit(shop, "orders", allowed=(1, 2))
    edit(shop, "lifecycle_stage", allowed=("new", "lapsed"))
    catch_up(following)
    assert [known(shop, unit_id).get("lifecycle_stage") for unit_id in ("ada", "bob")] == ["new", None]
    for orders in (2, None):
        buy(shop, "ada", 10)
        catch_up(following)
        assert known(shop, "ada").get("orders") == orders, "no older number stays either"
    edit(shop, "orders", allowed=())
    catch_up(following)
    assert known(shop, "ada")["orders"] == 3


def test_engagement_heeds_it_too(shop: Winnow) -> None:
    following = engaged.follower(shop)
    engaged.do(shop, "ada", 1, 2, 3, 4)
    catch_up(following)
    edit(shop, "engagement_level", allowed=("light", "heavy"))
    edit(shop, "active_days_28", sources=())
    catch_up(following)
    assert known(shop, "ada") == {}
    edit(shop, "engagement_level", allowed=())
    edit(shop, "active_days_28", sources=(SOURCE,))
    catch_up(following)
    assert known(shop, "ada") == {"engagement_level": "regular", "active_days_28": 5}


@IN_MEMORY
@pytest.mark.parametrize("changes", [{"name": "Orders so far"}, {"fresh_days": 9}, {"personal": False}], ids=str)
def test_nobody_is_looked_at_for_other_edits(shop: Winnow, changes: dict[str, Any]) -> None:
    following = follower(shop)
    buy(shop, "ada", 10)
    catch_up(following)
    before = revision(shop, "ada")
    edit(shop, "orders", **changes)
    assert catch_up(following) == 0
    assert catch_up(follower(shop)) == 0, "nor when the process begins anew"
    assert revision(shop, "ada") == before


@IN_MEMORY
def test_an_edit_between_looking_and_writing(shop: Winnow) -> None:
    """Taken off and put back while somebody was due: what was written meanwhile does not count as looked at."""
    following = follower(shop)
    buy(shop, "ada", 10)
    catch_up(following)
    buy(shop, "ada", 10)
    following.step()
    write = following._todo(shop.clock())
    assert write == following._write
    edit(shop, "orders", sources=())
    write()
    edit(shop, "orders", sources=(SOURCE,))
    catch_up(following)
    assert known(shop, "ada")["orders"] == 2
