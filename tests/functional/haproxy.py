"""The shipped HAProxy configuration, in Debian's HAProxy, in a folder of the test's own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from kptv.demo.router import router_config
from tests.functional.harness import ROOT, ReservedPort, eventually

SHIPPED = ROOT / "deploy" / "haproxy.cfg"


class Haproxy:
    """HAProxy with the shipped configuration on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self._folder / "haproxy.log").read_text()

    @property
    def _settings(self) -> dict[str, str]:
        socket = str(self._folder / "socket")
        return {"KPTV_LOG": "stdout", "KPTV_LOG_FORMAT": "raw", "KPTV_SOCKET": socket}

    def start(self, ports: Sequence[int], through: bool = False) -> Haproxy:
        """``ports``: of the instances. ``through``: all media passes, as the comment says."""
        text = router_config(SHIPPED.read_text(), f"127.0.0.1:{self.port}", ports, "127.0.0.1")
        if through:
            text, count = re.subn(r" redir \S+", "", text)
            assert count == len(ports)
            assert text.count("# option splice-response") == 1
            text = text.replace("# option splice-response", "option splice-response")
        file = self._folder / "haproxy.cfg"
        file.write_text(text)
        with (self._folder / "haproxy.log").open("wb") as log:
            self._process = subprocess.Popen(
                ("haproxy", "-db", "-f", str(file)),
                env=os.environ | self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self._listens, 10, "HAProxy did not start")
        return self

    def command(self, text: str) -> str:
        """What HAProxy answers to a command of its operator."""
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(10)
            connection.connect(str(self._folder / "socket"))
            connection.sendall(f"{text}\n".encode())
            return connection.makefile().read()

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        self._reserved.release()
