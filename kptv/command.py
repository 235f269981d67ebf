"""What every command of the proxy understands: `--help` and `--version`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from kptv import __version__

TITLE = f"KPTV Proxy {__version__}"


def take_no_arguments(module: str, about: str) -> None:
    """Answer `--help` and `--version`, and refuse anything else; `about`: what the command does."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--version", action="version", version=TITLE)
    parser.parse_args()


def command_line(command: str) -> str:
    """What to type to run ``command``, as `kptv.users open`: many systems have no `python`."""
    python = Path(sys.executable or "python")
    here = Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return f"{shown} -m {command}"


def run(command: Callable[[], int], *expected: type[Exception]) -> int:
    """The exit status of ``command``, which writes to standard output.

    1 if that cannot be written, or with one of ``expected``, whose text is told.
    """
    if sys.stdout is None:  # it was closed before this began
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names have letters of all scripts
    try:
        status = command()
        sys.stdout.flush()
    except expected as error:
        sys.stderr.write(f"{error}\n")
    except BrokenPipeError:  # `| head` has enough
        _write_no_more()
    except OSError as error:
        sys.stderr.write(f"It cannot be written: {error.strerror}\n")
        _write_no_more()
    else:
        return status
    return 1


def _write_no_more() -> None:
    """Else Python would complain again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
