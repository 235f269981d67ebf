"""The country of an entry, as far as its list tells."""

from __future__ import annotations

import re

from kptv.channels.rules.codes import COUNTRIES

_KNOWN = frozenset((*COUNTRIES, "UK"))
_OTHER_NAMES = {
    "GB": "UK",
    "USA": "US",
    "CAN": "CA",
    "GER": "DE",
    "FRA": "FR",
    "ITA": "IT",
    "ESP": "ES",
    "POR": "PT",
    "NED": "NL",
    "POL": "PL",
    "SWE": "SE",
    "TUR": "TR",
}
_WORD = re.compile(r"[A-Za-z]{2,3}")


def country_of(tvg_id: str, tvg_country: str) -> str:
    """Two letters: the end of a tvg-id (``BBCOne.uk@HD``), or else tvg-country; empty: unknown."""
    _, dot, end = tvg_id.partition("@")[0].rpartition(".")
    return (code_of(end) if dot else "") or code_of(tvg_country)


def country_in(prefix: str) -> str:
    """The country that a prefix names; empty if it names none."""
    return next(filter(None, map(code_of, _WORD.findall(prefix))), "")


def code_of(text: str) -> str:
    """The code of two letters for what may be one; empty if it is none."""
    code = text.strip().upper()
    code = _OTHER_NAMES.get(code, code)
    return code if code in _KNOWN else ""
