"""Takes users' secrets out of texts: by where they stand, and by what they are.

Theory of operation. A secret that was made has a form of its own, and whether a word of that form
is one can be asked for. One that was typed is known here once somebody has come in with it. In both
cases a word is compared decoded, however it was written. What stands where a secret stands in our
addresses is hidden whatever it is: a wrong secret may be a right one with a slip.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable

from kptv.channels.secrets import without_percents

HIDDEN = "…"
SHORTEST = 8  # letters of a secret
_MOST_TYPED = 1000  # that are known; then the one that was used longest ago is not any more
_SLASH = "(?:/|%2F|%252F)"
_END = "[^\\s/?#&%'\"<>]"  # what a part of a path, or a value, may hold
# /u/SECRET/…, but nothing inside the path of a file.
_OWN_PATH = re.compile(rf"(?<![\w.~-])({_SLASH}u{_SLASH})(?:{_END}|%(?!2F|252F))+", re.I)
# As the server tells of requests: name, secret and number of a stream.
_ASKED = re.compile(
    r"\b((?:GET|HEAD|POST) /(?:[^\s/]+/){0,4}?)[^\s/]+/[^\s/]+/[0-9]{1,10}(?:\.\w{1,5})?(?!\S)"
)
_LETTER = "(?:[A-Za-z0-9_-]|%[0-9A-Fa-f]{2})"
_WORD = re.compile(rf"{_LETTER}{{{SHORTEST},}}")
_BORDER = re.compile("[^A-Za-z0-9_-]+")
_GLUE = re.compile("[_-]")


class UserSecrets:
    """Hides them; ``is_made`` says whether a word is one that was made, and must be fast."""

    def __init__(self) -> None:
        self.is_made: Callable[[str], bool] = lambda word: False
        self._typed: OrderedDict[str, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<UserSecrets typed={len(self._typed)}>"

    def learn(self, typed: str) -> bool:
        """Hide this one too, which somebody has typed; whether it is a new one."""
        is_new = typed not in self._typed
        self._typed[typed] = None
        self._typed.move_to_end(typed)
        if len(self._typed) > _MOST_TYPED:
            self._typed.popitem(last=False)
        return is_new

    def hide(self, text: str) -> str:
        """``text`` without them."""
        text = _OWN_PATH.sub(rf"\1{HIDDEN}", text)
        text = _ASKED.sub(rf"\1{HIDDEN}", text)
        return _WORD.sub(self._shown, text)

    def _shown(self, found: re.Match[str]) -> str:
        word = found[0]
        parts = [word] if "%" not in word else _BORDER.split(without_percents(word))
        return HIDDEN if any(map(self._is_secret, parts)) else word

    def _is_secret(self, word: str) -> bool:
        if len(word) < SHORTEST:
            return False
        return word in self._typed or any(map(self.is_made, _GLUE.split(word)))
