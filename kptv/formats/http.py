"""The head of an HTTP answer, read as browsers and curl do (RFC 9112): what is wrong costs itself.

Python's own reader, made for mail, stops in silence at the first line that is not a field. The
fields behind it are lost, the framing of the body among them, and the body is read wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_HEAD = 300 * 1024  # bytes, with all interim answers; curl's bound
MAX_LINES = 5000  # curl's bound

# Shoutcast says ICY. The version is not to be trusted: some servers make one up.
_STATUS = re.compile(
    rb"[ \t]*+(?:HTTP(?>(?:/([0-9.]{1,8}+))?)|ICY)[ \t]++([0-9]{3}+)(?![0-9])([^\r\n]*+)", re.I
)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++")  # RFC 9110, 5.1: a token
_STRAY = bytes.maketrans(b"\0\r\n", b"   ")  # RFC 9110, 5.5: in a value they are a space
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[ \t]*+([0-9A-Fa-f]{1,15}+)(?![0-9A-Fa-f])")
_PART = re.compile(
    r"\s*+bytes[\s=]++([0-9]{1,18})\s*+-\s*+(?>([0-9]{1,18})?)(?>(?:\s*+/\s*+(\S*+))?)", re.I
)
# Fields that make no sense as a list: the first of several counts.
_SINGLE = frozenset(
    ("content-range", "content-type", "etag", "last-modified", "location", "retry-after")
)
_MOST_COOKIES = 100  # of one answer
_NO_BODY = frozenset((204, 205))  # RFC 9110, 15.3.5 and 15.3.6


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the fields of an answer."""

    status: int
    version: int  # 10 or 11
    reason: str
    fields: tuple[tuple[str, str], ...]  # those that frame the body in one canonical form
    chunked: bool
    length: int | None  # bytes of the body as it is sent; None: not told
    skipped: int  # lines that are not a field

    @property
    def interim(self) -> bool:
        """Another head follows (RFC 9110, 15.2). After a 101 another protocol follows."""
        return 100 <= self.status < 200 and self.status != 101


def read_head(first: bytes, lines: Sequence[bytes]) -> Head | None:
    """The head in a status line and field lines, with or without line ends; None: there is none."""
    status = _STATUS.match(first)
    if not status:
        return None
    fields, skipped = _fields(lines)
    codings = _codings(fields)
    chunked = "chunked" in codings
    length = None if chunked else _length(fields)
    return Head(
        int(status[2]),
        10 if status[1] in (None, b"1.0", b"0.9") else 11,
        status[3].strip().decode("latin-1"),
        tuple(_canonical(fields, [c for c in codings if c != "chunked"], chunked, length)),
        chunked,
        length,
        skipped,
    )


def chunk_size(line: bytes) -> int | None:
    """The size that begins the first line of a chunk, whatever follows; None if there is none."""
    match = _CHUNK_SIZE.match(line)
    return int(match[1], 16) if match else None


def is_whole(status: int, content_range: str | None) -> bool:
    """True if the body is all of the resource, as an answer to a request without a range."""
    if status == 206 and content_range is not None:
        part = _PART.match(content_range)
        return part is not None and int(part[1]) == 0 and _reaches_the_end(part[2], part[3])
    return 200 <= status < 300 and status not in _NO_BODY


def _reaches_the_end(last: str | None, total: str | None) -> bool:
    return last is None or not total or not _LENGTH.fullmatch(total) or int(last) + 1 >= int(total)


def _fields(lines: Iterable[bytes]) -> tuple[list[tuple[str, str]], int]:
    """Names and values in order, and how many lines are not a field."""
    found: list[tuple[bytes, list[bytes]]] = []
    skipped = 0
    follows: list[bytes] | None = None  # the value that an indented line continues
    for line in lines:
        text = line.rstrip(b"\r\n").translate(_STRAY)
        if text[:1] in (b" ", b"\t") and follows is not None:  # RFC 9112, 5.2: obs-fold
            follows.append(text.strip())
            continue
        name, colon, value = text.strip().partition(b":")
        name = name.rstrip()  # RFC 9112, 5.1: no space is allowed there
        follows = [value.strip()]
        if colon and _NAME.fullmatch(name):
            found.append((name, follows))
        else:
            skipped += bool(text.strip())
    joined = ((name.decode(), b" ".join(filter(None, parts))) for name, parts in found)
    return [(name, value.decode("latin-1")) for name, value in joined], skipped


def _values(fields: Iterable[tuple[str, str]], name: str) -> list[str]:
    """The members of all fields of this name, in lower case, without what follows a semicolon."""
    values = (value for key, value in fields if key.lower() == name)
    members = (member.partition(";")[0].strip() for value in values for member in value.split(","))
    return [member.lower() for member in members if member]


def _codings(fields: list[tuple[str, str]]) -> list[str]:
    return [name for name in _values(fields, "transfer-encoding") if name != "identity"]


def _length(fields: list[tuple[str, str]]) -> int | None:
    """The Content-Length, if there is one; if two differ, neither counts (RFC 9112, 6.3)."""
    told = set(_values(fields, "content-length"))
    length = told.pop() if len(told) == 1 else ""
    return int(length) if _LENGTH.fullmatch(length) else None


def _canonical(
    fields: list[tuple[str, str]], codings: list[str], chunked: bool, length: int | None
) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    cookies = 0
    for name, value in fields:
        key = name.lower()
        if key == "set-cookie":  # each request looks at all cookies
            cookies += 1
            if cookies > _MOST_COOKIES:
                continue
        if key in ("transfer-encoding", "content-length") or (key in _SINGLE and key in seen):
            continue
        seen.add(key)
        yield name, value
    if codings:  # gzip as a transfer coding is unpacked like a content coding
        yield "Content-Encoding", ", ".join(codings)
    if chunked:
        yield "Transfer-Encoding", "chunked"
    if length is not None:
        yield "Content-Length", str(length)
