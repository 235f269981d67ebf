"""A program of others' that listens on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.functional.harness import ReservedPort, eventually


class OnOwnPort:
    """The port, which stays its own, and the program while it runs."""

    def __init__(self, log_file: Path) -> None:
        """``log_file``: what it writes."""
        self._log_file = log_file
        self._reserved = ReservedPort()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def number(self) -> int:
        """The port's."""
        return self._reserved.number

    @property
    def log(self) -> str:
        """All that it has written since it was started last."""
        return self._log_file.read_text()

    @property
    def pid(self) -> int:
        """That of the program, which runs."""
        assert self._process is not None
        return self._process.pid

    def run(self, *command: str, settings: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it listens."""
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **(settings or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        eventually(self._listens, 10, f"{command[0]} did not start")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.number)) == 0

    def stop(self) -> None:
        """End it, and let the port go; may come twice."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        self._reserved.release()
