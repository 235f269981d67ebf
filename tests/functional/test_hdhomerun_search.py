"""SiliconDust's own program finds the proxy, by its address and by a broadcast, and reads it.

Proxy and program are in two networks of their own, joined by a cable, so that port 65001 is free
and broadcasts reach nobody else.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from kptv.formats.hdhomerun import is_valid_device_id
from tests.functional.harness import ROOT, Proxy, eventually

pytestmark = [
    pytest.mark.requires("ip", "hdhomerun_config"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make networks"),
]

PROXY, CLIENT = "10.65.0.1", "10.65.0.2"
LIMIT = 20.0  # seconds
# What a program hears that asks as hdhomerun_config does: the fields, by sender.
ASK = """
import socket
from kptv.formats.hdhomerun_frames import read_fields, read_frame
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
asking.settimeout(5)
asking.sendto(bytes.fromhex("0002000c0104ffffffff0204ffffffff73cc7d8f"), ("10.65.0.255", 65001))
data, (sender, port) = asking.recvfrom(2000)
fields = dict(read_fields(read_frame(data).payload))
print(sender, port, fields[0x2A].decode(), fields[0x27].decode(), fields[0x10][0])
"""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of its own."""

    name: str

    def under(self) -> tuple[str, ...]:
        """The command that runs another one in it."""
        return ("ip", "netns", "exec", self.name)

    def run(self, *command: str) -> str:
        """What a command says in it, whatever it thinks of it."""
        done = subprocess.run(
            [*self.under(), *command], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT
        )
        return done.stdout + done.stderr


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=LIMIT)


@pytest.fixture(scope="module")
def networks() -> Iterator[tuple[Network, Network]]:
    """That of the proxy, and that of who looks for it."""
    one, other = (Network(f"kptv-{os.getpid()}-{end}") for end in ("proxy", "client"))
    with ExitStack() as stack:
        for network in (one, other):
            try:
                ip("netns", "add", network.name)
            except subprocess.CalledProcessError as error:
                if os.environ.get("CI") == "true":
                    raise
                pytest.skip(f"no network can be made: {error.stderr.decode().strip()}")
            stack.callback(ip, "netns", "del", network.name)
        ip("-n", one.name, "link", "add", "v0", "type", "veth", "peer", "v0", "netns", other.name)
        for network, address in ((one, PROXY), (other, CLIENT)):
            ip("-n", network.name, "addr", "add", f"{address}/24", "brd", "+", "dev", "v0")
            for device in ("lo", "v0"):
                ip("-n", network.name, "link", "set", device, "up")
        yield one, other


@pytest.fixture(scope="module")
def proxy(
    networks: tuple[Network, Network], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """The proxy in its network, and it answers there."""
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "list.m3u").write_text("#EXTM3U\n#EXTINF:-1,News\nhttp://127.0.0.1:9/news.ts\n")
    proxy = Proxy(folder, f"{folder}/list.m3u|3", HDHOMERUN="on")
    proxy.under = networks[0].under()
    with closing(proxy):
        proxy.start(wait=False)
        eventually(lambda: found(networks[0], "127.0.0.1") != "", LIMIT, proxy.log)
        yield proxy
        proxy.stop()


def found(network: Network, *where: str) -> str:
    """The id of the one device that hdhomerun_config finds from there; empty if there is none."""
    said = network.run("hdhomerun_config", "discover", *where)
    devices = re.findall(r"^hdhomerun device ([0-9A-F]{8}) found at ", said, re.MULTILINE)
    assert len(devices) <= 1
    return devices[0] if devices else ""


def test_it_is_found_by_its_address_and_read(
    proxy: Proxy, networks: tuple[Network, Network]
) -> None:
    here, _ = networks
    assert is_valid_device_id(found(here, "127.0.0.1"))

    def get(name: str) -> str:
        return here.run("hdhomerun_config", "127.0.0.1", "get", name).strip()

    assert get("/sys/model") == "hdhomerun5_atsc"
    assert get("/tuner2/status") == "ch=none lock=none ss=0 snq=0 seq=0 bps=0 pps=0"
    assert get("/tuner3/status") == "ERROR: unknown getset variable"
    said = here.run("hdhomerun_config", "127.0.0.1", "set", "/tuner0/channel", "auto:7")
    assert said.strip() == "ERROR: nothing can be set here"


def test_it_is_found_by_a_broadcast_under_the_address_that_leads_to_it(
    proxy: Proxy, networks: tuple[Network, Network]
) -> None:
    here, there = networks
    device = found(there)
    assert device == found(here, "127.0.0.1")
    model = there.run("hdhomerun_config", device, "get", "/sys/model")  # found by its id, too
    assert model.strip() == "hdhomerun5_atsc"
    base = f"http://{PROXY}:{proxy.port}"
    told = there.run(sys.executable, "-c", ASK).split()
    assert told == [PROXY, "65001", base, f"{base}/lineup.json", "3"]


def test_after_a_reload_it_is_the_same_device(
    proxy: Proxy, networks: tuple[Network, Network]
) -> None:
    here, _ = networks
    before = found(here, "127.0.0.1")
    assert proxy.process is not None
    proxy.process.send_signal(signal.SIGHUP)
    eventually(lambda: proxy.log.count("Booting worker") == 2, LIMIT, proxy.log)
    eventually(lambda: found(here, "127.0.0.1") != "", LIMIT, proxy.log)
    assert found(here, "127.0.0.1") == before
    assert "cannot be used" not in proxy.log
