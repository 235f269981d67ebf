"""Which entries are one channel, and what a channel is called in a URL."""

from __future__ import annotations

import re
from hashlib import sha256
from unicodedata import is_normalized, normalize

_READABLE = re.compile(r"[a-z0-9]+")
_LONGEST_CLEAN = 120  # letters; a name may have thousands, and servers refuse such URLs
_LONGEST_READABLE = 48
_DIGEST_LENGTH = 6  # bytes, 12 hex digits: among 500,000 names, a collision in one of 2,000 lists


def normalised(name: str) -> str:
    """What is equal for all spellings of one name: NFKC, case-folded, white space collapsed."""
    if name.isascii():
        return " ".join(name.casefold().split())
    name = normalize("NFKC", name).casefold()
    if not is_normalized("NFKC", name):  # case folding may leave what it would still compose
        name = normalize("NFKC", name).casefold()
    return " ".join(name.split())


def slug_of(name: str) -> str:
    """The channel's name in URLs. Depends on the normalised name alone; two never share one.

    ``BBC One`` is ``bbc-one``. A name with anything but letters, digits and single spaces
    (``BBC One +1``) would lose some of it and collide: a digest tells those apart, behind a ``~``
    that the plain form never has.
    """
    return slug_of_normalised(normalised(name))


def slug_of_normalised(name: str) -> str:
    """As ``slug_of``, where the name is normalised already."""
    if name.isascii() and name.replace(" ", "").isalnum() and len(name) <= _LONGEST_CLEAN:
        return name.replace(" ", "-")
    readable = "-".join(_READABLE.findall(name[:_LONGEST_READABLE]))
    digest = sha256(name.encode("utf-8", "replace")).digest()[:_DIGEST_LENGTH].hex()
    return f"{readable or 'channel'}~{digest}"
