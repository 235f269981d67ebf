"""The address under which a client reaches us, for protocols whose answers name it."""

from __future__ import annotations

import re

from flask import request

from kptv.config import Config

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def own_address(config: Config) -> str:
    """What stands before the paths of our links: BASE_URL, or else the host of the request.

    Applications are given an address by people, and that is the one that works for them. Without a
    usable Host header it is BASE_URL's default.
    """
    host = request.headers.get("Host", "")
    if config.base_url_is_set or not _HOST.fullmatch(host):
        return config.base_url
    return f"{request.scheme}://{host}"
