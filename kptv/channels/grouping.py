"""Which entries make one channel, and the name of a channel in URLs."""

from __future__ import annotations

import re
from hashlib import sha256
from unicodedata import is_normalized, normalize

_READABLE = re.compile(r"[a-z0-9]+")
_LONGEST_CLEAN = 120  # letters; names may have thousands, and servers refuse such URLs
_LONGEST_READABLE = 48
_DIGEST_LENGTH = 6  # bytes, 12 hex digits: one in 2,000 lists of 500,000 names has a collision


def normalised(name: str) -> str:
    """``name`` in the form that all its spellings share: NFKC, case-folded, single spaces."""
    if name.isascii():
        return " ".join(name.casefold().split())
    name = normalize("NFKC", name).casefold()
    if not is_normalized("NFKC", name):  # case folding may leave letters that NFKC still composes
        name = normalize("NFKC", name).casefold()
    return " ".join(name.split())


def slug_of(name: str) -> str:
    """The channel's name in URLs. It depends on the normalised name alone; no two share one.

    ``BBC One`` becomes ``bbc-one``. A name with other characters than letters, digits and single
    spaces (``BBC One +1``) would lose them and collide with another. So it gets a digest behind a
    ``~``, which the plain form never has.
    """
    return slug_of_normalised(normalised(name))


def slug_of_normalised(name: str) -> str:
    """As ``slug_of``, for a name that is normalised already."""
    if name.isascii() and name.replace(" ", "").isalnum() and len(name) <= _LONGEST_CLEAN:
        return name.replace(" ", "-")
    readable = "-".join(_READABLE.findall(name[:_LONGEST_READABLE]))
    digest = sha256(name.encode("utf-8", "replace")).digest()[:_DIGEST_LENGTH].hex()
    return f"{readable or 'channel'}~{digest}"
