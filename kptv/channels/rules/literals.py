"""The text that whatever an expression matches must hold: what lacks it need not be searched."""

from __future__ import annotations

import re

# What an expression may be made of for this; of any other nothing is said.
_PART = re.compile(
    r"""
    (?P<letter>[A-Za-z0-9])
  | (?P<class>\[(?!\^?\])\^?(?:[^\]\[\\]|\\.)+\]|\\[dDwWsSbBAZ]|[.^$])
  | (?P<sign>\\[^A-Za-z0-9\s]|[ !"%&',/:;<=>@_`~\#-]|[^\x00-\x7f])
  | (?P<open>\((?:\?(?:[:=!]|<[=!])|(?!\?)))
  | (?P<close>\))
  | (?P<bar>\|)
  | (?P<perhaps>[?*])
  | (?P<more>\+)
    """,
    re.VERBOSE,
)
_SHORTEST = 2  # letters: one alone is in most names


def literal_of(expression: str) -> str:
    """The longest run of letters and digits that is in ``small_letters`` of all that it matches.

    Empty if there is none or it is not known; what stands in brackets of any kind is passed over.
    """
    runs, depth, at = [""], 0, 0
    while at < len(expression):
        part = _PART.match(expression, at)
        if part is None or (part.lastgroup == "bar" and not depth):
            return ""
        at = part.end()
        kind = part.lastgroup
        depth += (kind == "open") - (kind == "close")
        if depth or kind == "close":
            runs.append("")
        elif kind == "letter":
            runs[-1] += part[0].lower()
        elif kind == "perhaps":
            runs[-1:] = [runs[-1][:-1], ""]
        else:
            runs.append("")
    longest = max(runs, key=len)
    return longest if len(longest) >= _SHORTEST else ""


def small_letters(text: str) -> str:
    """``text`` so that each letter that an expression takes for one of ASCII is that one, small."""
    return text.casefold().replace("\u0131", "i").replace("\u0307", "")
