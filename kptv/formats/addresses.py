"""Addresses: what a relative one means beside another (RFC 3986)."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443}


def scheme_of(url: str) -> str:
    """The scheme in lower case; empty if the URL cannot be read."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def resolve(base: str, reference: str) -> str:
    """``reference`` made absolute (RFC 3986, 5.2). Raises ValueError for what cannot be read.

    Python's ``urljoin`` drops empty segments of the base's path, which some servers mind
    (``http://h/live//7/``), and does not know relative addresses of ``rtsp:`` and others.
    """
    if not base or not reference:
        return reference or base
    there, told = urlsplit(base), urlsplit(reference)
    if told.scheme not in ("", there.scheme):
        return reference
    if told.netloc:
        return urlunsplit(told._replace(scheme=there.scheme, path=_without_dots(told.path)))
    if told.path:
        path = _without_dots(_merged(there.path, told.path))
        return urlunsplit(there._replace(path=path, query=told.query, fragment=told.fragment))
    query = told.query or there.query
    return urlunsplit(there._replace(query=query, fragment=told.fragment))


def same_server(one: str, other: str) -> bool:
    """Whether a secret for the server of ``one`` may be sent to that of ``other`` too.

    It may if scheme, host and port are the same, or if https takes the place of http.
    """
    a, b = urlsplit(one), urlsplit(other)
    ports = (a.port or _PORTS.get(a.scheme), b.port or _PORTS.get(b.scheme))
    same = (a.scheme == b.scheme and ports[0] == ports[1]) or (
        (a.scheme, b.scheme, *ports) == ("http", "https", 80, 443)
    )
    return same and a.hostname == b.hostname


def same_host(one: str, other: str) -> bool:
    """Whether both lead to one host, by whatever scheme and port."""
    return urlsplit(one).hostname == urlsplit(other).hostname


def is_below(url: str, base: str) -> bool:
    """Whether ``url`` is at ``base``, or below it as in a folder."""
    try:
        there, parts = urlsplit(base), urlsplit(url)
        same = same_server(url, base) and same_host(url, base)
    except ValueError:
        return False
    return same and f"{parts.path}/".startswith(f"{there.path.rstrip('/')}/")


def keeping_login(url: str, target: str) -> str:
    """``target`` with the user and password of ``url``, if it is of its server and has none.

    Raises ValueError for what cannot be read.
    """
    if "@" not in url:
        return target
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    parts = urlsplit(target)
    if not at or "@" in parts.netloc or not same_server(url, target):
        return target
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def _merged(base: str, path: str) -> str:
    """RFC 3986, 5.2.3."""
    if path.startswith("/"):
        return path
    return base.rpartition("/")[0] + "/" + path


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:  # the first is what is before the first slash: nothing
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept) if path else ""
