"""Kodi with its client for lists of channels, or for HDHomeRuns, on a screen that nobody sees.

with Kodi(folder, "http://127.0.0.1:8080/playlist.m3u8") as kodi:
    kodi.wait_for_shows(["News"])
    kodi.channels()["News"].now

It gets nothing but the address of the list, as a person would type it: where the guide is, the list
says. Its web server has a password of its own, as Kodi cannot keep it to loopback.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.sax.saxutils import quoteattr

from tests.functional.harness import ReservedPort, eventually

FOR_LISTS, FOR_HDHOMERUNS = "pvr.iptvsimple", "pvr.hdhomerun"
START_DEADLINE = 90.0  # seconds: it draws without a graphics card
DEADLINE = 60.0
_ANSWER_DEADLINE = 10.0
_SHOWN = ["title", "starttime", "endtime", "plot", "episodename", "episodenum", "genre"]


@dataclass(frozen=True, slots=True)
class Show:
    """What is on, as Kodi tells it."""

    title: str
    start: int
    stop: int
    plot: str
    episode: str  # its name
    number: int
    genres: tuple[str, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Show:
        """Read from an answer of JSON-RPC."""
        return cls(
            title=told["title"],
            start=_seconds(told["starttime"]),
            stop=_seconds(told["endtime"]),
            plot=told["plot"],
            episode=told["episodename"],
            number=told["episodenum"],
            genres=tuple(told["genre"]),
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """A channel, as Kodi tells it."""

    id: int  # Kodi's own
    number: int
    now: Show | None
    next: Show | None


class Kodi:
    """Kodi with a profile in ``folder`` and this list; it plays nothing until it is told.

    Without a list it looks for HDHomeRuns in the network.
    """

    def __init__(self, folder: Path, list_url: str | None = None) -> None:
        self.home = folder
        self._addon = FOR_LISTS if list_url is not None else FOR_HDHOMERUNS
        self._port = ReservedPort()
        self._password = secrets.token_hex(8)
        self._screen: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        data = self.home / ".kodi" / "userdata"
        _write_settings(data / "guisettings.xml", self._settings)
        if list_url is not None:
            self._name_list(data / "addon_data" / self._addon, list_url)

    @staticmethod
    def _name_list(folder_of_addon: Path, list_url: str) -> None:
        addon = {"m3uPathType": "1", "m3uUrl": list_url, "epgPathType": "1", "epgUrl": ""}
        _write_settings(folder_of_addon / "settings.xml", addon)
        # Kodi 21 and later have a file for each of several lists.
        named = {"kodi_addon_instance_name": "list", "kodi_addon_instance_enabled": "true"}
        _write_settings(folder_of_addon / "instance-settings-1.xml", {**named, **addon})

    @property
    def _settings(self) -> dict[str, str]:
        """Ways in for this test alone, and none out."""
        return {
            "services.webserver": "true",
            "services.webserverport": str(self._port.number),
            "services.webserverauthentication": "true",
            "services.webserverusername": "kodi",
            "services.webserverpassword": self._password,
            "services.esenabled": "false",
            "services.zeroconf": "false",
            "services.wsdiscovery": "false",
            "services.upnp": "false",
            "general.addonupdates": "2",  # never
            "pvrmanager.usebackendchannelnumbers": "true",  # else it counts from 1
            "locale.timezonecountry": "Finland",  # players are not where guides are written
            "locale.timezone": "Europe/Helsinki",
        }

    # --- life ---

    def start(self) -> Kodi:
        """Start it; return when it answers and its client is switched on."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "DISPLAY": self._start_screen(),
        }
        [binary] = glob("/usr/lib/*/kodi/kodi.bin")  # what the script of that name starts
        with (self.home / "out").open("wb") as out:
            self._process = subprocess.Popen(
                (binary, "--windowing=x11"),
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        eventually(self._answers, START_DEADLINE, "Kodi does not answer")
        self.call("Addons.SetAddonEnabled", addonid=self._addon, enabled=True)
        return self

    def _start_screen(self) -> str:
        """The name of a screen that was free."""
        reading, writing = os.pipe()
        screen = ("Xvfb", "-displayfd", str(writing), "-screen", "0", "640x360x24")
        self._screen = subprocess.Popen(
            (*screen, "-nolisten", "tcp"),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            ready, _, _ = select.select([told], [], [], START_DEADLINE)
            number = told.readline().strip() if ready else ""
        assert number, "no screen"
        return f":{number}"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Kodi ended by itself:\n{self.log[-4000:]}"
        with contextlib.suppress(OSError):
            return bool(self.call("JSONRPC.Ping") == "pong")
        return False

    def kill(self) -> None:
        """End it and all that it started; harmless when it is not running."""
        for process in (self._process, self._screen):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self._port.release()

    def __enter__(self) -> Kodi:
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def log(self) -> str:
        path = self.home / ".kodi" / "temp" / "kodi.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(line for line in lines if not _NO_SOUND.search(line))

    # --- what it tells ---

    def call(self, method: str, **params: object) -> Any:
        """The result of a call by JSON-RPC; AssertionError with what Kodi says against it."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        account = base64.b64encode(f"kodi:{self._password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port.number}/jsonrpc",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json", "Authorization": f"Basic {account}"},
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_DEADLINE) as answer:
            told = json.load(answer)
        assert "result" in told, told
        return told["result"]

    def channels(self) -> dict[str, Shown]:
        """Its channels by their names; none while it has none."""
        try:
            told = self.call(
                "PVR.GetChannels",
                channelgroupid="alltv",
                properties=["channelnumber", "broadcastnow", "broadcastnext"],
            )
        except AssertionError:  # it has no channels yet, which it calls an internal error
            return {}
        return {
            each["label"]: Shown(
                each["channelid"],
                each["channelnumber"],
                *(Show.of(each[key]) if each.get(key) else None for key in _NOW_AND_NEXT),
            )
            for each in told.get("channels", [])
        }

    def shows(self, channel: Shown) -> list[Show]:
        """All that it knows to be on a channel."""
        told = self.call("PVR.GetBroadcasts", channelid=channel.id, properties=_SHOWN)
        return [Show.of(each) for each in told.get("broadcasts", [])]

    def label(self, name: str) -> str:
        """What a label of its screens says now: ``Player.Title``."""
        return str(self.call("XBMC.GetInfoLabels", labels=[name])[name])

    def play(self, channel: Shown) -> None:
        """Begin to play a channel."""
        self.call("Player.Open", item={"channelid": channel.id})

    def seconds_played(self) -> int:
        """For how long it has played; 0 before its first picture."""
        parts = self.label("Player.Time(hh:mm:ss)").split(":")
        hours, minutes, seconds = map(int, parts if len(parts) == 3 else "000")
        return (hours * 60 + minutes) * 60 + seconds

    def wait_for_shows(self, names: Iterable[str]) -> dict[str, Shown]:
        """Its channels, once it has a show for each of these; AssertionError with its log."""
        wanted, found = list(names), dict[str, Shown]()

        def has_them() -> bool:
            found.update(self.channels())
            return all(name in found and found[name].now for name in wanted)

        self.wait(has_them)
        return found

    def wait(self, condition: Callable[[], bool]) -> None:
        """Ask until it is so; AssertionError with the end of its log after a minute."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"not in time\n{self.log[-8000:]}"
            time.sleep(0.2)  # it tells nobody


_NO_SOUND = re.compile("ActiveAE")  # twice a second it looks for a sound card
_NOW_AND_NEXT = ("broadcastnow", "broadcastnext")


def _seconds(written: str) -> int:
    moment = datetime.strptime(written, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp())


def _write_settings(path: Path, settings: Mapping[str, str]) -> None:
    lines = [f"<setting id={quoteattr(name)}>{v}</setting>" for name, v in settings.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(['<settings version="2">', *lines, "</settings>\n"]))
