"""Which entries make one channel, and the name of a channel in URLs."""

from __future__ import annotations

from hashlib import sha256
from string import ascii_lowercase, digits
from unicodedata import is_normalized, normalize

_TO_BLANKS = bytes(byte if chr(byte) in ascii_lowercase + digits else 32 for byte in range(256))
_LONGEST_CLEAN = 120  # letters; names may have thousands, and servers refuse such URLs
_LONGEST_READABLE = 48
_DIGEST_LENGTH = 12  # hex digits: one in 2,000 lists of 500,000 names has a collision


def normalised(name: str) -> str:
    """``name`` in the form that all its spellings share: NFKC, case-folded, single spaces."""
    return " ".join(_folded(name).split())


def all_normalised(names: str) -> list[str]:
    """Each of ``names``, which stand one per line, normalised: in two thirds of the time."""
    return [" ".join(name.split()) for name in _folded(names).split("\n")]


def _folded(text: str) -> str:
    """``text`` in NFKC and case-folded. Its lines are independent of each other."""
    if text.isascii():
        return text.lower()
    text = normalize("NFKC", text).casefold()
    if not is_normalized("NFKC", text):  # case folding may leave letters that NFKC still composes
        text = normalize("NFKC", text).casefold()
    return text


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
    whole = name.encode("utf-8", "replace")
    long = len(name) > _LONGEST_READABLE
    start = name[:_LONGEST_READABLE].encode("utf-8", "replace") if long else whole
    readable = b"-".join(start.translate(_TO_BLANKS).split()).decode() or "channel"
    return f"{readable}~{sha256(whole).hexdigest()[:_DIGEST_LENGTH]}"
