"""The file `.env`: what it sets, and what makes no sense in it. No value is repeated."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from kptv.errors import ConfigError

# Other libraries read it, before our code could.
_ENVIRONMENT_ONLY = frozenset(("REQUESTS_CA_BUNDLE",))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# It would write to a log that is not set up yet; `_about` says the same.
logging.getLogger("dotenv.main").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file of settings holds."""

    texts: dict[str, str | None]
    warnings: tuple[str, ...] = ()


def read_env_file(path: Path, known: Collection[str]) -> EnvFile:
    """Its variables, none if there is no such file; ``known`` are the names that mean something.

    A byte order mark is no part of them. Raises ConfigError.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return EnvFile({})
    except (OSError, UnicodeError) as error:
        what = "not UTF-8" if isinstance(error, UnicodeError) else error.strerror
        raise ConfigError(f"Cannot read the settings in {path}: {what}.") from None
    warnings = [f"{path.name}, line {line}: {what}" for line, what in _about(text, known)]
    return EnvFile(dict(dotenv_values(stream=StringIO(text))), tuple(warnings))


def _about(text: str, known: Collection[str]) -> Iterator[tuple[int, str]]:
    """What makes no sense, and in which line."""
    lines = defaultdict(list)
    for binding in parse_stream(StringIO(text)):
        if binding.error or binding.key is not None:
            yield from _about_line(binding, known)
            lines[binding.key].append(binding.original.line)
    for name, where in lines.items():
        if name in known and len(where) > 1:
            yield where[-1], f"{name} is set again, and this one counts (before: line {where[-2]})"


def _about_line(binding: Binding, known: Collection[str]) -> Iterator[tuple[int, str]]:
    line, name = binding.original.line, binding.key
    if name is None or not _NAME.fullmatch(name):
        # Often the second of several sources: nothing of it is shown.
        yield line, "not NAME=value. Several sources stand in one line, or in double quotes"
    elif name in _ENVIRONMENT_ONLY:
        yield line, f"{name} counts in the environment only"
    elif name not in known:
        nearest = get_close_matches(name.upper(), known, n=1)
        yield line, f"{name} is no setting" + (f"; {nearest[0]} is one" if nearest else "")
