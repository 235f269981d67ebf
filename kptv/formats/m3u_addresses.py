"""Which line of a channel list is an address, what it leads to, and a name for one that has none.

An address is told from prose, from separators, and from placeholders for a stream that does not
exist (``[NO PUBLIC STREAM]``, ``http://0.0.0.0``).
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urlsplit

from kptv.formats.addresses import resolve
from kptv.formats.visible import visible

# How nearly every address starts: it is one if neither blanks nor quotes nor options follow. It is
# the dearest question of an import, so it is asked in few steps, and once for each host.
USUAL_START = r"https?://[a-zA-Z0-9-]++\.(?<!//0\.)(?<!//127\.)(?!invalid\b)[a-zA-Z0-9.-]++[:/]"
starts_as_usual = re.compile(USUAL_START).match

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:(?://|(?!\d))")  # not host:port
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+://")
_HOST_AND_PORT = re.compile(r"[\w.-]++:\d++(?:/|$)")
_REFERENCE = re.compile(r"[^\s\"<>\[\]{}|\\^`]++")  # RFC 3986: what a relative URL may hold
_WORD = re.compile(r"[/.?]*+[\w%~]")  # and no separator (=====)
_OPTIONS = re.compile(r"\|(?=\s*+[\w!-]++=)")  # of Kodi: URL|User-Agent=…
# A path, or a file's name with its extension, of a line that nothing announced.
_PATH_START = re.compile(r"(?=[\w~%./-])[^\s\"<>\[\]{}|\\^`;()]++")
_PATH = re.compile(r"[\w%](?:/|\.\w{2,5})")

# "http://example.com is down": a blank ends the host, and no path follows.
_PROSE = re.compile(r"https?://[^\s/?#]*+\s", re.I)
_NO_LINK = re.compile(r"(?:about|blob|data|javascript|mailto|tel|view-source):", re.I)
_NOTHING = (  # what people write if there is no stream
    r"n/?a|nan|nil|none|null|undefined|false|0|tb[ad]|blank|empty|dummy|placeholder|offline"
    r"|disabled|unavailable|coming[-_. ]?soon"
    r"|not[-_. ]?available|no[-_. ]?(?:public[-_. ]?)?(?:stream|link|url|signal)s?(?: available)?"
    r"|(?>(?:file:(?>(?://)?))?)/dev/(?:null|zero)"
)
_NOTHING_WORD = re.compile(rf"[^\w/]*+(?:{_NOTHING})\W*+", re.I)
_CONNECTED = re.compile(r"(?:https?|rtsp[stu]?|rtmp\w{0,2}|mms[htu]?)://", re.I)
_NO_HOST = re.compile(
    rf"""(?>(?:[^/?\#@\s]*+@)?) (?:
        (?: 0(?:\.0){{0,3}} | \[[0:]++\] ) (?>(?::\d*+)?) (?:[/?\#|]|$)  # RFC 6890: nobody's
      | [^\w\[/?\#|:]*+ (?:[/?\#|:]|$)
      | (?: localhost | 127(?:\.\d{{1,3}}){{1,3}} | \[::1\] ) /?+ (?:\||$)  # nor port nor path
      | (?:[\w-]++\.)*?invalid (?>(?::\d*+)?) (?:[/?\#|]|$)  # RFC 6761, 6.4
      | (?: {_NOTHING} ) /?+ (?:\||$)
    )""",
    re.I | re.X,
)
# The same without a scheme; 0/1.ts is a path.
_NOBODY = re.compile(
    r"0++(?:\.0++){3}(?>(?:[:/].*+)?)|(?:localhost|127(?:\.\d{1,3}){3}|\[[0:]*+1?+\])/?+", re.I
)
# If nobody is connected to (UDP), no host means any address of this machine, but not any port.
_NO_PORT = re.compile(
    r"(?:udp|rtp|igmp|srt|rist|tcp)://@?+(?>(?:0\.0\.0\.0)?)(?>(?::0*+)?)(?:[/?#|]|$)", re.I
)

_COMMON_STEM = re.compile(r"index|playlist|master|stream|live|chunklist|manifest|mono|video", re.I)
_DOTTED_ADDRESS = re.compile(r"[\d.]++(?>(?::\d++)?)")
_EXTENSION = re.compile(r"\.\w{2,5}$")


def is_address(line: str, *, expected: bool) -> bool:
    """Whether ``line`` is an address, and one at which there may be a stream.

    ``expected``: an #EXTINF waits for it, so that a word alone may be one (``stream1``).
    """
    if _ABSOLUTE.match(line):
        return not (_PROSE.match(line) or _leads_nowhere(line))
    reference = _OPTIONS.split(line, 1)[0].rstrip()
    if _NO_LINK.match(line) or _stands_for_none(reference):
        return False
    if not expected:
        return "://" not in line and is_file(line)
    return _REFERENCE.fullmatch(reference) is not None and (
        is_file(reference) or _WORD.match(reference) is not None
    )


def is_file(line: str) -> bool:
    """Whether a line is a path or a file's name, and could not be a word of something else."""
    start = _PATH_START.match(line)
    return start is not None and len(line.split()) == 1 and _PATH.search(start[0]) is not None


def is_placeholder(line: str) -> bool:
    """Whether ``line`` stands for a missing stream, as one of several addresses may."""
    reference = _OPTIONS.split(line, 1)[0].rstrip()
    if _ABSOLUTE.match(line):
        return not _PROSE.match(line) and _leads_nowhere(line)
    return _stands_for_none(reference)


def _stands_for_none(reference: str) -> bool:
    return (_NOTHING_WORD.fullmatch(reference) or _NOBODY.fullmatch(reference)) is not None


def _leads_nowhere(url: str) -> bool:
    """Whether no stream can be at an absolute ``url``."""
    connected = _CONNECTED.match(url)
    if connected:
        return _NO_HOST.match(url, connected.end()) is not None
    return (_NO_PORT.match(url) or _NOTHING_WORD.fullmatch(url)) is not None


def resolved(base: str, reference: str) -> str:
    """``reference`` made absolute, if it is a relative URL at all."""
    if _SCHEME.match(reference) or not base:
        return reference
    if not _REFERENCE.fullmatch(reference) or _HOST_AND_PORT.match(reference):
        return reference
    try:
        return resolve(base, reference)
    except ValueError:
        return reference


def title(line: str, url: str) -> str:
    """A name for an address that has none: it is shown, so it must not tell a user or password.

    A file's name or a relative path will do; otherwise a text that stays the same over imports.
    """
    reference = line.partition("?")[0].partition("|")[0]
    try:
        parts = urlsplit(url)
    except ValueError:
        return anonymous(url)
    if not _SCHEME.match(line):
        name = _EXTENSION.sub("", unquote(reference).strip("/. "))
        return visible(name) or anonymous(url)
    if parts.scheme in ("udp", "rtp", "igmp") and _DOTTED_ADDRESS.fullmatch(parts.netloc):
        return parts.netloc
    file = unquote(parts.path.rpartition("/")[2])
    stem, dot, _ = file.rpartition(".")
    stem = visible(stem)
    if dot and re.search(r"[^\W\d]", stem) and not _COMMON_STEM.fullmatch(stem):
        return stem
    return anonymous(url)


def anonymous(url: str) -> str:
    """A name that tells nothing, always the same for one ``url``."""
    return f"Channel {hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:8]}"
