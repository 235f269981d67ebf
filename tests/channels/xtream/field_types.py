"""The types of all fields, as panels send them and the strictest clients take them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Types = Mapping[str, object]

TEXT = str
NUMBER = int
FLAG = (0, 1)  # a number, no bool
SECONDS = re.compile(r"[0-9]{1,10}")  # a moment, as text
COUNT = re.compile(r"[0-9]{1,10}")  # a number, as text
MAYBE_COUNT = re.compile(r"[0-9]{0,10}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")

ACCOUNT: Types = {"user_info": dict, "server_info": dict}
USER: Types = {
    "username": TEXT,
    "password": TEXT,
    "message": TEXT,
    "auth": FLAG,
    "status": re.compile("Active|Expired|Disabled"),
    "exp_date": SECONDS,
    "is_trial": re.compile("0"),
    "active_cons": COUNT,
    "created_at": SECONDS,
    "max_connections": COUNT,
    "allowed_output_formats": list,
}
SERVER: Types = {
    "url": re.compile(r"[A-Za-z0-9.-]+|\[[0-9a-f:]+\]"),
    "port": COUNT,
    "https_port": MAYBE_COUNT,
    "rtmp_port": MAYBE_COUNT,
    "server_protocol": re.compile("https?"),
    "timezone": TEXT,
    "timestamp_now": NUMBER,
    "time_now": MOMENT,
    "process": True,
}
CATEGORY: Types = {"category_id": COUNT, "category_name": TEXT, "parent_id": FLAG}
STREAM: Types = {
    "num": NUMBER,
    "name": TEXT,
    "stream_type": re.compile("live"),
    "stream_id": NUMBER,
    "stream_icon": TEXT,
    "epg_channel_id": (str, None),
    "added": SECONDS,
    "is_adult": re.compile("[01]"),
    "category_id": COUNT,
    "category_ids": list,
    "custom_sid": TEXT,
    "tv_archive": FLAG,
    "direct_source": TEXT,
    "tv_archive_duration": NUMBER,
    "thumbnail": TEXT,
}
LISTING: Types = {
    "id": COUNT,
    "epg_id": COUNT,
    "title": BASE64,
    "lang": TEXT,
    "start": MOMENT,
    "end": MOMENT,
    "description": BASE64,
    "channel_id": TEXT,
    "start_timestamp": SECONDS,
    "stop_timestamp": SECONDS,
}
LISTING_OF_TABLE: Types = {**LISTING, "now_playing": FLAG, "has_archive": FLAG}


def check(told: Any, types: Types) -> None:
    """AssertionError if ``told``, once it is JSON, has other fields or types."""
    told = json.loads(json.dumps(told))
    assert list(told) == list(types)
    for key, wanted in types.items():
        assert _fits(told[key], wanted), f"{key}: {told[key]!r}"
        if type(told[key]) is int:
            assert 0 <= told[key] < 1 << 31 or key == "timestamp_now"


def _fits(value: object, wanted: object) -> bool:
    if isinstance(wanted, re.Pattern):
        return type(value) is str and wanted.fullmatch(value) is not None
    if isinstance(wanted, tuple):
        return any(_fits(value, one) for one in wanted)
    if isinstance(wanted, type):
        return type(value) is wanted
    return type(value) is type(wanted) and value == wanted
