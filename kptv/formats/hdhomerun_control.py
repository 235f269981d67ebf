"""The variables of a device that is watched by HTTP only: they can be read, none can be set.

SiliconDust's own program reads them to see whether a device is one. A client does not say by HTTP
which tuner it means, so no tuner has anything to tell.
"""

from __future__ import annotations

from kptv.formats.hdhomerun import (
    FIRMWARE_NAME,
    FIRMWARE_VERSION,
    MODEL_NUMBER,
    VariableRequest,
    error_reply,
    variable_reply,
)

_OF_SYSTEM = {
    "/sys/model": FIRMWARE_NAME,
    "/sys/hwmodel": MODEL_NUMBER,
    "/sys/version": FIRMWARE_VERSION,
    "/sys/features": "channelmap: us-bcast us-cable us-hrc us-irc\nmodulation: 8vsb qam256 qam64\n",
}
_NONE = "none"
_OF_TUNER = {
    "status": "ch=none lock=none ss=0 snq=0 seq=0 bps=0 pps=0",
    "channel": _NONE,
    "vchannel": _NONE,
    "target": _NONE,
    "lockkey": _NONE,
    "streaminfo": _NONE,
}
_HELP = "\n".join(
    ("Supported configuration options:", *_OF_SYSTEM, *(f"/tuner<n>/{name}" for name in _OF_TUNER))
)
_UNKNOWN = "ERROR: unknown getset variable"
_READ_ONLY = "ERROR: nothing can be set here"


def answer(request: VariableRequest, tuners: int) -> bytes | None:
    """The frame that answers a request, at a device of so many ``tuners``."""
    value = _value(request.name, tuners)
    if value is None:
        return error_reply(_UNKNOWN)
    return error_reply(_READ_ONLY) if request.is_set else variable_reply(request.name, value)


def _value(name: str, tuners: int) -> str | None:
    if name == "help":
        return f"{_HELP}\n"
    begin, _, item = name.removeprefix("/").partition("/")
    number = begin.removeprefix("tuner")
    is_tuner = begin.startswith("tuner") and number in map(str, range(tuners))
    return _OF_TUNER.get(item) if is_tuner else _OF_SYSTEM.get(name)
