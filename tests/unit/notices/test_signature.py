"""Signatures: the references were computed with openssl, and one is the convention's own published example."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from experiments.domain.errors import InvalidInput
from experiments.domain.signature import check_secret, is_genuine, secret_of, signed_headers

# printf '%s' "$ID.1767603600.$BODY" | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f -binary | base64
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ID = "9b2f6a52-6c1c-4d0e-8a53-0c5e1b9d7f10"
AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
BODY = '{"type":"promotion.promoted","data":{"title":"ü"}}'.encode()
SIGNATURE = "v1,DZhlAyKy+9DHdujVkVugxqboGhmmDtIHcAk/x/mmvSg="
HEADERS = {"webhook-id": ID, "webhook-timestamp": "1767603600", "webhook-signature": SIGNATURE}


def test_the_signature_is_what_openssl_computes() -> None:
    assert signed_headers((SECRET,), ID, AT, BODY) == HEADERS


def test_the_published_example_of_the_convention() -> None:
    secret, at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", datetime.fromtimestamp(1_614_265_330, UTC)
    sent = signed_headers((secret,), "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_during_a_rotation_there_is_a_signature_by_each_secret() -> None:
    other = secret_of(b"o" * 32)
    by_hand = base64.b64encode(hmac.new(b"o" * 32, f"{ID}.1767603600.".encode() + BODY, hashlib.sha256).digest())
    sent = signed_headers((other, SECRET), ID, AT, BODY)
    assert sent["webhook-signature"] == f"v1,{by_hand.decode()} {SIGNATURE}"
    assert is_genuine(SECRET, sent, BODY, AT)
    assert is_genuine(other, sent, BODY, AT)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_genuine_message_within_five_minutes(seconds: int) -> None:
    assert is_genuine(SECRET, HEADERS, BODY, AT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        pytest.param({}, BODY, 301, id="late"),
        pytest.param({}, BODY, -301, id="from the future"),
        pytest.param({}, BODY + b" ", 0, id="another body"),
        pytest.param({"webhook-id": "other"}, BODY, 0, id="another id"),
        pytest.param({"webhook-timestamp": "1767603601"}, BODY, 0, id="another time"),
        pytest.param({"webhook-timestamp": "x"}, BODY, 0, id="no time"),
        pytest.param({"webhook-timestamp": "9" * 400}, BODY, 0, id="long time"),
        pytest.param({"webhook-signature": ""}, BODY, 0, id="no signature"),
        pytest.param({"webhook-signature": SIGNATURE.replace("v1,", "v1a,")}, BODY, 0, id="another version"),
        pytest.param({"webhook-signature": "v1,%%% v1,é"}, BODY, 0, id="no base64"),
        pytest.param({"webhook-signature": "v1,"}, BODY, 0, id="empty"),
    ],
)
def test_anything_else_is_not_genuine(headers: dict[str, str], body: bytes, seconds: int) -> None:
    assert not is_genuine(SECRET, {**HEADERS, **headers}, body, AT + timedelta(seconds=seconds))


def test_another_secret_is_not_genuine() -> None:
    assert not is_genuine(secret_of(b"x" * 32), HEADERS, BODY, AT)


@pytest.mark.parametrize("length", [24, 64])
def test_what_is_a_secret(length: int) -> None:
    check_secret(secret_of(b"k" * length))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", SECRET[6:], secret_of(b"k" * 23), secret_of(b"k" * 65), "whsec_é", "whsec_%%%%"]
)
def test_what_is_none_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_secret(secret)
    assert refusal.value.code == "secret_invalid"
    assert not secret.startswith("whsec_A") or secret not in refusal.value.message
