"""The variables of a playlist (EXT-X-DEFINE; draft-pantos-hls-rfc8216bis, 4.3 and 4.4.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from kptv.formats.hls.playlist import BadPlaylist

DEFINE = "#EXT-X-DEFINE"
UNKNOWN = "about:blank"  # stands for an address that names a variable which nobody defined
_REFERENCE = re.compile(r"\{\$([A-Za-z0-9_-]{1,128}+)\}")
_MOST_NAMES = 1000
_MOST_ADDED = 5 * 1024**2  # characters that references put into one playlist


class Variables:
    """Read and put in line by line: each counts for the lines behind it.

    ``imported`` are those of the multivariant playlist that led to this one from ``url``.
    """

    def __init__(self, url: str, imported: Mapping[str, str]) -> None:
        self._url = url
        self._imported = imported
        self._left = _MOST_ADDED
        self._missing = False
        self._defined = 0
        self.values: dict[str, str] = {}

    def define(self, attributes: Mapping[str, str]) -> None:
        """Take in an EXT-X-DEFINE. One that defines nothing costs those who refer to it."""
        self._defined += 1
        if self._defined > _MOST_NAMES:
            return
        if name := attributes.get("NAME"):
            self._set(name, attributes.get("VALUE", ""))
        elif name := attributes.get("IMPORT"):
            self._set(name, self._imported.get(name))
        elif name := attributes.get("QUERYPARAM"):
            self._set(name, _parameter(self._url, name))

    def _set(self, name: str, value: str | None) -> None:
        if value is not None:
            self.values[name] = value

    def put_in(self, line: str) -> str:
        """The line with values for references; UNKNOWN for an address that cannot be known."""
        if "{$" not in line:
            return line
        self._missing = False
        line = _REFERENCE.sub(self._value, line)
        return UNKNOWN if self._missing and not line.startswith("#") else line

    def _value(self, reference: re.Match[str]) -> str:
        value = self.values.get(reference[1])
        if value is None:
            self._missing = True
            return reference[0]
        self._left -= len(value)
        if self._left < 0:
            raise BadPlaylist("variables that make it too large")
        return value


def _parameter(url: str, name: str) -> str | None:
    """A parameter of the URL's query, as it stands there: it will stand in a URL again."""
    for pair in urlsplit(url).query.split("&"):
        key, given, value = pair.partition("=")
        if given and unquote(key) == name:
            return value
    return None
