"""Attributes of an ``#EXTINF`` line as one text: `` tvg-id="1" group-title="News"``.

It is how they are kept and how they are served, and mostly how they came: an entry of a long list
then costs no dict. No key or value may hold a double quote; INNER stands for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import itemgetter

INNER = "\x1f"  # a control character: no text of a list holds it
_FIRST_KEYS = ("tvg-id", "tvg-name", "tvg-chno", "tvg-logo", "group-title")
_PAIR = re.compile(r' ([^=" ]++)="([^"]*)"')


def quoted(attributes: Mapping[str, str]) -> str:
    """The text of ``attributes``, in an order that does not depend on theirs."""
    if not attributes:
        return ""
    template, values = _writer(tuple(attributes))
    text = template % values(attributes)
    if text.count('"') == 2 * len(attributes):
        return text
    return quoted({key: value.replace('"', INNER) for key, value in attributes.items()})


def unquoted(text: str) -> dict[str, str]:
    """The attributes in what ``quoted`` gave."""
    pairs = dict(_PAIR.findall(text))
    if INNER in text:
        return {key: value.replace(INNER, '"') for key, value in pairs.items()}
    return pairs


def in_order(keys: Iterable[str]) -> list[str]:
    """``keys`` as ``quoted`` orders them: the known ones first, then the others by name."""
    return sorted(keys, key=lambda key: (key not in _FIRST_KEYS, _rank(key), key))


def _rank(key: str) -> int:
    return _FIRST_KEYS.index(key) if key in _FIRST_KEYS else 0


@lru_cache(maxsize=1024)  # the lines of a list have the same few sets of keys
def _writer(keys: tuple[str, ...]) -> tuple[str, Callable[[Mapping[str, str]], object]]:
    """A template for attributes with these keys, and the function that gets its values."""
    ordered = in_order(keys)
    template = "".join([f' {key.replace("%", "%%")}="%s"' for key in ordered])
    return template, itemgetter(*ordered)
