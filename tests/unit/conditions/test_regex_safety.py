"""The promise is linear time; what is counted is steps, on a plain backtracking matcher of its own."""

import re
from collections.abc import Iterator
from itertools import product
from math import inf

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from experiments.domain.condition.regex_charset import single
from experiments.domain.condition.regex_safety import compile_safe, regex_problem
from experiments.domain.condition.regex_tree import Anchor, Branch, Char, Node, Repeat, Sequence, parse

# OWASP "Regular expression Denial of Service"; Davis et al., ESEC/FSE 2018; Weideman et al., CIAA 2016;
# the post-mortems of Stack Overflow (2016) and Cloudflare (2019).
RUNAWAY = [
    r"(a+)+$",
    r"^(a+)+$",
    r"([a-zA-Z]+)*$",
    r"(a|aa)+$",
    r"(a|a?)+$",
    r"(.*a){11}",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(\w+\s?)+$",
    r"(x+x+)+y",
    r"(a*)*b",
    r"^(\d+)*$",
    r"((a|b)*c|d)*e",
    r"(a|b|ab)*c",
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
    r"^[\s\u200c]+|[\s\u200c]+$",
    r"(?:(?:\"|'|\]|\}|\\|\d|(?:nan|true|null|math)|\`|\-|\+)+[)]*;?((?:\s|-|~|!|{}|\|\||\+)*.*(?:.*=.*)))",
    r".*.*=.*x",
    r".*.*.*x",
    r"^.*.*.*x",
    r"^\s+|\s+$",
    r"<!--.*-->",
    r"\d+\d+$",
    r"\d+$",
    r"\w+@x",
    r"@.*\.com$",
    r"^[ab]*b[ab]*$",
    r"^a*b?a*x",
    r"x*x*y",
    r"(a?){30}a{30}",
    r"(?:a?){30}b",
    r"a?a?a?a?a?a?a?aaaaaaa",
    r"a{1,10000}",
    r"(a{1,100}){1,100}",
    r"((((){99}){99}){99}){99}",
    r"^(a*[ab]{3}b*[ab]{3}){8}$",
    r"^(a|b|ab)(a|b|ab)(a|b|ab)(a|b|ab)(a|b|ab)(a|b|ab)$",
    r"^.{0,99}.{0,99}$",
    r"(?:ab|a.){0,7}x",
    r"a(?:(?:[ab]{0,2}){3}){0,2}x",
]

NOT_EXAMINED = [
    r"(a)\1",
    r"(?P<q>a)(?P=q)",
    r"(?=a)b",
    r"(?!a)b",
    r"(?<=a)b",
    r"(a)?(?(1)b|c)",
    r"(?>a+)b",
    r"a++b",
    r"(?i)foo",
    r"(?i:foo)",
    r"(?m)^a",
    r"(?x) a",
    r"(?a)\w",
    "(" * 51 + "a" + ")" * 51,
    "a" * 501,
]

HARMLESS = [
    r"^https?://",
    r"@example\.com$",
    r"^(foo|bar)-\d+$",
    r"\b(chrome|firefox)\b",
    r"^[a-z0-9._-]+@[a-z0-9-]+\.com$",
    r"^[\w.+-]+@[\w-]+\.[\w.-]+$",
    r"^[^@]+@[^@]+$",
    r".*gmail.*",
    r".+@gmail\.com$",
    r".*?@gmail\.com$",
    r"^.*@gmail\.com$",
    r"(Mobile|Tablet)",
    r"iPhone|iPad|iPod",
    r"-12-25$",
    r"^/shop/[a-z-]+/\d+$",
    r"^(\d{1,3}\.){3}\d{1,3}$",
    r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$",
    r"^[A-Z]{2}\d{4,6}$",
    r"utm_campaign=(spring|summer|winter)-20\d\d",
    r"gclid=[\w-]+",
    r"\?ref=[a-z]+",
    r"Chrome/\d+\.\d+",
    r"^Mozilla/5\.0 .*Firefox/",
    r"^(en|de|fr)(-[A-Z]{2})?$",
    r"^\+49\d{6,12}$",
    r"colou?r",
    r"^(www\.)?shop\.example\.(com|org)$",
    r"^https?://[^/]+\.example\.com/",
    r"\.(jpg|jpeg|png|gif)$",
    r"^\s*premium\s*$",
    r"^v?\d+(\.\d+)?(\.\d+)?$",
    r"^SKU-[0-9A-F]{8}$",
    r"^(?:[01]\d|2[0-3]):[0-5]\d$",
    r"^(foo|bar)+$",
    r"^(ab|cd)*e",
    r"^grüße",
    r"newsletter",
    rf"\b({'|'.join(map(str, range(1_000, 1_080)))})\b",
    rf"^.*\.({'|'.join(map(str, range(10, 60)))})$",
    r"^$",
]


class _BudgetSpent(Exception):
    pass


BUDGET = 400_000
"""Steps after which a search is given up: a hundred characters squared are 10,000."""


class Counter:
    """Backtracks through a tree as `re` does, without its short cuts, and counts the characters it looks at."""

    def __init__(self, subject: str, budget: int = BUDGET) -> None:
        self.subject = subject
        self.budget = budget
        self.steps = 0

    def search(self, tree: Sequence) -> bool:
        return any(True for start in range(len(self.subject) + 1) for _ in self._sequence(tree, start))

    def _sequence(self, sequence: Sequence, at: int) -> Iterator[int]:
        if not sequence:
            yield at
            return
        for reached in self._node(sequence[0], at):
            yield from self._sequence(sequence[1:], reached)

    def _node(self, node: Node, at: int) -> Iterator[int]:
        match node:
            case Char(mask):
                self.steps += 1
                if self.steps > self.budget:
                    raise _BudgetSpent
                if at < len(self.subject) and mask >> ord(self.subject[at]) & 1:
                    yield at + 1
            case Anchor(at_start):
                if at == (0 if at_start else len(self.subject)):
                    yield at
            case Branch(options):
                for option in options:
                    yield from self._sequence(option, at)
            case Repeat():
                yield from self._repeat(node, at, 0)

    def _repeat(self, repeat: Repeat, at: int, count: int) -> Iterator[int]:
        if repeat.maximum is None or count < repeat.maximum:
            for reached in self._sequence(repeat.body, at):
                if reached > at or count < repeat.minimum:
                    yield from self._repeat(repeat, reached, count + 1)
        if count >= repeat.minimum:
            yield at


def steps(tree: Sequence, subject: str) -> int:
    counter = Counter(subject)
    try:
        counter.search(tree)
    except _BudgetSpent:
        return counter.budget
    return counter.steps


def pumped(word: str, length: int) -> str:
    return (word * length)[:length] + "!"


def worst_growth(tree: Sequence, words: list[str]) -> float:
    """Give the worst factor by which doubling a subject multiplies the steps; without end where it is given up."""
    return max(_growth(steps(tree, pumped(word, 50)), steps(tree, pumped(word, 100))) for word in words)


def _growth(of_half: int, of_all: int) -> float:
    return inf if of_all >= BUDGET else (of_all - 200) / (of_half + 1)


LINEAR = 2.6


@pytest.mark.parametrize("pattern", RUNAWAY)
def test_runaway_patterns_are_refused(pattern: str) -> None:
    problem = regex_problem(pattern)
    assert problem is not None
    assert problem.kind == "unsafe"
    assert compile_safe(pattern) is None


@pytest.mark.parametrize("pattern", NOT_EXAMINED)
def test_what_is_not_examined_is_refused(pattern: str) -> None:
    problem = regex_problem(pattern)
    assert problem is not None
    assert problem.kind == "unsafe"


@pytest.mark.parametrize(
    "pattern", ["(", "[a", "*a", "a**", "a{2,1}", "/???***[)", "(?P<a>x)(?P<a>y)", "\\", "a{99999999999}"]
)
def test_what_is_no_regex_is_invalid(pattern: str) -> None:
    problem = regex_problem(pattern)
    assert problem is not None
    assert problem.kind == "invalid"
    assert problem.reason


@pytest.mark.parametrize("pattern", HARMLESS)
@pytest.mark.parametrize("ignore_case", [False, True], ids=["", "i"])
def test_harmless_patterns_are_accepted(pattern: str, ignore_case: bool) -> None:
    assert regex_problem(pattern, ignore_case=ignore_case) is None


@pytest.mark.parametrize("pattern", [pattern for pattern in HARMLESS if r"\b" not in pattern])
def test_harmless_patterns_take_linear_steps(pattern: str) -> None:
    compiled = compile_safe(pattern)
    assert compiled is not None
    letters = sorted({char for char in pattern if char.isalnum() and char.isascii()} | set("a1@.-/ "))
    words = [*letters, *(a + b for a, b in product(letters[:6], repeat=2)), pattern, "https://", "a@a.", "1.", "foo-"]
    words = [word for word in words if word.isascii()]
    assert worst_growth(parse(compiled.pattern), words) <= LINEAR


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        (r"\d+$", "1"),
        (r"^.*.*x", "a"),
        (r"@.*\.com$", "@"),
        (r"^[ab]*b[ab]*$", "b"),
        (r"^a*b?a*x", "a"),
        (r"<!--.*-->", "<!--"),
        (r"(a+)+$", "a"),
    ],
)
def test_the_counter_sees_what_is_not_linear(pattern: str, word: str) -> None:
    tree = parse(pattern)
    assert worst_growth(tree, [word]) > LINEAR


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        (".*x", "ax", True),
        (".*x", "x", True),
        (".*x", "a\nx", True),
        (".+x", "x", False),
        (".+x", "ax", True),
        (".+x", "\nx", False),
        (".*?x", "ax", True),
        (".+?x", "x", False),
        (".*a|b", "b", True),
        (".+a|b", "b", True),
        (".+a|b", "a", False),
        (".*", "", True),
        (".+", "", False),
        (".*^x", "ax", False),
    ],
)
def test_a_leading_any_is_dropped_without_changing_the_answer(pattern: str, subject: str, expected: bool) -> None:
    compiled = compile_safe(pattern)
    assert compiled is not None
    assert not compiled.pattern.startswith((".*", ".+"))
    assert (compiled.search(subject) is not None) is expected
    assert (re.search(pattern, subject) is not None) is expected


@pytest.mark.parametrize(
    ("pattern", "exact_case", "ignoring_case"),
    [
        ("^a+A+$", True, False),
        ("^a+b+$", True, True),
        ("^k+\u212a+$", True, False),
        ("^s+ſ+$", True, False),
        ("^é+ü+$", False, False),
        (r"^\d+\s+$", True, True),
        (r"^\w+\d+$", False, False),
        (r"^\w+\W+$", True, True),
        (r"^[^a]+a+$", True, True),
        (r"^[^é]+é+$", False, False),
        (r"^[a-f]+[g-z]+$", True, True),
        (r"^[a-f]+[f-z]+$", False, False),
        (r"^[à-ü]+[a-z]+$", True, False),
        (r"^[à-ü]+\d+$", False, False),
        (r"^.+\n+$", True, True),
    ],
)
def test_which_characters_meet(pattern: str, exact_case: bool, ignoring_case: bool) -> None:
    assert (regex_problem(pattern) is None) is exact_case
    assert (regex_problem(pattern, ignore_case=True) is None) is ignoring_case


SET_ITEMS = st.sampled_from(
    [
        "a",
        "k",
        "S",
        "i",
        "_",
        "5",
        "é",
        "٣",
        "\u2003",
        "€",
        "a-f",
        "R-T",
        "0-3",
        "x-ü",
        "à-ÿ",
        r"\d",
        r"\D",
        r"\w",
        r"\W",
        r"\s",
        r"\S",
    ]
)
SETS = st.tuples(st.sampled_from(["", "^"]), st.lists(SET_ITEMS, min_size=1, max_size=3).map("".join)).map(
    lambda parts: f"[{''.join(parts)}]"
)
CHARS = st.characters(max_codepoint=127) | st.sampled_from("éÉſıİ\u212a٣²\u2003\xa0€𝟗") | st.characters()


@settings(max_examples=500)
@given(pattern=SETS | CHARS.map(re.escape), char=CHARS, ignore_case=st.booleans())
def test_a_mask_holds_whatever_the_set_matches(pattern: str, char: str, ignore_case: bool) -> None:
    (node,) = parse(pattern, ignore_case=ignore_case)
    assert isinstance(node, Char)
    if re.fullmatch(pattern, char, re.IGNORECASE if ignore_case else 0):
        assert node.mask & single(ord(char))


ATOMS = st.sampled_from(["a", "b", "-", ".", "[ab]", "[^a]", "ab", "ba", "-a", r"\d"])
QUANTIFIERS = st.sampled_from(["*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{0,2}", "{2,}", "{0,40}"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
        st.tuples(inner, QUANTIFIERS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=7,
)
WHOLE = st.tuples(st.sampled_from(["", "^", "a", "-"]), PATTERNS, st.sampled_from(["", "$", "x", "-$"])).map("".join)
WORDS = ["a", "b", "-", "1", "ab", "a-", "b-", "-a", "aab", "abb", "ab-", "aa-"]


@settings(max_examples=300, deadline=None)
@given(pattern=WHOLE)
def test_whatever_is_accepted_takes_linear_steps(pattern: str) -> None:
    compiled = compile_safe(pattern)
    assume(compiled is not None)
    assert compiled is not None
    assert worst_growth(parse(compiled.pattern), WORDS) <= LINEAR


@settings(max_examples=200, deadline=None)
@given(pattern=WHOLE, subject=st.text(alphabet="ab-1x", max_size=8))
def test_the_tree_reads_what_the_pattern_reads(pattern: str, subject: str) -> None:
    assert Counter(subject).search(parse(pattern)) is (re.search(pattern, subject) is not None)


@settings(max_examples=200, deadline=None)
@given(pattern=WHOLE, subject=st.text(alphabet="ab-1x\n", max_size=8))
def test_the_compiled_pattern_answers_as_the_original(pattern: str, subject: str) -> None:
    compiled = compile_safe(pattern)
    assume(compiled is not None)
    assert compiled is not None
    assert (compiled.search(subject) is None) is (re.search(pattern, subject) is None)


@pytest.mark.filterwarnings("ignore:Possible (nested set|set ):FutureWarning")
@given(pattern=st.text(alphabet="ab.*+?()[]{}|^$\\d1,-", max_size=30))
def test_any_text_gets_an_answer(pattern: str) -> None:
    problem = regex_problem(pattern)
    assert problem is None or problem.kind in ("invalid", "unsafe")
