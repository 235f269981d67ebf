"""The variables that a device tells, and that none can be set."""

from __future__ import annotations

import pytest

from kptv.formats.hdhomerun import VariableRequest, error_reply, variable_reply
from kptv.formats.hdhomerun_control import answer

UNKNOWN = [
    "/",
    "/sys/",
    "/sys/debug",
    "/lineup/scan",
    "/tuner/status",
    "/tuner2/status",
    "/tuner00/status",
    "/tuner-1/status",
    "/tuner0",
    "/tuner0/",
    "/tuner0/filter",
    "/tuner0/status/x",
    "/TUNER0/status",
    "tuner²/status",
    "/tuner" + "1" * 1000 + "/status",
]


@pytest.mark.parametrize("name", ["/sys/model", "/sys/hwmodel", "/sys/version", "/sys/features"])
def test_what_a_device_is_can_be_asked(name: str) -> None:
    reply = answer(VariableRequest(name), 2)
    assert reply is not None
    assert name.encode() + b"\0\4" in reply


@pytest.mark.parametrize("item", ["channel", "vchannel", "target", "lockkey", "streaminfo"])
def test_each_tuner_has_nothing_to_do(item: str) -> None:
    for number in range(2):
        name = f"/tuner{number}/{item}"
        assert answer(VariableRequest(name), 2) == variable_reply(name, "none")


def test_a_tuner_has_a_status() -> None:
    idle = "ch=none lock=none ss=0 snq=0 seq=0 bps=0 pps=0"
    name = "/tuner9/status"
    assert answer(VariableRequest(name), 10) == variable_reply(name, idle)


@pytest.mark.parametrize("name", UNKNOWN, ids=range(len(UNKNOWN)))
def test_other_names_are_not_known(name: str) -> None:
    unknown = error_reply("ERROR: unknown getset variable")
    assert answer(VariableRequest(name), 2) == unknown
    assert answer(VariableRequest(name, is_set=True), 2) == unknown


@pytest.mark.parametrize("name", ["/tuner0/channel", "/tuner1/target", "/sys/model", "help"])
def test_nothing_can_be_set(name: str) -> None:
    refused = error_reply("ERROR: nothing can be set here")
    assert answer(VariableRequest(name, is_set=True), 2) == refused


def test_help_names_each_variable() -> None:
    reply = answer(VariableRequest("help"), 2)
    assert reply is not None
    for name in (b"/sys/model", b"/tuner<n>/status", b"/tuner<n>/streaminfo"):
        assert name in reply
