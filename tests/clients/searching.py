"""Kodi finds the proxy as an HDHomeRun: `make clients`. Needs kodi, kodi-pvr-hdhomerun and xvfb.

All run in a network of their own, where port 65001 is free and a broadcast reaches nobody else.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kptv.demo
from tests.clients.kodi import Kodi
from tests.functional.harness import Proxy, eventually
from tests.provider import Provider

pytestmark = pytest.mark.timeout(300)

StartProvider = Callable[..., Provider]
StartProxy = Callable[..., Proxy]

ADDRESS = "10.65.0.1"
NAMES = ("News", "Films & More", "Кино")
_CLONE_NEWNET = 0x40000000  # sched.h


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    """This thread, and all that it starts, has a network of its own with one address."""
    missing = [name for name in ("kodi", "Xvfb", "ip") if shutil.which(name) is None]
    assert not missing, f"not installed: {missing}"
    system = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert system.unshare(_CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        ip("link", "add", "v0", "type", "veth", "peer", "v1")
        ip("addr", "add", f"{ADDRESS}/24", "brd", "+", "dev", "v0")
        for device in ("lo", "v0", "v1"):
            ip("link", "set", device, "up")
        yield
    finally:
        assert system.setns(before, _CLONE_NEWNET) == 0
        os.close(before)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=20)


def test_kodi_finds_the_proxy_and_plays_what_it_lists(
    start_provider: StartProvider, start_proxy: StartProxy, tmp_path: Path
) -> None:
    one = start_provider("one", limit=1)
    for name in NAMES:
        stream = one.add_channel(name)
        stream.play_clip(Path(kptv.demo.__file__).parent / "data" / "one-card.ts")
    proxy = start_proxy((one, 1), HDHOMERUN="on")
    with Kodi(tmp_path / "kodi") as kodi:
        kodi.wait(lambda: sorted(kodi.channels()) == sorted(NAMES))
        kodi.play(kodi.channels()["News"])
        kodi.wait(lambda: kodi.seconds_played() >= 3)
        assert kodi.label("VideoPlayer.VideoCodec") == "h264"
        assert one.connections == 1
    eventually(lambda: proxy.metrics().value("iptv_proxy_clients_connected") == 0)
    assert "Traceback" not in proxy.log
