"""Entries out of the lines of an IPTV channel list (extended M3U), and one canonical line back.

There is no standard; this reads what VLC, Kodi and the lists found in the wild agree on, and what
they disagree on as a person would. An entry is an address, what its ``#EXTINF`` line says, and the
option lines (``#EXTGRP``, ``#EXTVLCOPT``, ``#KODIPROP``, ``#EXTHTTP``) near it. Nothing raises: a
line that makes no sense costs itself, and is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kptv.formats.m3u_addresses import (
    anonymous,
    is_address,
    is_placeholder,
    resolved,
    starts_as_usual,
    title,
)
from kptv.formats.m3u_attributes import INNER, quoted, unquoted
from kptv.formats.m3u_bounds import (
    LONGEST_NAME,
    LONGEST_OPTIONS,
    LONGEST_URL,
    LONGEST_VALUE,
    MOST_HEADERS,
    groups_of,
    short_attributes,
    short_name,
)
from kptv.formats.m3u_extinf import ExtinfParser, Info, PlainEntry, scan_attributes
from kptv.formats.m3u_headers import (
    HEADER_KEYS,
    HEADER_NAMES,
    add_header,
    headers_of_option,
    split_options,
)
from kptv.formats.m3u_program import wished_program
from kptv.formats.visible import all_visible, lines_are_visible, visible

_MOST_HEADERS = 64  # attributes of a list
_GUIDES = frozenset(("url-tvg", "x-tvg-url", "tvg-url"))  # some of them: URLs of XMLTV
_LONGEST_GUIDES = 64 * 1024  # letters; some lists name a hundred
_MOST_OPTIONS = 64  # option lines of an entry
_MOST_BREAKS = 8  # lines that an #EXTINF may go on in
_LONGEST = 64 * 1024  # characters of a line put together

_HASHLESS = re.compile(r"EXT(?:INF|M3U|GRP|VLCOPT|HTTP|ENC)(?![\w-])|KODIPROP:", re.I)
_OPTION = re.compile(  # some lists say it twice: #EXTGRP:#EXTGRP: News
    r"(#EXTGRP|#EXTVLCOPT|#KODIPROP|#EXTHTTP)(?![\w-])\s*+:?+\s*+(?>(?:\1\s*+:\s*+)*)", re.I
)

_OF_PLAYERS = ("#EXTVLCOPT", "#KODIPROP")


class Entry(NamedTuple):
    """One item of a channel list. No text in it holds a control character."""

    name: str  # never empty
    url: str  # as listed, but never relative; of any scheme, or none
    quoted: str  # its attributes as text, see m3u_attributes
    groups: tuple[str, ...]  # of group-title and #EXTGRP, each cut at ";"
    headers: dict[str, str]  # to be sent when the URL is requested
    program: int = 0  # the number of the programme wanted, of a stream with several; 0: any

    @property
    def attributes(self) -> dict[str, str]:
        """Of #EXTINF; keys in lower case."""
        return unquoted(self.quoted)


class ListParser:
    """Feed lines, get entries; afterwards see ``headers``, ``skipped`` and ``cut``."""

    def __init__(self, base: str = "") -> None:
        """``base`` is what relative URLs are resolved against: the list's own URL."""
        self.headers: dict[str, str] = {}  # attributes of #EXTM3U: x-tvg-url, url-tvg, …
        self.skipped = 0  # lines that stand for nothing, and entries without an address
        self.cut = 0  # names, groups, values, options that were too long
        self._base = base
        self.is_list = False  # an #EXTM3U or #EXTINF was seen
        self._extinf = ExtinfParser()
        self._info = ""  # the #EXTINF line that waits for its address
        self._breaks = 0  # lines that it went on in
        self._is_counted = False  # as skipped already
        self._said: tuple[str, Info] = "", ("", "", "", False)  # such a line, and what it says
        self._options: list[str] = []
        self._options_size = 0  # letters
        # The #EXTINF and the option lines of the last entry: they hold for further addresses of it.
        self._last: Info | None = None
        self._last_options: list[str] = []
        self._host = "\n"  # the start of the last usual address; most are of one host

    def feed(self, lines: Sequence[str]) -> list[Entry]:
        """The entries that ``lines`` complete, one for each address."""
        entries = []
        are_visible = all_visible(lines)
        host = self._host
        for text in lines:
            line = text.strip()
            if not line:
                continue
            if not are_visible and not line.isprintable():
                line = visible(line)
                if not line:
                    continue
            if line[:7] == "#EXTINF":
                if self._info:
                    self._drop()
                self._info, self.is_list = line, True
                continue
            if line[:1] == "#":
                self._directive(line)
                continue
            is_usual = line.startswith(host)
            if not is_usual and (start := starts_as_usual(line)):
                host, is_usual = start[0], True
            if (
                is_usual
                and " " not in line
                and '"' not in line
                and "|" not in line
                and len(line) <= LONGEST_URL
            ):
                entries.append(self._entry(line, line, {}))
            else:
                entries += self._other_line(line)
        self._host = host
        return entries

    def plain(self, text: str) -> list[PlainEntry]:
        """The entries of ``text``, if all are plain; else none, and ``feed`` reads its lines.

        Each line of it ends with LF. Plain entries take a third of the time that way, and nearly
        all entries of a long list are plain.
        """
        extinf = self._extinf
        if extinf.find_plain is None or self._info or self._options:
            return []
        found = extinf.find_plain(text)
        # Each takes two lines at least.
        if not found or text.count("\n") != 2 * len(found):
            return []
        addresses = [address for _, _, _, address in found]
        texts, names = [told for told, _, _, _ in found], [name for _, _, name, _ in found]
        if max(map(len, addresses)) > LONGEST_URL or max(map(len, texts)) > LONGEST_VALUE:
            return []
        # The expression leaves these to us, and so takes half the time.
        beside = "".join(addresses)
        if " " in beside or "|" in beside or '"' in beside or '"' in "".join(names):
            return []
        if not lines_are_visible(text):
            return []
        attributes, group, name, _ = found[-1]
        self._last, self._last_options = (name, attributes, group, False), []
        return found

    def finish(self) -> None:
        """No more lines: an #EXTINF still waiting has no address."""
        if self._info:
            self._drop()

    def _drop(self) -> None:
        """Forget an #EXTINF that has no address."""
        self.skipped += not self._is_counted
        self._info, self._breaks, self._is_counted = "", 0, False
        self._options = []

    def _directive(self, line: str) -> None:
        word = line[:7].upper()
        if word == "#EXTINF":
            if self._info:
                self._drop()
            self._info, self.is_list = line, True
        elif word == "#EXTM3U":
            self.is_list = True
            self._last = None
            self._add_headers(scan_attributes(line[7:].lstrip(":"))[0])
        elif _OPTION.match(line):
            self._add_option(line)
        elif (comment := line.strip("# ")) and not is_address(comment, expected=False):
            self._last = None  # it may be the title of what follows

    def _add_option(self, line: str) -> None:
        if not self._options:
            self._options_size = 0
        self._options_size += len(line)
        if len(self._options) < _MOST_OPTIONS and self._options_size <= LONGEST_OPTIONS:
            self._options.append(line)
        else:
            self.cut += 1

    def _info_said(self) -> Info:
        """The content of the #EXTINF line that waits, read once, however often it is asked for."""
        if self._said[0] is not self._info:
            self._said = self._info, self._extinf.parse(self._info)
        return self._said[1]

    def _other_line(self, line: str) -> Iterable[Entry]:
        """Read an unusual line: an odd address, a directive without its "#", or a part of one."""
        if _HASHLESS.match(line):
            self._directive(f"#{line}")
            return ()
        info = self._info
        if '"' in line and info.count('"') % 2 and self._goes_on(line):
            return ()
        if self._is_address(line):
            url, headers = line, dict[str, str]()
            if "|" in line and not line.startswith("pipe:"):
                url, headers = split_options(line)
            if len(url) > LONGEST_URL:
                return self._too_long()
            entry = self._entry(line, resolved(self._base, url), headers)
            if '"' in line:  # what is missing between the lines may be an #EXTINF
                self._last = None
            return (entry,)
        if not info or self._info_said()[0] or not self._goes_on(line):
            self.skipped += not self._is_counted
            self._is_counted = bool(info)
            if not is_placeholder(line):
                self._last = None
        return ()

    def _too_long(self) -> tuple[Entry, ...]:
        """Skip an address that no server would take, with its entry."""
        self.skipped += 1
        self._info, self._breaks, self._is_counted = "", 0, False
        self._options, self._last = [], None
        return ()

    def _add_headers(self, attributes: Mapping[str, str]) -> None:
        """Keep what an #EXTM3U line says. Joined lists have several: all their guides count."""
        for key, value in attributes.items():
            known = self.headers.get(key, "")
            if not known and len(self.headers) < _MOST_HEADERS:
                self.headers[key] = value
            elif key in _GUIDES and value not in known and len(known) < _LONGEST_GUIDES:
                self.headers[key] = f"{known}, {value}"

    def _is_address(self, line: str) -> bool:
        if (self.is_list or "://" in line) and is_address(line, expected=False):
            return True
        # A word alone is rather the name that an #EXTINF lacks than an address.
        return bool(self._info and self._info_said()[0]) and is_address(line, expected=True)

    def _goes_on(self, line: str) -> bool:
        """Add a line to the #EXTINF that waits, if that was broken; False if it must not be."""
        info = self._info
        if self._breaks == _MOST_BREAKS or len(info) + len(line) > _LONGEST:
            return False
        is_in_link = info.count('"') % 2 and "://" in info.rpartition('"')[2]
        self._info = f"{info}{line}" if is_in_link else f"{info} {line}"
        self._breaks += 1
        return True

    def _entry(self, line: str, url: str, headers: dict[str, str]) -> Entry:
        options = self._options
        if options:
            self._options = []
        if self._info:
            info = self._extinf.parse(self._info)
            self._info, self._breaks, self._is_counted = "", 0, False
            if not info[0]:
                info = (_other_name(unquoted(info[1]), line, url), *info[1:])
            self._last, self._last_options = info, options
        elif self._last:  # a further address of the entry before; its own options first
            info = self._last
            options = [*options, *self._last_options][:_MOST_OPTIONS]
        else:
            info = _other_name({}, line, url), "", "", False
        name, text, group, asks = info
        if options or asks:
            attributes = unquoted(text)
            group = _apply_options(options, attributes, headers, group)
            for key in HEADER_KEYS.intersection(attributes):
                add_header(headers, HEADER_NAMES[key], attributes[key])
            text = quoted(attributes)
        if len(text) > LONGEST_VALUE or len(name) > LONGEST_NAME or len(group) > LONGEST_NAME:
            name, text, group = self._shortened(name, text, group)
        groups: tuple[str, ...] = (group,) if group else ()
        if ";" in group:
            groups, cut = groups_of(group)
            self.cut += cut
        program = wished_program(map(_told, options)) if options else 0
        return Entry(name, url, text, groups, headers, program)

    def _shortened(self, name: str, text: str, group: str) -> tuple[str, str, str]:
        """Within the bounds (see m3u_bounds)."""
        groups, cut = groups_of(group)
        if cut:
            group = ";".join(groups)
        if cut or len(text) > LONGEST_VALUE:
            text, of_text = short_attributes(text)
            cut = max(cut, of_text)  # the group is in both
        self.cut += cut + (len(name) > LONGEST_NAME)
        return short_name(name), text, group


def extinf(name: str, text: str) -> str:
    """The canonical line, without its end; name and attributes as an entry has them.

    Double quotes become single ones: no reader of M3U knows an escape for them.
    """
    line = f"#EXTINF:-1{text},"
    if INNER in line:
        line = line.replace(INNER, "'")
    return line + (name.replace('"', "'") if '"' in name else name)


def _told(line: str) -> str:
    """What an option line of a player says."""
    option = _OPTION.match(line)
    return line[option.end() :] if option and option[1].upper() in _OF_PLAYERS else ""


def _apply_options(
    lines: Iterable[str], attributes: dict[str, str], headers: dict[str, str], group: str
) -> str:
    """Put what option lines say into ``attributes`` and ``headers``; gives the groups, joined."""
    for line in lines:
        option = _OPTION.match(line)
        assert option is not None  # or the line would not be kept
        word, rest = option[1].upper(), line[option.end() :]
        if word == "#EXTGRP":
            rest = rest.lstrip("= ").strip('"').strip()
            attributes["group-title"] = attributes.get("group-title") or rest
            group = f"{group};{rest}"
        else:
            for name, value in headers_of_option(word, rest).items():
                if len(headers) < MOST_HEADERS:
                    headers.setdefault(name, value)
    return group


def _other_name(attributes: Mapping[str, str], line: str, url: str) -> str:
    for name in (attributes.get("tvg-name", ""), attributes.get("tvg-id", ""), title(line, url)):
        if tidy := name.strip(", "):  # as in an #EXTINF, so that it parses back to the same
            return tidy
    return anonymous(url)
