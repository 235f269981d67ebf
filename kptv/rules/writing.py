"""Writes lines, and values as JSON, without secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kptv.channels.secrets import Secrets
from kptv.config import Config
from kptv.logs.redaction import Redactor


class Writer:
    """Writes to standard output what holds no secret of the sources."""

    def __init__(self, config: Config | None) -> None:
        self._redactor = None if config is None else Redactor(config.sources, config.base_url)

    def __repr__(self) -> str:
        return "<Writer>"

    def learn(self, secrets: Secrets) -> None:
        """Hide these, too."""
        if self._redactor is not None:
            self._redactor.learn(secrets)

    def lines(self, lines: Iterable[str]) -> None:
        """Write them."""
        sys.stdout.writelines(f"{self._hidden(line).rstrip()}\n" for line in lines)

    def json(self, value: object) -> None:
        """Write it for scripts."""
        sys.stdout.write(json.dumps(self._plain(value), ensure_ascii=False, indent=2) + "\n")

    def _hidden(self, text: str) -> str:
        return text if self._redactor is None else self._redactor.redact(text)

    def _plain(self, value: Any) -> Any:
        """As JSON has it; what a value does not show of itself is left out."""
        if isinstance(value, str):
            return self._hidden(value)
        if is_dataclass(value) and not isinstance(value, type):
            shown = [field.name for field in fields(value) if field.repr]
            return {name: self._plain(getattr(value, name)) for name in shown}
        if isinstance(value, Mapping):
            return {str(key): self._plain(each) for key, each in value.items()}
        if isinstance(value, Iterable):
            return [self._plain(each) for each in value]
        return value
