"""Each regular expression that sees foreign text takes linear time, whatever the text is.

The tables say of each expression in kptv what it sees. One that is in none fails the test: put its
name into FOREIGN, or into OWN if nobody but the operator writes what it reads. Its worst texts are
made of the expression itself: its beginnings and repetitions, again and again, with something
behind them that fits nothing. Those that take longest at 1.5 KB are tried at 60 KB. WORST has
others.
"""

from __future__ import annotations

import ast
import importlib
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import permutations, product
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from kptv.channels.model import Source
from kptv.channels.rules.cleaning import Cleaner
from kptv.channels.rules.model import Names
from kptv.channels.rules.patterns import Pattern
from kptv.channels.secrets import Finder, secrets_of_list
from kptv.formats.m3u_extinf import _layout, _pattern_of, _plain_pattern_of
from kptv.logs.redaction import Redactor

ROOT = Path(__file__).resolve().parents[1]
SIZE, SMALL = 60_000, 1_500  # characters
DEADLINE = 2.0  # seconds of CPU; linear ones take 0.01 for 60 KB, quadratic ones 5 to 60
LIST = "http://panel.example/get.php?username=alice.smith&password=s3cretword&token=abcdef0123"

# By file, the names of expressions or the functions that hold them.
OWN = {  # settings, and text of this proxy's own making
    "config/env_file.py": "_NAME",
    "config/parsers.py": "_DURATION _SIZE _seconds parse attribute token base_url",
    "config/sources.py": "_SOURCE_END _NAMED_SOURCE_END _NAME _NO_NAME _OF_A_NUMBER _SOURCE_LIMIT"
    " _SCHEME _WITHIN _HOST _HARMLESS_LIMIT"
    " _is_list_url _about_limit _about_url",
    "channels/guide/addresses.py": "_END _OPTION _OFFSET _ZONE _SCHEME",
    "channels/rules/places.py": "_HEADER _KEY",
    "channels/rules/literals.py": "_PART",
    "channels/rules/reading.py": "_AT _VARIABLE _PROFILE_NAME _HEADER_NAME _ATTRIBUTE",
    "demo/router.py": "_SERVER",
    "formats/hls/variants.py": "parse_selection",
}
FOREIGN = {
    "channels/accounts.py": "_PACKAGED _NUMBER _REGION _WORD_AND_NUMBER _TOKEN",
    "channels/guide/addresses.py": "_END_IN_HEADER",
    "channels/guide/keys.py": "_OTHER_PICTURE _GLUED_QUALITY",
    "channels/guide/schedule.py": "_HOURS _DESCRIPTION",
    "channels/ordering.py": "_DIGITS",
    "channels/reach.py": "_ADDRESS",
    "channels/rules/countries.py": "_WORD",
    "channels/users/told_groups.py": "_GROUPS",
    "channels/rules/cleaning.py": "_OTHERS _RAISED _RAISED_LETTER _TAG _LAST_WORD _BORDER _SUSPECT"
    " _prefix_pattern",
    "channels/rules/patterns.py": "_SIGNS _GROUP _COUNT of",
    "channels/rules/report/conflicts.py": "_COUNTRY",
    "channels/rules/sieve.py": "_APART _APART_IN_URL",
    "channels/secrets.py": "_LOGIN_FIELD _USER_FIELD _PASSWORD_FIELD _FIELD _FIELD_IN_TEXT"
    " _ANY_LOGIN _SLASH _PORT _PUBLIC _any_of",
    "channels/served.py": "_NUMBER _PICTURE _VALUE",
    "formats/charsets.py": "_HIGH_RUN _BESIDE_LETTER _NOT_RUSSIAN _WORD _PAIR _BESIDE_ASCII"
    " _INNER_FINAL _ODD",
    "formats/dash.py": "_MANIFEST is_dash_film",
    "formats/digest.py": "_PIECE _schemes",
    "formats/frames.py": "_SYNC",
    "formats/hls/parse.py": "_BEFORE_THE_START _MEDIA_TAGS _MULTIVARIANT_TAGS _PLAIN_NAME"
    " _variant _key _byte_range _whole",
    "formats/hls/tags.py": "_ATTRIBUTE _FALSE_LINE_ENDS decimal",
    "formats/hls/variables.py": "_REFERENCE",
    "formats/http.py": "_STATUS _NAME _LENGTH _CHUNK_SIZE _PART",
    "formats/identify.py": "_ENDLESS_SEGMENT _FOREIGN_PICTURE _FOREIGN_SOUND _H264 _H265 _PACK"
    " _START_CODE",
    "formats/labels.py": "_UNICODE _LABEL _NO_CHARSET",
    "formats/m3u.py": "_HASHLESS _OPTION",
    "formats/m3u_addresses.py": "starts_as_usual _SCHEME _ABSOLUTE _HOST_AND_PORT _REFERENCE _WORD"
    " _OPTIONS _PATH_START _PATH _PROSE _NO_LINK _NOTHING_WORD _CONNECTED _NO_HOST _NO_PORT"
    " _NOBODY _COMMON_STEM _DOTTED_ADDRESS _EXTENSION title",
    "formats/m3u_attributes.py": "_PAIR",
    "formats/m3u_extinf.py": "_BARE _BETWEEN_QUOTES _QUOTED_KEY _EXTINF_HEAD _KEY _CLOSING _ANY_END"
    " _SWALLOWED_KEY _BARE_VALUE _COMMA _JOINED_BY_COMMA _WORD_BETWEEN _NEVER _pattern_of"
    " _plain_pattern_of",
    "formats/m3u_headers.py": "_TOKEN _NOT_HEADERS _NEXT_OPTION _TWICE _CONTROLS",
    "formats/m3u_program.py": "_PROGRAM",
    "formats/mpegts/aligner.py": "_STARTS",
    "formats/mpegts/nal.py": "_TO_ESCAPE",
    "formats/mpegts/playtime.py": "_ADAPTED _STARTS",
    "formats/text.py": "_BREAK _TOLD",
    "formats/visible.py": "_CONTROLS _UNSEEN _JOINERS",
    "channels/guide/entry_ids.py": "_SHIFT",
    "formats/xmltv/details.py": "_ELEMENT _MARKUP _SYSTEM _SOURCE",
    "formats/xmltv/elements.py": "_BEGIN _NEXT _SPACED_ENDS",
    "formats/xmltv/links.py": "_SIGN",
    "formats/xmltv/mending.py": "_DECLARED _HIGH_WORD _AMPERSAND _BARE_LESS _MARKUP"
    " _PREFIXED _PREFIXED_VALUE",
    "formats/xmltv/reading.py": "_ATTRIBUTE _INDENTATION _TITLE _DISPLAY_NAME _ICON",
    "formats/xmltv/times.py": "_DIGITS _ISO _SIXTIETHS _OFFSET",
    "formats/xmltv/writing.py": "_EPISODE _EMPTY_REPEAT _NEW _LONE_SURROGATES",
    "logs/filters.py": "_FIGURE",
    "logs/redaction.py": "_PATTERNS spare _compile",
    "logs/user_secrets.py": "_OWN_PATH _ASKED _WORD _BORDER _GLUE",
    "upstream/hls/body.py": "size_of _offset",
    "upstream/hls/segments.py": "_method",
    "upstream/documents.py": "_CHARSET",
    "upstream/http_film.py": "_MEDIA_TYPE",
    "upstream/ffmpeg.py": "_ADDRESS _clean",
    "web/page/guide.py": "_moment",
    "web/page/json_answers.py": "page_number",
    "channels/users/names.py": "_NAME _TYPED _MADE",
    "channels/users/times.py": "_END",
    "channels/users/values.py": "_ODD",
    "web/clients.py": "_KNOWN _PRODUCT _PORT",
    "web/credentials.py": "_OWN _LIVE _SHORT",
    "web/players/hls_requests.py": "_SEGMENT _NUMBER",
    "web/players/addresses.py": "_HOST",
    "web/players/links.py": "_SUFFIX _PLAYLIST _APPENDED _LIST",
}
WORST: dict[str, tuple[str, ...]] = {  # each is repeated to 60 KB, behind what stands before "…"
    "formats/m3u_addresses.py _PATH_START": ("a.ts?",),
    "formats/m3u_addresses.py _PATH": ("a.ts?", "a."),
    "formats/m3u_extinf.py _BARE_VALUE": ("x… ", "x …y "),
    "formats/m3u_extinf.py _KEY": ("a… ", "'…\" "),
    "formats/m3u_headers.py _TWICE": ("#EXTVLCOPT", "#KODIPROP: "),
    "formats/hls/tags.py _ATTRIBUTE": ("A…a", "A… ", 'A="'),
    "web/clients.py _KNOWN": ("Version/1", "Version/1.…9 "),
}
# What is built when it is needed.
BUILT: dict[str, Callable[[], Iterable[re.Pattern[str]]]] = {
    "channels/rules/cleaning.py _prefix_pattern": lambda: [
        Cleaner(Names())._prefixes._beginning_with("")
    ],
    # The operator's own; those of the regex package have a time limit instead.
    "channels/rules/patterns.py of": lambda: [
        found._plain for text in ("*a*b?*", "a*") if (found := Pattern.of(text))._plain
    ],
    "channels/secrets.py _any_of": lambda: (
        (found := Finder(secrets_of_list(LIST)))._anywhere,
        found._in_words,
    ),
    "formats/m3u_extinf.py _pattern_of": lambda: (_learned(_pattern_of),),
    "formats/m3u_extinf.py _plain_pattern_of": lambda: (_learned(_plain_pattern_of),),
    "logs/redaction.py spare": lambda: (_redactor()._own,),
    "logs/redaction.py _compile": lambda: (_redactor()._secrets,),
}
_METHODS = ("match", "fullmatch", "search", "finditer")
_AS_FINDITER = {"sub", "subn", "findall", "split"}


def _learned(pattern_of: Callable[[str, Any], re.Pattern[str]]) -> re.Pattern[str]:
    between = '#EXTINF:-1 tvg-id=" group-title=" x='
    layout = _layout(between)
    assert layout is not None
    return pattern_of(between, layout)


def _redactor() -> Redactor:
    return Redactor([Source(1, LIST, 1), Source(2, LIST + "x" * 5000, 1)], "http://tv.example")


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError where the block takes more of the CPU: `re` looks for signals."""

    def over(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


# --- What there is ------------------------------------------------------------------------


@cache
def expressions() -> dict[str, tuple[list[re.Pattern[Any]], set[str]]]:
    """By file and name: the expressions there, and the methods by which they are used."""
    found: dict[str, tuple[list[re.Pattern[Any]], set[str]]] = {}
    for path in sorted((ROOT / "kptv").rglob("*.py")):
        source = path.read_text()
        if "re." not in source:
            continue
        file = path.relative_to(ROOT / "kptv").as_posix()
        for name, call in _calls(ast.parse(source)):
            patterns, methods = found.setdefault(f"{file} {name}", ([], set()))
            patterns += _patterns(file, name, call)
            methods |= _methods(source, name, call)
    return found


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call of the module `re`, and the name or function that it belongs to."""
    for statement in tree.body:
        for node in ast.walk(statement):
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in {"compile", *_METHODS, *_AS_FINDITER}
            ):
                continue
            yield _owner(statement, node), node


def _owner(statement: ast.stmt, call: ast.Call) -> str:
    if isinstance(statement, ast.Assign):
        assert isinstance(statement.targets[0], ast.Name)
        return statement.targets[0].id
    if isinstance(statement, ast.AnnAssign):
        assert isinstance(statement.target, ast.Name)
        return statement.target.id
    inner = [
        node.name
        for node in ast.walk(statement)
        if isinstance(node, ast.FunctionDef) and any(n is call for n in ast.walk(node))
    ]
    return inner[-1] if inner else "?"


def _patterns(file: str, name: str, call: ast.Call) -> list[re.Pattern[Any]]:
    key = f"{file} {name}"
    if key in BUILT:
        return list(BUILT[key]())
    module = importlib.import_module("kptv." + file.removesuffix(".py").replace("/", "."))
    if hasattr(module, name) and not callable(value := getattr(module, name)):
        return list(_within(value))
    if hasattr(getattr(module, name, None), "__self__"):
        return list(_within(getattr(module, name).__self__))
    first = call.args[0]
    if isinstance(first, ast.Constant):
        return [re.compile(first.value)]
    if file in OWN:
        return []
    raise AssertionError(f"{key}: made when it is needed, put it into BUILT")


def _within(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from _within(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _within(item)


def _methods(source: str, name: str, call: ast.Call) -> set[str]:
    assert isinstance(call.func, ast.Attribute)
    used = {call.func.attr} if call.func.attr != "compile" else set[str]()
    used |= set(re.findall(rf"\b{name}(?:\[\w+\])?\.(\w+)\(", source))
    used |= set(
        re.findall(rf"^{name} = re\.compile\((?:[^()]|\([^()]*\))*\)\.(\w+)$", source, re.M)
    )
    used = {"finditer" if method in _AS_FINDITER else method for method in used}
    return used & set(_METHODS) or {"search", "finditer"}


# --- The worst for each -------------------------------------------------------------------


def worst_texts(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """A beginning, what is repeated behind it, and the end."""
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    pieces = list(dict.fromkeys(_pumped(tree, "")))
    letters = list(dict.fromkeys(c for head, again in pieces for c in head[-1:] + again))[:5]
    pieces += [("", "".join(pair)) for pair in permutations(letters, 2)]
    pieces += [("", letter) for letter in letters]
    pieces.append(("", _example(tree)))
    for (head, again), end in product(dict.fromkeys(pieces), ("\x01", " !")):
        if again:
            yield head, again, end


def _pumped(tree: Iterable[Any], head: str) -> Iterator[tuple[str, str]]:
    """For each repetition: what comes before it, and what is repeated."""
    for kind, value in tree:
        for part in _parts(kind, value):
            if kind in _REPEATS:
                again = _example(part)
                yield head, again
                yield "", head + again
                yield head + again, " "
            yield from _pumped(part, head)
        head += _example([(kind, value)])
        yield "", head


_REPEATS = {
    _constants.MAX_REPEAT,
    _constants.MIN_REPEAT,
    getattr(_constants, "POSSESSIVE_REPEAT", None),
}


_WORDS = 12  # of a branch that has hundreds


def _parts(kind: Any, value: Any) -> Sequence[Any]:
    """What is inside a node of a parsed expression."""
    if kind in _REPEATS:
        return [value[2]]
    if kind is _constants.SUBPATTERN:
        return [value[3]]
    if kind is _constants.BRANCH:
        words = [part for part in value[1] if all(kind is _constants.LITERAL for kind, _ in part)]
        others = [part for part in value[1] if part not in words]
        return [*others, *words[:: max(1, len(words) // _WORDS)]]  # one word is like another
    if kind is getattr(_constants, "ATOMIC_GROUP", None):
        return [value]
    if kind is _constants.ASSERT:
        return [value[1]]
    return []


def _example(tree: Iterable[Any]) -> str:
    """A short text that it matches, more or less."""
    text = ""
    for kind, value in tree:
        parts = _parts(kind, value)
        if kind is _constants.LITERAL:
            text += chr(value)
        elif kind in (_constants.ANY, _constants.NOT_LITERAL):
            text += "a" if value != ord("a") else "b"
        elif kind is _constants.IN:
            text += _member(value)
        elif kind in _REPEATS:
            text += _example(parts[0]) * max(value[0], 1)
        elif kind is not _constants.ASSERT and parts:
            text += _example(parts[0])
    return text


def _member(items: Sequence[Any]) -> str:
    """A character of a class."""
    for character in "a1A. -_\"'/\\=:;,é\x85\t" + "".join(map(chr, range(256))):
        matches = any(_is_in(character, kind, value) for kind, value in items)
        if matches != (items[0][0] is _constants.NEGATE):
            return character
    first = next(value for kind, value in items if kind is not _constants.NEGATE)
    return chr(first if isinstance(first, int) else first[0])


def _is_in(character: str, kind: Any, value: Any) -> bool:
    if kind is _constants.LITERAL:
        return ord(character) == value
    if kind is _constants.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    if kind is _constants.CATEGORY:
        letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[str(value).rpartition("_")[2]]
        letter = letter.upper() if "NOT" in str(value) else letter
        return re.match(f"\\{letter}", character) is not None
    return False


# --- The test -----------------------------------------------------------------------------


def seconds(pattern: re.Pattern[Any], method: str, text: str) -> float:
    """CPU time of one use."""
    given = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    begun = time.thread_time()
    found = getattr(pattern, method)(given)
    if method == "finditer":
        for _ in found:
            pass
    return time.thread_time() - begun


def filled(head: str, again: str, end: str, size: int) -> str:
    return (head + again * (size // len(again) + 1))[:size] + end


def test_each_expression_is_known() -> None:
    there = expressions()
    known = {
        f"{file} {name}"
        for table in (OWN, FOREIGN)
        for file in table
        for name in table[file].split()
    }
    assert set(there) - known == set(), "put them into FOREIGN or OWN"
    assert known - set(there) == set(), "they are no more"
    assert set(WORST) | set(BUILT) <= known


@pytest.mark.parametrize("file", sorted(FOREIGN))
def test_each_expression_for_foreign_text_takes_linear_time(file: str) -> None:
    slow = []
    for key, (patterns, methods) in expressions().items():
        if key.partition(" ")[0] != file or key.partition(" ")[2] in OWN.get(file, "").split():
            continue
        for pattern, method in product(dict.fromkeys(patterns), sorted(methods)):
            slow += [(key, method, text) for text in too_slow(pattern, method, WORST.get(key, ()))]
    assert not slow


def too_slow(
    pattern: re.Pattern[Any], method: str, given: Iterable[str], deadline: float = DEADLINE
) -> Iterator[str]:
    """The texts for which it takes too long, as made: beginning, repetition, end."""
    worst: list[tuple[float, tuple[str, str, str]]] = []
    for parts in worst_texts(pattern):
        try:
            with at_most(deadline):
                worst.append((seconds(pattern, method, filled(*parts, SMALL)), parts))
        except TimeoutError:
            yield repr(parts)
            return
    tried = [parts for _, parts in sorted(worst, reverse=True)[:3]]
    tried += [(*("…" + text).rsplit("…", 1), "!") for text in given]  # type: ignore[misc]
    for head, again, end in tried:
        try:
            with at_most(deadline):
                seconds(pattern, method, filled(head.lstrip("…"), again, end, SIZE))
        except TimeoutError:
            yield repr((head, again, end))


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(a+)+$", "match"),
        (r"\s+x", "search"),
        (rb"<!--.*?-->", "finditer"),
    ],
)
def test_an_expression_that_is_not_linear_is_found(pattern: str | bytes, method: str) -> None:
    assert next(too_slow(re.compile(pattern), method, (), deadline=0.5))  # type: ignore[type-var]


def test_an_expression_that_is_linear_is_not() -> None:
    assert not list(too_slow(re.compile(r"(?:\w++\.)*+x|\s++y"), "match", ()))


# --- One meaning everywhere ---------------------------------------------------------------


def goes_on_behind_a_failed_try(tree: Iterable[Any]) -> bool:
    """Whether an expression repeats, possessively, more than one character at a time."""
    return any(
        (kind is _constants.POSSESSIVE_REPEAT and not _is_one_character(value[2]))
        or any(goes_on_behind_a_failed_try(part) for part in _parts(kind, value))
        for kind, value in tree
    )


def _is_one_character(tree: Sequence[Any]) -> bool:
    single = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN, _constants.ANY)
    return len(tree) == 1 and tree[0][0] in single


def test_each_expression_means_the_same_to_all_versions_of_python() -> None:
    """Debian 12 has Python 3.11.2: before 3.11.5 `(?:ab|…)*+` may swallow half of its last try.

    python/cpython#106052; an atomic group around a plain repetition, `(?>(?:ab|…)*)`, does not.
    """
    wrong = {
        key
        for key, (patterns, _) in expressions().items()
        for pattern in patterns
        if goes_on_behind_a_failed_try(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        (r"[\d.]++(?::\d++)?+", True),
        (r"(?:a(?:bb|c)*+)?", True),
        (r"[\d.]++(?>(?::\d++)?)[^a]*+b?+.++", False),
    ],
)
def test_an_expression_that_does_not_is_found(text: str, *, is_wrong: bool) -> None:
    assert goes_on_behind_a_failed_try(_parser.parse(text)) is is_wrong
