"""The proxy as somebody has it installed: a copy of its files, with a `.env` beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.functional.harness import ROOT, Proxy


class Installed(Proxy):
    """Started as any other proxy, but its settings are those of its `.env`."""

    def __init__(self, folder: Path, sources: str, **settings: str) -> None:
        """``sources`` and ``settings`` are what `.env` holds at first, with a port and a folder."""
        super().__init__(folder, sources)
        self.root = folder / "installed"
        self.root.mkdir()
        for name in ("wsgi.py", "gunicorn.conf.py"):
            shutil.copy2(ROOT / name, self.root)
        shutil.copytree(ROOT / "kptv", self.root / "kptv")
        self.env_file = self.root / ".env"
        kept = ("PORT", "DATA_DIR")
        self.first = {**{name: self.settings[name] for name in kept}, "SOURCES": sources}
        self.settings = {}  # nothing in the environment
        self.write_settings(**settings)

    def write_settings(self, **settings: str) -> None:
        """Those of the first `.env`, with these over them."""
        lines = (f"{name}={text}\n" for name, text in {**self.first, **settings}.items())
        self.env_file.write_text("".join(lines))
        self.env_file.chmod(0o600)
