"""The settings that run: read once, and replaced only by others that can be used.

gunicorn's master keeps them, and each worker inherits them. So a worker that is replaced starts
with the settings of the one before, whatever `.env` holds by then; only a reload reads it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from kptv.config.settings import Config, load_config

Load = Callable[[Mapping[str, str]], Config]


class Accepted:
    """Settings that were read, and could be used."""

    def __init__(self, load: Load = load_config) -> None:
        self._load = load
        self._config: Config | None = None

    def get(self) -> Config:
        """Those that were accepted last; at first, those that are read now. Raises ConfigError."""
        if self._config is None:
            self._config = self._load(os.environ)
        return self._config

    def renew(self) -> None:
        """Read them again. Raises ConfigError; then those from before stay.

        Only a restart changes where the proxy listens.
        """
        before, read = self.get(), self._load(os.environ)
        if (read.host, read.port) == (before.host, before.port):
            self._config = read
            return
        stays = {"HOST": before.host, "PORT": str(before.port)}
        wanted = {"HOST": read.host, "PORT": str(read.port)}
        changed = [f"{name}={wanted[name]}" for name in stays if stays[name] != wanted[name]]
        read = self._load({**os.environ, **stays})
        warning = f"{', '.join(changed)}: counts after a restart; a reload opens no other port"
        self._config = replace(read, warnings=(*read.warnings, warning))


ACCEPTED = Accepted()
