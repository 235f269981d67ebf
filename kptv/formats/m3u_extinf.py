"""The ``#EXTINF`` lines of a channel list, read: attributes and name, however they are quoted.

Nearly every line is as it should be, and is taken apart at its quotes. An odd one is read by
tokens, as a person would: a quote that closes a value ends it, wherever others stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from kptv.formats.m3u_addresses import USUAL_START
from kptv.formats.m3u_attributes import in_order, quoted
from kptv.formats.m3u_bounds import LONGEST_KEY, LONGEST_NAME, MOST_ATTRIBUTES
from kptv.formats.m3u_headers import HEADER_KEYS

_LONGEST_LAYOUT = 4096  # letters without the values; a longer line is odd
_LEARNED_AFTER = 64  # lines of one layout in a row: its pattern takes as long as 100 of them
_MOST_PIECES = 33  # of a line; one with more is not worth a pattern
_NEVER = re.compile(r"(?!)")
_BARE = re.compile(r"#EXTINF:[-+ ]*+[\d.]*+ *+,(.*+)")  # a line without attributes
# What stands between the quotes of a well-formed #EXTINF line: duration, then one key per value.
_BETWEEN_QUOTES = re.compile(r'(#EXTINF:[-+ ]*+[\d.]*+)(?>(?: *+[A-Za-z0-9_.:-]++=(?:"|$))+)')
_QUOTED_KEY = re.compile(r'(?<![A-Za-z0-9_.:-])([A-Za-z0-9_.:-]++)=(?:"|$)')
# The pieces of any other line.
_EXTINF_HEAD = re.compile(r"#EXTINF\s*+[:：]?+\s*+[-+]?+[\d.]*+", re.I)
# A key that lost its "=": tvg-logo"http…; of a known kind also with a blank or a colon there.
_NO_EQUALS = (
    r'(?:[A-Za-z]\w*+-[\w-]*+(?="[^\s",])|(?:tvg|group|channel)-[\w-]++(?:\s*+:\s*+|\s++)(?="))'
)
_KEY = re.compile(rf"""[\s,;]*+["'\s;]*+(?:([^\s="',]++)\s*+=\s*+|({_NO_EQUALS}))""")
# A quote closes only before a comma, the end or the next key; stray quotes may stand between.
_CLOSING = {
    quote: re.compile(
        quote + rf"""(?=\s*+(?>(?:["']\s*+){{0,2}})(?:,|$|[^\s="',]++\s*+=|{_NO_EQUALS}))"""
    )
    for quote in "\"'"
}
_ANY_END = {quote: re.compile(f"{quote}|,|$") for quote in _CLOSING}
_SWALLOWED_KEY = re.compile(r'\s[\w-]++="')  # in a value whose own quote never closed
_BARE_VALUE = re.compile(
    r'(?>(?:[^\s,]++|\s++(?![^\s="\',]++\s*+=))*)'
)  # to a comma or the next key=
_COMMA = re.compile(r"\s*+,")
_JOINED_BY_COMMA = re.compile(r'\s*+,\s*+[\w-]++\s*+=\s*+"')
_WORD_BETWEEN = re.compile(r"\s*+[^\s,]++")

# What an #EXTINF line says: name, attributes as text, group, and whether they ask for headers.
Info = tuple[str, str, str, bool]
# An entry that has nothing more to say: attributes as text, one group or none, name, address.
PlainEntry = tuple[str, str, str, str]


class ExtinfParser:
    """Reads the ``#EXTINF`` lines of a list, however they are quoted.

    Most lines of a list have the same keys. After some lines of one layout, a pattern for that
    layout is tried first: it takes a quarter of the time, and says the same.
    """

    def __init__(self) -> None:
        self._usual = _NEVER.fullmatch
        self._asks = False  # for headers, a line that is usual
        # Finds plain entries, once a layout was learned: usual lines, each with a usual address.
        self.find_plain: Callable[[str], list[PlainEntry]] | None = None
        self._layout: _Layout | None = None  # of the last line that was read at its quotes
        self._times = 0  # that this layout came in a row

    def parse(self, line: str) -> Info:
        """What ``line`` says."""
        if usual := self._usual(line):
            text, group, name = usual.groups()
            return name.strip(", "), text, group, self._asks
        pieces = line.split('"')  # '#EXTINF:-1 tvg-id=', 'value', ' tvg-name=', …, ',name'
        if len(pieces) == 1 and (bare := _BARE.match(line)):
            return bare[1].strip(", "), "", "", False
        between = '"'.join(pieces[:-1:2])
        layout = _layout(between) if len(between) <= _LONGEST_LAYOUT else None
        name = pieces[-1]
        if layout is None or len(pieces) != layout.pieces or name[:1] != ",":
            end = _EXTINF_HEAD.match(line).end()  # type: ignore[union-attr]
            return _info_of(*scan_attributes(line, end))
        self._learn(layout, between)
        tidy = name.strip(", ")
        if layout.is_canonical and ' "' not in line and '=" ' not in line:
            text, group = line[layout.start : -len(name)], pieces[layout.group]
            return tidy, text, group if layout.group else "", layout.asks
        values = map(str.strip, pieces[1::2])
        attributes = dict(zip(layout.keys, values))  # noqa: B905  as many; strict is slow
        if len(attributes) != len(layout.keys):
            attributes = _first_of_each(zip(layout.keys, pieces[1::2]))  # noqa: B905
        return _info_of(attributes, tidy)

    def _learn(self, layout: _Layout, between: str) -> None:
        if layout is not self._layout:
            self._layout, self._times = layout, 0
        self._times += 1
        if self._times == _LEARNED_AFTER and layout.is_canonical and layout.pieces <= _MOST_PIECES:
            self._usual, self._asks = _pattern_of(between, layout).fullmatch, layout.asks
            self.find_plain = None if layout.asks else _plain_pattern_of(between, layout).findall


def _info_of(attributes: dict[str, str], name: str) -> Info:
    asks = not HEADER_KEYS.isdisjoint(attributes)
    return name, quoted(attributes), attributes.get("group-title", ""), asks


@dataclass(frozen=True, slots=True)
class _Layout:
    """All that lines with the same keys have in common."""

    keys: list[str]
    pieces: int  # that quotes cut the line into
    start: int  # of the attributes in it
    group: int  # the piece that is the group's name; 0: there is none
    asks: bool  # for headers
    is_canonical: bool  # the text is as ``quoted`` would write it


@lru_cache(maxsize=128)
def _layout(between: str) -> _Layout | None:
    """The layout of a line with this text between its quotes; None if it is odd."""
    match = _BETWEEN_QUOTES.fullmatch(between)
    if match is None or between.count("=") > MOST_ATTRIBUTES:
        return None
    keys = [key.lower() for key in _QUOTED_KEY.findall(between[match.end(1) :])]
    canonical = match[1] + '"'.join([f" {key}=" for key in in_order(dict.fromkeys(keys))])
    return _Layout(
        keys,
        pieces=2 * len(keys) + 1,
        start=match.end(1),
        group=2 * keys.index("group-title") + 1 if "group-title" in keys else 0,
        asks=not HEADER_KEYS.isdisjoint(keys),
        is_canonical=between == canonical,
    )


def _pattern_of(between: str, layout: _Layout) -> re.Pattern[str]:
    """Matches the lines of ``layout`` whose values have no blanks to strip: text, group, name."""
    start = _start_of(between, layout, '[^"]*+')
    return re.compile(rf'{start},([^"]*+)')


def _plain_pattern_of(between: str, layout: _Layout) -> re.Pattern[str]:
    """Finds such a line and an address behind it: a PlainEntry, if neither has a further quote."""
    start = _start_of(between, layout, f'[^";]{{0,{LONGEST_NAME}}}+')
    name = rf"(?![ ,]).{{1,{LONGEST_NAME}}}+(?<![\s,])"
    return re.compile(rf"^{start},({name})\n({USUAL_START}.*+(?<!\s))\n", re.M)


def _start_of(between: str, layout: _Layout, group: str) -> str:
    """The expression for all before the name: text, group; ``group`` is that of the group."""
    keys = between[layout.start :].split('"')
    values = [r'"(?! )[^"]*+(?<![ =])"'] * (len(keys) - 1) + [r'"(?! )[^"]*+(?<! )"']
    if layout.group:
        of_group = layout.group // 2
        values[of_group] = f'"({values[of_group][1:-1]})"'.replace('[^"]*+', group)
    attributes = "".join(map("".join, zip(map(re.escape, keys), values, strict=True)))
    head, no_group = re.escape(between[: layout.start]), "" if layout.group else "()"
    return f"{head}({no_group}{attributes})"


def scan_attributes(text: str, position: int = 0) -> tuple[dict[str, str], str]:
    """Attributes from ``position`` on, and the name behind their comma, read by tokens."""
    pairs: list[tuple[str, str]] = []
    words: list[str] = []
    while len(pairs) < MOST_ATTRIBUTES and len(words) < MOST_ATTRIBUTES:
        key = None if _ends_here(text, position) else _KEY.match(text, position)
        if key:
            value, position = _value(text, key.end())
            pairs.append((key[1] or key[2].rstrip(" :"), value))
            continue
        word = None if _ends_here(text, position) else _WORD_BETWEEN.match(text, position)
        if word is None:
            break
        words.append(word[0].strip())
        position = word.end()
    _, comma, name = text[position:].partition(",")
    return _first_of_each(pairs), name.strip(", ") if comma else " ".join(words).lstrip("， ")


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The attributes; of a key that comes several times, the first value that is not empty."""
    attributes: dict[str, str] = {}
    for key, value in pairs:
        if len(key) > LONGEST_KEY:
            continue
        attributes[key.lower()] = attributes.get(key.lower()) or value.strip()
    return attributes


def _ends_here(text: str, position: int) -> bool:
    """Whether the comma before the name is next; some lists join attributes by commas too."""
    return _COMMA.match(text, position) is not None and not _JOINED_BY_COMMA.match(text, position)


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that starts at ``position``, and where it ends."""
    quote_mark = text[position : position + 1]
    closing = _CLOSING.get(quote_mark)
    if closing is None:
        bare = _BARE_VALUE.match(text, position)
        assert bare is not None  # it matches the empty text
        return bare[0].strip().strip("\"'“”"), bare.end()
    start = position + 1
    end = closing.search(text, start) or _ANY_END[quote_mark].search(text, start)
    assert end is not None  # a text has an end
    stop = end.start()
    swallowed = _SWALLOWED_KEY.search(text, start, stop)
    if swallowed:
        return text[start : swallowed.start()].rstrip("\"'"), swallowed.start()
    value = text[start:stop]
    if value.count(quote_mark) % 2:
        if text[stop : stop + 2] == 2 * quote_mark:  # a="say "hi"": the second one closes
            return f"{value}{quote_mark}", stop + 2
        value = value.strip(quote_mark)  # a=""x"
    return value, stop + (text[stop : stop + 1] == quote_mark)
