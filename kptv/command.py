"""What every command of the proxy understands: `--help` and `--version`."""

from __future__ import annotations

import argparse

from kptv import __version__

TITLE = f"KPTV Proxy {__version__}"


def take_no_arguments(module: str, about: str) -> None:
    """Answer `--help` and `--version`, and refuse anything else; `about`: what the command does."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--version", action="version", version=TITLE)
    parser.parse_args()
