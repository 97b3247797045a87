"""Documents lose nothing, through real JSON text, and refuse what another release wrote."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.domain.canonical import canonical_json
from experiments.domain.errors import Unavailable
from experiments.domain.promotion import PromotionState
from experiments.domain.promotion_policy import (
    PromotionPolicy,
)
from experiments.storage.documents import evidence as evidences
from experiments.storage.documents import library, promotion_policy
from experiments.storage.documents import promotion as promotions
from tests.stores import promotions as built
from tests.stores.drawn_documents import KINDS
from tests.stores.drawn_promotions import EVIDENCE, NIGHT
from tests.stores.frozen_documents import (
    EVIDENCE_2,
    EVIDENCE_2_SHA256,
)

NEWEST = {
    "definition": 3,
    "segment": 1,
    "metric": 2,
    "layer": 1,
    "attribute": 1,
    "source": 1,
    "evidence": 2,
    "promotion": 2,
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nothing_is_lost(kind, data):
    values, to_document, from_document = KINDS[kind]
    value = data.draw(values)
    again = from_document(json.loads(json.dumps(to_document(value), allow_nan=False)))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=1, deadline=None)
def test_every_field_is_written(kind, data):
    values, to_document, _ = KINDS[kind]
    value = data.draw(values)
    assert set(to_document(value)) == {"schema", *_names(value)}
    assert to_document(value)["schema"] == NEWEST[kind]


def _names(value):
    return {field.name for field in fields(value)}


def test_every_field_inside_is_written():
    promotion = promotions.promotion_to_document(built.promotion())
    (first,) = promotion["steps"]
    policy = promotion_policy.policy_to_document(PromotionPolicy(quiet_hours=NIGHT))
    assert set(first) == _names(built.step(PromotionState.PROPOSED))
    assert set(first["evidence"]["live"]) == _names(built.live())
    assert set(first["evidence"]["holdback"]) == _names(built.evidence().holdback)
    assert set(first["evidence"]["beliefs"][0]) == _names(built.evidence().beliefs[0])
    assert set(policy) == _names(PromotionPolicy())
    assert set(policy["quiet_hours"]) == _names(NIGHT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schema", [0, 4, "1", True, None])
@given(data=st.data())
@settings(max_examples=1, deadline=None)
def test_another_schema_is_refused(kind, schema, data):
    values, to_document, from_document = KINDS[kind]
    document = {**to_document(data.draw(values)), "schema": schema}
    with pytest.raises(Unavailable, match=rf"A stored {kind} has schema .*; this release reads schema") as refusal:
        from_document(document)
    assert refusal.value.code == "document_schema_unknown"


def test_a_document_without_schema_is_refused():
    with pytest.raises(Unavailable, match="schema None"):
        library.segment_from_document({"key": "a"})


@given(evidence=EVIDENCE)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_hash_of_evidence_survives(evidence):
    """Both ways to it: by reading the evidence, and by hashing the document's own text."""
    document = json.loads(json.dumps(evidences.evidence_to_document(evidence)))
    assert evidences.evidence_from_document(document).sha256() == evidence.sha256()
    text = {name: value for name, value in document.items() if name != "schema"}
    assert hashlib.sha256(canonical_json(text).encode()).hexdigest() == evidence.sha256()


def test_the_hash_of_evidence_is_that_of_its_text():
    assert evidences.evidence_from_document(EVIDENCE_2) == built.evidence()
    assert built.evidence().sha256() == EVIDENCE_2_SHA256
    assert replace(built.evidence(), gain=0.03).sha256() != EVIDENCE_2_SHA256
