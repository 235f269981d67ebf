"""The commands, and what they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from kptv.channels.users.names import Unfit
from kptv.channels.users.values import MOST_STREAMS
from kptv.command import TITLE, run
from kptv.errors import ConfigError
from kptv.users import doing
from kptv.users.doing import Stopped, Tools
from kptv.users.schema import FileTrouble
from kptv.users.store import NoSuchUser

ABOUT = "Who may watch. The proxy may run meanwhile or not; it takes up a change within 2 seconds."

Command = Callable[[Tools, argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 if it is done, 1 if not; argparse ends with 2."""
    given = _parser().parse_args(arguments)
    command: Command = given.run

    def work() -> int:
        command(Tools(), given)
        return 0

    return run(work, ConfigError, FileTrouble, NoSuchUser, Unfit, Stopped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kptv.users", description=ABOUT)
    parser.add_argument("--version", action="version", version=TITLE)
    names = "add|list|disable|enable|secret|revoke|limit|groups|expire|delete|open"
    commands = parser.add_subparsers(required=True, metavar=names)

    def command(name: str, what: Command, about: str, *, named: bool = True) -> Any:
        sub = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        if named:
            sub.add_argument("name", metavar="NAME", help="of the user")
        sub.set_defaults(run=what)
        return sub

    one = command(
        "add", doing.add, "make a user; the first one of all closes the proxy to all others"
    )
    one.add_argument("--streams", type=_streams, default=0, help="at once; 0 (default): any number")
    _add_refuse(one)
    _add_rights(one)
    one.add_argument(
        "--expires", help="the last day, as 2027-01-31, or a time, as 2027-01-31T18:00"
    )
    one.add_argument("--note", default="", help="for yourself")
    _add_secret(one)
    command("list", doing.show_all, "show all users", named=False).add_argument(
        "--json", action="store_true", help="for scripts"
    )
    command("disable", doing.disable, "bar a user, and end what plays for them")
    command("enable", doing.enable, "let a user in again")
    _add_secret(command("secret", doing.secret, "make one more secret, as for another device"))
    one = command("revoke", doing.revoke, "take a secret back, and end what plays by it")
    one.add_argument("number", metavar="NUMBER", type=int, help="of the secret, as `list` shows it")
    one = command("limit", doing.limit, "let a user have so many streams at once")
    one.add_argument("streams", metavar="STREAMS", type=_streams, help="0: any number")
    _add_refuse(one)
    one = command("groups", doing.groups, "let a user see some groups, a profile, or all")
    one.add_argument("groups", metavar="GROUPS", nargs="?", help='names, as "News,Sport"')
    _add_rights(one, positional=True)
    one.add_argument("--all", action="store_true", help="all channels")
    one = command("expire", doing.expire, "let the time of a user end")
    one.add_argument("end", metavar="END", help="as 2027-01-31, 2027-01-31T18:00, or never")
    command("delete", doing.delete, "forget a user; nobody is let in for that")
    command("open", doing.let_everybody_in, "let everybody in without a login", named=False)
    return parser


def _add_refuse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--refuse",
        action="store_true",
        help="refuse the stream too many; without this the oldest ends",
    )


def _add_rights(parser: argparse.ArgumentParser, *, positional: bool = False) -> None:
    if not positional:
        parser.add_argument("--groups", help='that the user may see, as "News,Sport"')
    parser.add_argument("--group", action="append", help="one, as one with a comma in its name")
    parser.add_argument("--profile", help="of the rules, in place of all channels")


def _add_secret(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", default="", help="of the secret, as the device that has it")
    parser.add_argument(
        "--typed", action="store_true", help="ask for a secret, instead of making one"
    )


def _streams(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= MOST_STREAMS):
        raise argparse.ArgumentTypeError(f"a number from 0 to {MOST_STREAMS} is wanted")
    return int(text)
