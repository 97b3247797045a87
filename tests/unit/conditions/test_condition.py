import math
from collections import defaultdict
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.condition import (
    MAX_DEPTH,
    MAX_LIST_ELEMENTS,
    MAX_NODES,
    MAX_SUBJECT_LENGTH,
    MAX_TEXT_LENGTH,
    check_condition,
    compile_condition,
)
from experiments.domain.condition.compile import LOGICAL_OPERATORS, NESTING_OPERATORS
from experiments.domain.condition.operators import SIMPLE_OPERATORS
from experiments.domain.errors import InvalidInput

ABSENT = object()
NAMES = sorted({*LOGICAL_OPERATORS, *NESTING_OPERATORS, *SIMPLE_OPERATORS})


def holds(test: object, value: object = ABSENT, groups: Any = None) -> bool:
    return compile_condition({"a": test}, groups)({} if value is ABSENT else {"a": value})


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        pytest.param(1, True, False, id="true-is-not-1"),
        pytest.param(True, 1, False, id="1-is-not-true"),
        pytest.param(0, False, False, id="false-is-not-0"),
        pytest.param(1, 1.0, True, id="1-is-1.0"),
        pytest.param("1", 1, False, id="text-1-is-not-1"),
        pytest.param(1, "1", False, id="1-is-not-text-1"),
        pytest.param(2**53 + 1, float(2**53), False, id="large-integers-stay-exact"),
        pytest.param(math.nan, math.nan, False, id="nan-equals-nothing"),
        pytest.param([1], [True], False, id="strict-inside-arrays"),
        pytest.param({"b": [{"c": 1}]}, {"b": [{"c": 1}]}, True, id="deep-equality"),
        pytest.param({"b": None}, {"c": None}, False, id="a-null-property-is-not-a-missing-one"),
        pytest.param({"b": 1, "c": 2}, {"c": 2, "b": 1}, True, id="order-of-properties-does-not-matter"),
        pytest.param({"$eq": [1, 2]}, [1, 2], True, id="eq-compares-arrays-by-value"),
        pytest.param({"$eq": {}}, {}, True, id="eq-empty-object"),
        pytest.param({"$in": [1]}, True, False, id="in-is-strict"),
        pytest.param({"$in": [True]}, 1, False, id="in-is-strict-for-booleans"),
        pytest.param({"$in": [None]}, ABSENT, True, id="in-null-finds-a-missing-attribute"),
        pytest.param({"$in": [math.nan]}, math.nan, False, id="in-nan"),
        pytest.param({"$in": [["x"]]}, [["x"]], True, id="in-finds-an-element-that-is-an-array"),
        pytest.param({"$in": [["x"]]}, ["x"], False, id="in-does-not-compare-the-array-itself"),
        pytest.param({"$in": []}, "x", False, id="in-nothing"),
        pytest.param({"$nin": []}, "x", True, id="nin-nothing"),
        pytest.param({"$ini": [1]}, 1, True, id="ini-leaves-numbers-alone"),
        pytest.param({"$ini": ["STRASSE"]}, "straße", False, id="ini-lowers-and-does-not-fold"),
        pytest.param({"$all": [1]}, [True], False, id="all-is-strict"),
        pytest.param({"$all": [1, {"$gt": 5}, [2]]}, [1, [2], 9], True, id="all-takes-operators-and-arrays"),
        pytest.param({"$all": [1, {"$gt": 5}, [2]]}, [1, [2], 5], False, id="all-operators-count"),
        pytest.param({"$all": [math.nan]}, [math.nan], False, id="all-nan"),
        pytest.param({"$all": "ab"}, ["a", "b"], False, id="all-needs-a-list"),
        pytest.param({"$alli": "ab"}, ["a", "b"], False, id="alli-needs-a-list"),
        pytest.param({"$elemMatch": {"$in": [0, None]}}, [0], True, id="elem-match-looks-at-zero"),
        pytest.param({"$elemMatch": {"b": 1}}, ("x", {"b": 1}), True, id="a-tuple-is-an-array"),
        pytest.param({"$elemMatch": 5}, [5], False, id="elem-match-needs-an-object"),
        pytest.param({"$size": 1}, ["x"], True, id="size"),
        pytest.param({"$gt": 5}, True, False, id="a-boolean-is-not-ordered"),
        pytest.param({"$gte": 0}, False, False, id="false-is-not-zero-in-order"),
        pytest.param({"$gt": 5}, [6], False, id="an-array-is-not-ordered"),
        pytest.param({"$gt": 5}, math.nan, False, id="nan-is-not-greater"),
        pytest.param({"$lte": 5}, math.nan, False, id="nan-is-not-less"),
        pytest.param({"$gt": 5}, math.inf, True, id="infinity"),
        pytest.param({"$gt": 5}, 10**400, True, id="an-integer-no-float-can-hold"),
        pytest.param({"$lt": 5}, "", False, id="empty-text-is-not-zero"),
        pytest.param({"$gt": 5}, "nan", False, id="nan-in-words"),
        pytest.param({"$gt": 5}, "1e999", False, id="text-beyond-floats"),
        pytest.param({"$gt": 5}, "1_000", False, id="no-underscores-in-numbers"),
        pytest.param({"$gt": 5}, "٩", False, id="no-foreign-digits-in-numbers"),
        pytest.param({"$gt": 5}, "9" * 65, False, id="a-numeral-has-at-most-64-characters"),
        pytest.param({"$gt": 5}, "-1.5e-3", False, id="scientific-notation-less"),
        pytest.param({"$lt": 5}, "-1.5e-3", True, id="scientific-notation"),
        pytest.param({"$lt": "b"}, "a", True, id="texts-in-code-point-order"),
        pytest.param({"$lt": "10"}, "9", False, id="two-texts-are-never-numbers"),
        pytest.param({"$gt": True}, 5, False, id="order-needs-an-operand-that-has-one"),
        pytest.param({"$vgt": "9"}, 10, False, id="a-number-is-no-version"),
        pytest.param({"$vlt": "9"}, ABSENT, False, id="a-missing-version-is-not-low"),
        pytest.param({"$vne": "9"}, ABSENT, True, id="a-missing-version-is-another"),
        pytest.param({"$vne": 9}, "1", False, id="a-malformed-version-operand-matches-nothing"),
        pytest.param({"$veq": "1.02.3"}, "1.2.3", True, id="leading-zeros-in-versions"),
        pytest.param({"$vgt": "1.99999.0"}, "1.100000.0", True, id="version-numbers-of-any-size"),
        pytest.param({"$vgt": "1.0.0"}, "9" * 256, True, id="longest-version"),
        pytest.param({"$vgt": "1.0.0"}, "9" * 257, False, id="too-long-for-a-version"),
        pytest.param({"$exists": True}, ABSENT, False, id="exists"),
        pytest.param({"$exists": True}, None, False, id="null-does-not-exist"),
        pytest.param({"$exists": True}, 0, True, id="zero-exists"),
        pytest.param({"$type": "null"}, ABSENT, True, id="type-of-missing"),
        pytest.param({"$type": "number"}, True, False, id="type-of-true"),
        pytest.param({"$type": "unknown"}, b"", True, id="type-of-what-json-has-not"),
        pytest.param({"$type": 1}, 1, False, id="type-needs-a-name"),
        pytest.param({"$regex": "^1$"}, 1, False, id="regex-reads-text-only"),
        pytest.param({"$regex": "null"}, None, False, id="regex-does-not-spell-null"),
        pytest.param({"$regex": "(a+)+$"}, "aaa", False, id="a-runaway-regex-never-runs"),
        pytest.param({"$regex": 5}, "5", False, id="regex-needs-a-text"),
        pytest.param({"$not": {"$regex": "("}}, "x", True, id="not-turns-a-malformed-operand-round"),
        pytest.param({"$not": "x"}, "y", True, id="not-takes-a-value"),
        pytest.param({"$gt": 1, "b": 2}, {"$gt": 1, "b": 2}, True, id="mixed-keys-are-a-literal"),
    ],
)
def test_one_attribute(test: object, value: object, expected: bool) -> None:
    assert holds(test, value) is expected


@pytest.mark.parametrize("document", [{"$and": 1}, {"$or": "x"}, {"$nor": {}}, {"$not": []}, {"$and": [1]}])
def test_malformed_logic_matches_nothing(document: dict[str, object]) -> None:
    assert compile_condition(document)({"a": 1}) is False


@pytest.mark.parametrize("length", [MAX_SUBJECT_LENGTH, MAX_SUBJECT_LENGTH + 1])
def test_a_regex_reads_no_more_than_its_limit(length: int) -> None:
    assert holds({"$regex": "^x"}, "x" * length) is (length <= MAX_SUBJECT_LENGTH)


def test_more_than_two_entries_must_all_hold() -> None:
    condition = compile_condition({"a": 1, "b": 2, "c": 3, "d.e": 4})
    attributes = {"a": 1, "b": 2, "c": 3, "d": {"e": 4}}
    assert condition(attributes) is True
    for key in attributes:
        assert condition({**attributes, key: 0}) is False


def test_reading_does_not_grow_a_defaultdict() -> None:
    attributes: defaultdict[str, object] = defaultdict(dict)
    assert compile_condition({"a.b": 1})(attributes) is False
    assert dict(attributes) == {}


def test_any_mapping_will_do() -> None:
    condition = compile_condition(MappingProxyType({"a.b": MappingProxyType({"$eq": 1})}))
    assert condition(MappingProxyType({"a": MappingProxyType({"b": 1})})) is True


def test_a_compiled_condition_is_a_snapshot() -> None:
    document: dict[str, Any] = {"a": {"$in": ["x"]}, "b": {"c": [1]}}
    groups = {"g": ["u"]}
    condition = compile_condition({**document, "id": {"$inGroup": "g"}}, groups)
    document["a"]["$in"].append("y")
    document["b"]["c"].append(2)
    groups["g"].append("v")
    assert condition({"a": "x", "b": {"c": [1]}, "id": "u"}) is True
    assert condition({"a": "y", "b": {"c": [1]}, "id": "u"}) is False
    assert condition({"a": "x", "b": {"c": [1]}, "id": "v"}) is False


@pytest.mark.parametrize("members", [["x", 1], ("x", 1), {"x", 1}, frozenset({"x", 1})], ids=lambda m: type(m).__name__)
def test_groups_are_strict_whatever_they_are_kept_in(members: Any) -> None:
    groups = {"g": members}
    assert [holds({"$inGroup": "g"}, value, groups) for value in ("x", 1, "1", True)] == [True, True, False, False]
    assert [holds({"$notInGroup": "g"}, value, groups) for value in ("x", 1, "1", True)] == [False, False, True, True]


def nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        document = {"$not": document}
    return document


@pytest.mark.parametrize("run", [compile_condition, check_condition], ids=["compile", "check"])
@pytest.mark.parametrize(
    ("fits", "exceeds", "code"),
    [
        pytest.param(nested(MAX_DEPTH), nested(MAX_DEPTH + 1), "condition_too_deep", id="depth"),
        pytest.param(nested(MAX_DEPTH), nested(5_000), "condition_too_deep", id="deeper-than-the-stack"),
        pytest.param(
            {f"a{i}": i for i in range(MAX_NODES)},
            {f"a{i}": i for i in range(MAX_NODES + 1)},
            "condition_too_large",
            id="nodes",
        ),
        pytest.param(
            {"a": {"$in": [*range(MAX_LIST_ELEMENTS - 1)]}, "b": {"$in": [1]}},
            {"a": {"$in": [*range(MAX_LIST_ELEMENTS)]}, "b": {"$in": [1]}},
            "condition_too_large",
            id="list-elements-in-all",
        ),
        pytest.param(
            {"a": "x" * MAX_TEXT_LENGTH}, {"a": "x" * (MAX_TEXT_LENGTH + 1)}, "condition_too_large", id="text"
        ),
    ],
)
def test_limits(run: Any, fits: dict[str, Any], exceeds: dict[str, Any], code: str) -> None:
    run(fits)
    with pytest.raises(InvalidInput) as refusal:
        run(exceeds)
    assert refusal.value.code == code


def test_a_document_that_holds_itself_is_too_deep() -> None:
    document: dict[str, Any] = {}
    document["$not"] = document
    with pytest.raises(InvalidInput) as refusal:
        compile_condition(document)
    assert (refusal.value.code, refusal.value.path) == ("condition_too_deep", "/$not" * MAX_DEPTH)


class Hostile:
    """Raises at whatever it is asked."""

    __hash__ = None  # type: ignore[assignment]

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError

    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __bool__ = __len__ = __iter__ = __str__ = _refuse


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, 2**53 + 1, 0, 1]),
    st.just(5_000).map(lambda digits: -(10**digits)),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["a", "A", "1", "v1.2.3", "1.2.3-beta+x", "9" * 5_000, "x" * 100_000, "\ud800"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=8,
)
ANYTHING = st.recursive(
    SCALARS
    | st.binary(max_size=3)
    | st.just(datetime(2026, 1, 1, tzinfo=UTC))
    | st.builds(Hostile)
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.frozensets(st.integers(), max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "c", ""]) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from([*NAMES, "$bogus", "a", "b", "a.b", "a.b.c", "", ".", "$"])
OPERANDS = st.recursive(
    SCALARS | st.sampled_from(["^a", "(", "(a+)+$", "string", "g", "1.0.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
).filter(lambda value: not isinstance(value, str) or len(value) <= MAX_TEXT_LENGTH)


def _short(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_short, value.values()))
    if isinstance(value, list):
        return all(map(_short, value))
    return not isinstance(value, str) or len(value) <= MAX_TEXT_LENGTH


DOCUMENTS = st.dictionaries(KEYS, OPERANDS, max_size=4).filter(_short)


@given(document=DOCUMENTS, attributes=st.dictionaries(st.sampled_from(["a", "b", ""]), ANYTHING, max_size=3))
def test_evaluation_never_raises(document: dict[str, Any], attributes: dict[str, Any]) -> None:
    groups = {"g": ["a", 1, [2]]}
    condition = compile_condition(document, groups)
    assert condition(attributes) is condition(attributes)
    assert type(condition(attributes)) is bool


@given(
    name=st.sampled_from(sorted({*NESTING_OPERATORS, *SIMPLE_OPERATORS})),
    operand=OPERANDS.filter(_short),
    value=ANYTHING,
)
def test_no_operator_raises(name: str, operand: Any, value: Any) -> None:
    assert holds({name: operand}, value, {"g": ["a"]}) in (True, False)


@given(document=DOCUMENTS, other=DOCUMENTS, attributes=st.dictionaries(st.sampled_from(["a", "b"]), ANYTHING))
def test_logic(document: dict[str, Any], other: dict[str, Any], attributes: dict[str, Any]) -> None:
    def evaluate(condition: dict[str, Any]) -> bool:
        return compile_condition(condition)(attributes)

    left, right = evaluate(document), evaluate(other)
    assert evaluate({"$and": [document, other]}) is (left and right)
    assert evaluate({"$or": [document, other]}) is (left or right)
    assert evaluate({"$nor": [document, other]}) is not (left or right)
    assert evaluate({"$not": document}) is not left


@given(elements=st.lists(JSON.filter(_short), max_size=4), value=JSON)
def test_membership_is_some_equality(elements: list[Any], value: Any) -> None:
    candidates = value if isinstance(value, list) else [value]
    expected = any(holds({"$eq": element}, candidate) for element in elements for candidate in candidates)
    assert holds({"$in": elements}, value) is expected
    assert holds({"$nin": elements}, value) is not expected


@given(elements=st.lists(JSON.filter(_short).filter(lambda e: not isinstance(e, dict)), max_size=4), value=JSON)
def test_all_is_every_equality(elements: list[Any], value: Any) -> None:
    expected = isinstance(value, list) and all(
        any(holds({"$eq": element}, candidate) for candidate in value) for element in elements
    )
    assert holds({"$all": elements}, value) is expected


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
)
def test_every_json_value_equals_itself(value: Any) -> None:
    assert holds({"$eq": value}, value) is True
    assert holds({"$ne": value}, value) is False
