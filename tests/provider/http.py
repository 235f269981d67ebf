"""HTTP/1.1 as the simulator reads and writes it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

_REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 304: "Not Modified", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Reply:
    """Any complete answer: for redirects, playlists, odd headers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    at: float  # time.monotonic()
    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in lower case

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]  # which may begin with two slashes


def parse_request(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Request(time.monotonic(), method, target, headers)


def head_bytes(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def keeps_alive(request: Request) -> bool:
    return request.headers.get("connection", "").lower() != "close"


def unchanged(request: Request, etag: str, modified: str) -> bool:
    """RFC 9110, section 13.2.2: If-None-Match first, If-Modified-Since only without it."""
    if (tags := request.headers.get("if-none-match")) is not None:
        return etag in tags
    return request.headers.get("if-modified-since") == modified


def byte_range(request: Request, size: int) -> tuple[int, int] | None:
    """Start and stop of a single byte range (RFC 9110, section 14.1.2); start >= stop: none."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not match or not any(match.groups()):
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    return int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
