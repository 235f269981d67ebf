"""What may be a user's name, and what a secret: so that links need no escapes, and never meet ours.

Secrets that a machine makes have a form of their own, which no typed one may have: so each way to
check a secret is known by its form, and a try costs the same for known and unknown names.
"""

from __future__ import annotations

import re

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0, 1, which look like others
MADE_LENGTH = 20  # letters: 99 bits
SHORTEST_TYPED = 8
LONGEST_TYPED = 64
LONGEST_NAME = 32
# The first parts of our paths, also those that only other programs' have.
# fmt: off
TAKEN = frozenset({
    "api", "assets", "auto", "epg", "group", "guide", "healthz", "hls", "live", "logo",
    "metrics", "movie", "playlist", "profile", "readyz", "series", "static", "stream",
    "timeshift", "u", "xmltv",
})
# fmt: on
_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_TYPED = re.compile(r"[A-Za-z0-9_-]{8,64}")
_MADE = re.compile(rf"[{ALPHABET}]{{20}}")


class Unfit(Exception):
    """A value cannot be used; the text says why, without the value if that is a secret."""


class Taken(Unfit):
    """A name, or a place, that somebody has already."""


def fit_name(text: str) -> str:
    """``text`` as the name of a user, in lower case; raises Unfit."""
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise Unfit(f"A name has 1 to {LONGEST_NAME} of the signs a-z, 0-9, _ and -.")
    if name in TAKEN:
        raise Taken(f"{name} cannot be a name: our own addresses begin so.")
    return name


def is_name(text: str) -> bool:
    """Whether it has the form of one; it may be one of ours."""
    return _NAME.fullmatch(text) is not None


def fit_secret(text: str) -> str:
    """``text`` as a secret that somebody typed; raises Unfit."""
    if len(text) < SHORTEST_TYPED:
        raise Unfit(f"A secret has at least {SHORTEST_TYPED} signs.")
    if len(text) > LONGEST_TYPED:
        raise Unfit(f"A secret has at most {LONGEST_TYPED} signs.")
    if not _TYPED.fullmatch(text):
        raise Unfit(
            "A secret has only the signs A-Z, a-z, 0-9, _ and -: it stands in addresses, where"
            " applications mangle all others."
        )
    if looks_made(text):
        raise Unfit("That looks like a secret that the proxy has made: take another.")
    return text


def looks_made(text: str) -> bool:
    """Whether it has the form of those that a machine makes."""
    return _MADE.fullmatch(text) is not None


def looks_typed(text: str) -> bool:
    """Whether it has a form that typed ones may have."""
    return _TYPED.fullmatch(text) is not None and not looks_made(text)
