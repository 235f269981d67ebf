"""The commands, and what they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from kptv.channels.rules.reading import RulesError
from kptv.command import TITLE, run
from kptv.errors import ConfigError
from kptv.rules.checking import check
from kptv.rules.explaining import explain
from kptv.rules.previewing import AskedPreview, preview

ABOUT = "Say what the rules file does, before it takes effect. Nothing is contacted or changed."

_MOST = 100_000  # lines of a kind


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if all is fine, 1 if something is wrong; argparse ends with 2."""
    given = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = given.run
    return run(lambda: command(given), ConfigError, RulesError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kptv.rules", description=ABOUT)
    parser.add_argument("--version", action="version", version=TITLE)
    commands = parser.add_subparsers(required=True, metavar="check|preview|explain")
    _add_check(commands.add_parser("check", help="find mistakes in the file"))
    _add_preview(commands.add_parser("preview", help="show what it makes of the lists"))
    _add_explain(commands.add_parser("explain", help="show what becomes of one entry, and why"))
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.set_defaults(run=lambda given: check(given.file))


def _add_preview(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.add_argument("--diff", action="store_true", help="show each channel that changes")
    parser.add_argument("--groups", action="store_true", help="show the groups of the lists")
    parser.add_argument("--list", action="store_true", help="show the channels that come of it")
    parser.add_argument(
        "--most", type=_whole, default=100, help="channels that are shown of a kind"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--strict", action="store_true", help="end with 1 if there are conflicts")
    parser.set_defaults(run=lambda given: preview(given.file, _wanted(given)))


def _wanted(given: argparse.Namespace) -> AskedPreview:
    return AskedPreview(
        changes=given.most if given.diff else 0,
        channels=given.most if given.list else 0,
        groups=given.most if given.groups else 0,
        as_json=given.json,
        is_strict=given.strict,
    )


def _add_explain(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.add_argument("name", type=_name, help="of an entry, as its list has it")
    parser.add_argument("--source", default="", help="if no list has it: in which it would be")
    parser.add_argument("--group", action="append", default=[], help="and in which group")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.set_defaults(
        run=lambda given: explain(
            given.file, given.name, source=given.source, groups=given.group, as_json=given.json
        )
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, help="rules to try, instead of those in use")


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a name is wanted, as a list has it")
    return text


def _whole(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST} is wanted")
    return number
