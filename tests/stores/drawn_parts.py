"""Strategies for what every stored document is made of: keys, texts, instants."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

from hypothesis import strategies as st

KEYS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,12}\Z")
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
NAMES = TEXTS.filter(bool)
FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
INSTANTS = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))])
).map(lambda instant: instant.replace(fold=0))
