"""The shipped HAProxy configuration, in Debian's HAProxy, in a folder of the test's own."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from kptv.demo.router import router_config
from tests.functional.harness import ROOT
from tests.functional.own_port import OnOwnPort

SHIPPED = ROOT / "deploy" / "haproxy.cfg"


class Haproxy:
    """HAProxy with the shipped configuration on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = OnOwnPort(folder / "haproxy.log")
        self.port = self._run.number

    @property
    def log(self) -> str:
        return self._run.log

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
        self._run.run("haproxy", "-db", "-f", str(file), settings=self._settings)
        return self

    def command(self, text: str) -> str:
        """What HAProxy answers to a command of its operator."""
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(10)
            connection.connect(str(self._folder / "socket"))
            connection.sendall(f"{text}\n".encode())
            return connection.makefile().read()

    def stop(self) -> None:
        self._run.stop()
