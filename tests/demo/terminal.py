"""A command of ours as a terminal runs it, and all that it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.functional.harness import ROOT


class Terminal:
    """Runs a module in a process group of its own, without SOURCES."""

    def __init__(self, folder: Path, module: str, *arguments: str, **settings: str) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "SOURCES": ""}
        self.process = subprocess.Popen(
            (sys.executable, "-m", module, *arguments),
            cwd=ROOT,
            env={**environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def has_begun(self) -> bool:
        """Whether it says how it is ended."""
        assert self.process.poll() is None, self.output
        return "Ctrl-C stops" in self.output

    def press_ctrl_c(self) -> None:
        """The terminal sends SIGINT to every process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def group_is_gone(self) -> bool:
        """Whether none of its processes is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def close(self) -> None:
        """End all of them."""
        if not self.group_is_gone:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
