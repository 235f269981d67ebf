"""What says that no pattern can match an entry is right: one that matches is never passed by."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kptv.channels.packing import pack
from kptv.channels.rules import matching
from kptv.channels.rules.literals import literal_of, small_letters
from kptv.channels.rules.matching import public_url, texts_of
from kptv.channels.rules.model import Condition
from kptv.channels.rules.patterns import Pattern, TooSlow, all_folded
from kptv.channels.rules.portions import Portion
from kptv.channels.rules.sieve import Mesh, Sieve
from kptv.formats.m3u import Entry
from kptv.formats.m3u_attributes import quoted

# Letters that others are taken for when case or form do not count, and what stands between them.
_LETTERS = (
    *"abikSIKB5",
    *("ß", "ẞ", "İ", "ı", "ſ", "\u212a", "ﬁ", "ﬆ", "ﬃ", "\u0307", "\u0301", "é", "e\u0301", "Å"),
    *(
        "\u212b",
        "Ａ",
        "ｋ",
        "Ⓢ",
        "²",
        "ᴴ",
        "Σ",
        "ς",
        "ŉ",
        "ǰ",
        "ΐ",
        "㎞",
        "™",
        "＂",
        "İs",
        "\u00a8",
    ),
    *(" ", "  ", "\u00a0", "\u3000", '"', "'", "/", ".", "-", "|", "["),
)
_words = st.lists(st.sampled_from(_LETTERS), max_size=6).map("".join)
_plain = st.lists(
    st.sampled_from((*_LETTERS, "*", "?", "*", "ab", "sk")), min_size=1, max_size=7
).map("".join)
_atoms = st.sampled_from(
    (
        *("a", "b", "i", "k", "s", "5", "ab", "sk", "bi", "kis", "K", "S", "I", "ß", "é", "İ", "ſ"),
        *("[ab]", "[^a]", "[^]ab[i]", "[]ab]", r"[\]a]", ".", r"\d", r"\w", r"\s", r"\.", r"\|"),
        *("^", "$", r"\b", r"\A", r"\Z", " ", "-", "(?i:s)", "a{2}", "a{0,1}", r"\x61", "\u212a"),
    )
)
_quantifiers = st.sampled_from(("", "", "?", "*", "+", "??", "*?", "+?", "?+", "{0}", "{1,2}"))


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    opening = st.sampled_from(("(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?P<n>"))
    group = st.builds("{}{}){}".format, opening, inner, _quantifiers)
    either = st.builds("{}|{}".format, inner, inner)
    return st.one_of(group, either, st.builds("{}{}".format, inner, inner))


_expressions = st.recursive(st.builds("{}{}".format, _atoms, _quantifiers), _larger, max_leaves=6)


def _compiled(text: str) -> Pattern | None:
    try:
        return Pattern.of(text)
    except ValueError:
        return None


_patterns = st.one_of(_plain, _expressions.map("/{}/".format))  # not all can be compiled


def matches(pattern: Pattern, text: str) -> bool:
    try:
        return pattern.matches(text)
    except TooSlow:  # of made expressions, some are; they match nothing
        return False


def compiled(*texts: str) -> list[Pattern]:
    return list(filter(None, map(_compiled, texts)))


def condition(field: str, *patterns: Pattern) -> matching.Test:
    return matching.Test(Condition(field, patterns), 1)


def entry(name: str, url: str = "http://x.example/1.ts", **attributes: str) -> Entry:
    return Entry(name, url, quoted(attributes), (), {})


def passed_by(tests: list[matching.Test], entries: list[Entry]) -> list[bool]:
    """Of which entries it is said that no test matches them."""
    sieve, mesh = Sieve(tests), Mesh(tests)
    names = [each.name for each in entries]
    in_names = sieve.caught_in_names(names, all_folded(names))
    besides = sieve.caught_besides(Portion([pack(1, each) for each in entries]))
    return [
        mesh.lets_through((*in_names.get(place, ()), *besides.get(place, ())))
        for place in range(len(entries))
    ]


@settings(max_examples=400, deadline=None)
@given(st.lists(_patterns, min_size=1, max_size=2), st.lists(_words, min_size=1, max_size=3))
@example(["/[^]ab[i]/"], ["x"])
@example(["/is/"], ["İſ", "is"])
@example(["*STRASSE*"], ["Straße"])
def test_no_name_that_a_pattern_matches_is_passed_by(texts: list[str], names: list[str]) -> None:
    patterns = compiled(*texts)
    passed = passed_by([condition("name", *patterns)], [entry(name) for name in names])
    wrong = [
        name
        for name, is_passed in zip(names, passed, strict=True)
        if is_passed and any(matches(pattern, name) for pattern in patterns)
    ]
    assert not wrong


@settings(max_examples=200, deadline=None)
@given(_patterns, _words, _words)
def test_no_attribute_that_a_pattern_matches_is_passed_by(
    pattern: str, value: str, other: str
) -> None:
    patterns = compiled(pattern)
    entries = [entry("N", other=other, radio=value, more=other), entry("M", radio=other)]
    passed = passed_by([condition("radio", *patterns)], entries)
    for text, is_passed in zip((value, other), passed, strict=True):
        assert not (is_passed and any(matches(each, text) for each in patterns))


@settings(max_examples=200, deadline=None)
@given(_patterns, st.sampled_from(("http://x/", "//", "")), _words)
@example("http:///*", "http://x/", "1.mkv")
def test_no_address_that_a_pattern_matches_is_passed_by(pattern: str, start: str, end: str) -> None:
    patterns = compiled(pattern)
    url = f"{start}{end}"
    (is_passed,) = passed_by([condition("url", *patterns)], [entry("N", url)])
    assert not (is_passed and any(matches(each, public_url(url)) for each in patterns))


@settings(max_examples=300, deadline=None)
@given(st.lists(_patterns, min_size=1, max_size=3), _words)
def test_a_test_finds_what_its_patterns_match(texts: list[str], text: str) -> None:
    patterns = compiled(*texts)
    found = condition("name", *patterns).found(texts_of([text]))
    first = next((each for each in patterns if matches(each, text)), None)
    assert (found[0] if found else None) == first


@settings(max_examples=300, deadline=None)
@given(_expressions, _words)
def test_the_literal_of_an_expression_is_in_all_that_it_matches(expression: str, text: str) -> None:
    pattern = _compiled(f"/{expression}/")
    if pattern and matches(pattern, text):
        assert literal_of(expression) in small_letters(text)


def test_most_are_passed_by() -> None:
    tests = [
        condition("name", Pattern.of("*Shopping*"), Pattern.of("/^kids (\\d+)$/")),
        condition("url", Pattern.of("*.mkv")),
        condition("tvg-id", Pattern.of("*.at")),
    ]
    entries = [
        entry("BBC One", **{"tvg-id": "bbc.uk"}),
        entry("Télé", "http://x.example/1.ts"),
        entry("Shopping 24"),
        entry("\u212aİDſ 2"),
        entry("ARD", "http://x.example/1.mkv"),
        entry("ORF", **{"tvg-id": "orf.at"}),
    ]
    assert passed_by(tests, entries) == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("expression", "literal"),
    [
        (r"^CCTV[-_ ]?(\d+)(?!\d)", "cctv"),
        (r"^(Prime) World (\d+)", "world"),
        ("abcd?e", "abc"),
        ("ab*cde+f", "cde"),
        ("abc|def", ""),
        ("(abc|def)gh", "gh"),
        ("(?:abc)?", ""),
        ("(?i)abc", ""),
        ("abc{2}", ""),
        (r"\babc", "abc"),
        ("[^]abc[d]", ""),
        ("a.b", ""),
        ("ÉTÉ news", "news"),
    ],
)
def test_the_literal_of(expression: str, literal: str) -> None:
    assert literal_of(expression) == literal


@pytest.mark.parametrize("text", ["News", "NEWſ", "\u212aick", "kİck", "kıck", "İ̇"])
def test_small_letters_are_those_of_ascii(text: str) -> None:
    assert small_letters(text).isascii()
