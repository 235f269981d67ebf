"""A real server of its own for a test: Valkey, or the Redis that it came from."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path
from time import monotonic, sleep

PROGRAM = shutil.which("valkey-server") or "redis-server"
LIMIT = 10.0  # seconds


class Valkey:
    """Listens on a Unix socket in ``folder``, keeps nothing on disk, and starts at once."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._path = folder / "valkey.sock"
        self._options = options
        self.url = f"unix://{self._path}"
        self.start()

    def start(self) -> None:
        """Begin anew, and wait until it listens."""
        self._path.unlink(missing_ok=True)
        listening = ("--port", "0", "--unixsocket", str(self._path))
        self._process = subprocess.Popen(
            [PROGRAM, *listening, "--save", "", "--appendonly", "no", *self._options],
            stdout=subprocess.DEVNULL,
        )
        deadline = monotonic() + LIMIT
        while not self._listens():
            assert monotonic() < deadline
            assert self._process.poll() is None
            sleep(0.005)

    def kill(self) -> None:
        """As a crash."""
        self._process.kill()
        self._process.wait(LIMIT)

    def freeze(self) -> None:
        """It answers nobody until it is thawed."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as attempt:
            return attempt.connect_ex(str(self._path)) == 0
