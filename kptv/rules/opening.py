"""Settings, rules and kept lists, as the commands need them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from kptv.channels.rules.model import Rules
from kptv.channels.rules.places import Places
from kptv.channels.rules.report.summary import NoMatch
from kptv.config import ENV_FILE, Config, load_config
from kptv.config.rules_file import load_rules
from kptv.config.settings import RULES_FILE, environment
from kptv.errors import ConfigError
from kptv.rules.kept import KeptLists, kept_lists

START_FIRST = "Start the proxy once, so that it fetches them, and try again."


@dataclass(frozen=True, slots=True)
class RulesText:
    """A rules file that can be used."""

    path: Path
    rules: Rules
    places: Places

    def line_of(self, told: NoMatch) -> int:
        """Where it stands in the file."""
        if told.line:
            return told.line
        if told.table == "names":
            return self.places.line("names", "apart")
        return self.places.line(told.table, told.text)


@dataclass(frozen=True, slots=True)
class Opened:
    """All that the commands look at."""

    config: Config
    text: RulesText | None  # None: there is no rules file
    kept: KeptLists

    @property
    def rules(self) -> Rules:
        """Those of the file; without one those that say nothing."""
        return self.text.rules if self.text is not None else Rules()


def path_of_rules(file: Path | None) -> Path:
    """The rules file: the one that is named here, or in the settings, or beside `.env`.

    Raises ConfigError.
    """
    if file is not None:
        return file
    named = environment().get("RULES", "").strip()
    return Path(named) if named else ENV_FILE.parent / RULES_FILE


def rules_text(path: Path) -> RulesText | None:
    """The rules file; None if there is none. Raises RulesError and ConfigError."""
    rules = load_rules(path, environment())
    if rules is None:
        return None
    return RulesText(path, rules, Places(path.read_text("utf-8-sig").replace("\r\n", "\n")))


def config_for(path: Path) -> Config:
    """The settings, with this rules file. Raises ConfigError."""
    config = load_config({**os.environ, "RULES": str(path)})
    return replace(config, rules=None)


def opened(file: Path | None) -> Opened:
    """Settings, rules and lists. Raises RulesError and ConfigError."""
    path = path_of_rules(file)
    text = rules_text(path)
    if text is None and file is not None:
        raise ConfigError(f"There is no file {file}.")
    config = config_for(path)
    kept = kept_lists(config)
    if not kept.listings:
        raise ConfigError("\n".join(["No list is kept yet.", *kept.missing, START_FIRST]))
    return Opened(config, text, kept)
