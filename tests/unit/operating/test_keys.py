"""Keys: whole ones open, parts and revoked ones do not, and none can be read from the store."""

from __future__ import annotations

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.errors import Forbidden, InvalidInput, Unauthenticated
from experiments.services.keys import Scope
from tests.conftest import FakeClock


def test_a_key_opens_what_its_scopes_say(winnow: Winnow) -> None:
    new = winnow.keys.create("web", frozenset({"assign", "ingest"}), actor="ann")
    principal = winnow.keys.authenticate(new.text)
    assert principal.name == "web"
    principal.require(Scope.INGEST)
    with pytest.raises(Forbidden):
        principal.require(Scope.READ)


def test_admin_opens_all(winnow: Winnow) -> None:
    principal = winnow.keys.authenticate(winnow.keys.create("root", frozenset({"admin"}), actor="ann").text)
    for scope in Scope:
        principal.require(scope)


def test_anything_else_is_nobody(winnow: Winnow) -> None:
    text = winnow.keys.create("web", frozenset({"read"}), actor="ann").text
    swapped = text[:-1] + ("a" if text[-1] != "a" else "b")
    for wrong in ("", "wk", "wk__", text[:-1], swapped, text.upper(), "x" + text, f"wk_{'0' * 16}_secret"):
        with pytest.raises(Unauthenticated):
            winnow.keys.authenticate(wrong)


def test_the_store_holds_no_secret(winnow: Winnow) -> None:
    new = winnow.keys.create("web", frozenset({"read"}), actor="ann")
    secret = new.text.split("_", 2)[2]
    assert secret not in repr(winnow.keys.page(after=None, limit=10))
    assert secret not in repr(winnow.results.audit(subject=None, after=None, limit=10))


def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_within_seconds(winnow: Winnow, clock: FakeClock) -> None:
    new = winnow.keys.create("web", frozenset({"read"}), actor="ann")
    elsewhere = type(winnow.keys)(winnow.open_unit_of_work, clock)
    elsewhere.authenticate(new.text)
    winnow.keys.revoke(new.key.id, actor="ann")
    with pytest.raises(Unauthenticated):
        winnow.keys.authenticate(new.text)
    clock.advance(seconds=5, milliseconds=1)
    with pytest.raises(Unauthenticated):
        elsewhere.authenticate(new.text)


def test_unknown_scopes_are_refused(winnow: Winnow) -> None:
    for scopes in (frozenset({"root"}), frozenset()):
        with pytest.raises(InvalidInput) as refusal:
            winnow.keys.create("web", scopes, actor="ann")
        assert refusal.value.code == "scope_unknown"
