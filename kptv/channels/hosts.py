"""Which host a link leads to, and which host most links of a list lead to. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_COUNTED = 256  # hosts at once; each of 500,000 links may name another one
_REMEMBERED = 1024  # beginnings of links, with their hosts: most links of a list begin alike
_STANDARD_PORTS = (":80", ":443")


def host_of(url: str) -> str:
    """The host of a URL in lower case, with its port unless that is a standard one.

    The port counts since several servers may share an address.
    """
    rest = url.partition("://")[2]
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2].lower()
    for port in _STANDARD_PORTS:
        host = host.removesuffix(port)
    return host


class HostCount:
    """Finds the host of more than half of all links in one pass, in little memory and time.

    By Misra and Gries (1982): if too many hosts are counted, the newcomer is dropped and each
    other one loses a link. In that way a host loses at most one link in ``_COUNTED``.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._known: dict[str, str] = {}
        self._links = self._lost = 0
        # The last link's beginning up to the slash behind its host, and that host. Most links begin
        # as the one before, and are counted together.
        self._usual: str | tuple[()] = ()  # (): none
        self._host = ""

    def __repr__(self) -> str:
        return f"<HostCount links={self._links}>"

    def add(self, urls: Iterable[str]) -> None:
        """Count some more links."""
        usual, in_a_row = self._usual, 0
        for url in urls:
            if url.startswith(usual):
                in_a_row += 1
                continue
            self._add_usual(in_a_row)
            in_a_row = 0
            usual = self._add(url)
        self._add_usual(in_a_row)

    def _add_usual(self, links: int) -> None:
        """Count links that begin as the last one did, whose host is among those counted."""
        if links:
            self._links += links
            self._counts[self._host] += links

    def _add(self, url: str) -> str | tuple[()]:
        """Count a link; gives what the next one may begin with."""
        end = url.find("/", 8)  # behind the host, if it begins with http(s)://
        start = url[:end] if end >= 0 else url
        host = self._known.get(start)
        if host is None:
            host = self._learn(start, url)
        self._links += 1
        self._counts[host] = self._counts.get(host, 0) + 1
        if len(self._counts) > _COUNTED:
            self._lost += 1
            self._counts = {host: n - 1 for host, n in self._counts.items() if n > 1}
        is_usual = end >= 0 and start in self._known and host in self._counts
        self._usual, self._host = (url[: end + 1] if is_usual else ()), host
        return self._usual

    @property
    def most(self) -> str:
        """The host of more than half of the links; empty if there is none."""
        counts = self._counts.items()
        host, count = max(counts, key=lambda item: item[1], default=("", 0))
        return host if 2 * (count + self._lost) > self._links else ""

    def _learn(self, start: str, url: str) -> str:
        host = host_of(url)
        if host and host_of(start) == host:  # else the slash belongs to a longer scheme
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[start] = host
        return host
