"""The groups that a list tells somebody who may see some only: a channel may be in others, too."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from kptv.channels.grouping import slug_of

_GROUPS = re.compile(rb' group-title="([^"\n]*)"')
_REMEMBERED = 4096  # texts that name groups; most channels share theirs


def only_groups(pieces: Iterator[bytes], groups: Collection[str]) -> Iterator[bytes]:
    """A list as ``render`` gives it, in which entries name no other groups than these (slugs)."""

    @lru_cache(_REMEMBERED)
    def told(text: bytes) -> bytes:
        names = [name for name in text.decode().split(";") if slug_of(name) in groups]
        return f' group-title="{";".join(names)}"'.encode() if names else b""

    for piece in pieces:
        yield _GROUPS.sub(lambda found: told(found[1]), piece)
