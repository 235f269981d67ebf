"""What each command does; a running proxy takes it up within 2 seconds."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from time import time
from typing import Any

from kptv.channels.rules.reading import RulesError
from kptv.channels.users.links import links_of
from kptv.channels.users.model import User
from kptv.channels.users.names import Unfit
from kptv.channels.users.times import end_of
from kptv.command import command_line
from kptv.config import ENV_FILE, load_config
from kptv.config.rules_file import load_rules
from kptv.config.settings import RULES_FILE, environment
from kptv.users.store import MadeSecret, UsersFile
from kptv.users.telling import (
    told_closing,
    told_groups,
    told_links,
    told_login,
    told_user,
    told_users,
)


class Stopped(Exception):
    """The command cannot be done; the text says why."""


class Tools:
    """What each command works with."""

    def __init__(self) -> None:
        """Raises ConfigError. Rules that cannot be used must not keep a user from being barred."""
        self.config = load_config({**os.environ, "RULES": os.devnull})
        self.file = UsersFile(self.config.data_dir)

    def __repr__(self) -> str:
        return f"<Tools of {self.file!r}>"

    def say(self, lines: Iterable[str]) -> None:
        """Write lines."""
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in lines)

    def show(self, shown: MadeSecret) -> None:
        """Write what to type into applications."""
        links = links_of(self.config.base_url, shown.user.name, shown.text)
        self.say(told_links(links, self.config.base_url_is_set))


def add(tools: Tools, given: argparse.Namespace) -> None:
    """Make a user, and show what to type."""
    wanted = User(
        id=0,
        name=given.name,
        expires=None if given.expires is None else end_of(given.expires),
        max_streams=given.streams,
        refuses=given.refuse,
        groups=_groups(given),
        profile=given.profile or "",
        note=given.note,
    )
    before = tools.file.read()
    shown = tools.file.add(wanted, given.label, _typed() if given.typed else None)
    tools.say([told_user(shown.user, time()), *_about(given.profile, wanted.groups), ""])
    tools.show(shown)
    if not before.is_on and not tools.config.require_login:
        config = tools.config
        closing = told_closing(
            config.data_dir.resolve(),
            has_page=config.status_page,
            has_token=bool(config.admin_token),
        )
        tools.say(closing)
    elif before.trouble:
        tools.say(["", f"{before.trouble}: a new file was begun, with this user only."])


def show_all(tools: Tools, given: argparse.Namespace) -> None:
    """Write all users, without their secrets."""
    seen = tools.file.read()
    if seen.trouble:
        raise Stopped(seen.trouble)
    if given.json:
        tools.say([json.dumps([_plain(user) for user in seen.table], indent=2)])
        return
    tools.say([told_login(seen.is_on, tools.config.require_login), ""])
    if not len(seen.table):
        tools.say([f"There are no users. Make one: {command_line('kptv.users add NAME')}"])
        return
    tools.say(told_users(tuple(seen.table), time()))


def disable(tools: Tools, given: argparse.Namespace) -> None:
    """Bar a user until further notice."""
    user = tools.file.change(given.name, enabled=False)
    tools.say([f"{user.name} is disabled: what plays for that name ends within 2 seconds."])


def enable(tools: Tools, given: argparse.Namespace) -> None:
    """Let a user in again."""
    tools.say([told_user(tools.file.change(given.name, enabled=True), time())])


def secret(tools: Tools, given: argparse.Namespace) -> None:
    """One more secret, shown once."""
    shown = tools.file.new_secret(given.name, given.label, _typed() if given.typed else None)
    tools.say([f"{shown.user.name} has a further secret, {shown.secret.number}.", ""])
    tools.show(shown)


def revoke(tools: Tools, given: argparse.Namespace) -> None:
    """Take a secret back."""
    user = tools.file.revoke(given.name, given.number)
    left = sum(each.is_good for each in user.secrets)
    tools.say(
        [
            f"Secret {given.number} opens nothing any more; what plays by it ends within 2 seconds."
            f" {user.name} has {left or 'none'} left"
            + (f": {command_line(f'kptv.users secret {user.name}')}" if not left else ".")
        ]
    )


def limit(tools: Tools, given: argparse.Namespace) -> None:
    """So many streams at once."""
    user = tools.file.change(given.name, max_streams=given.streams, refuses=given.refuse)
    tools.say([told_user(user, time())])


def groups(tools: Tools, given: argparse.Namespace) -> None:
    """Other channels."""
    named = _groups(given)
    if not given.all and named is None and given.profile is None:
        raise Unfit('Name groups, as "News,Sport", or a --profile, or --all.')
    changes: dict[str, Any] = {}
    if given.all or named is not None:
        changes["groups"] = named
    if given.all or given.profile is not None:
        changes["profile"] = given.profile or ""
    user = tools.file.change(given.name, **changes)
    tools.say([told_user(user, time()), *_about(given.profile, named)])


def expire(tools: Tools, given: argparse.Namespace) -> None:
    """Another end."""
    tools.say([told_user(tools.file.change(given.name, expires=end_of(given.end)), time())])


def delete(tools: Tools, given: argparse.Namespace) -> None:
    """Forget a user."""
    user = tools.file.delete(given.name)
    login = told_login(tools.file.read().is_on, tools.config.require_login)
    tools.say([f"{user.name} is gone, with all secrets. {login}"])


def let_everybody_in(tools: Tools, given: argparse.Namespace) -> None:
    """End the login."""
    was_on = tools.file.open_to_all()
    if tools.config.require_login:
        tools.say(["REQUIRE_LOGIN is set, so a login is needed still: take it out, and restart."])
        return
    if not was_on:
        tools.say(["No login was needed."])
        return
    tools.say(
        [
            "Everybody is let in from now on, within 2 seconds. The users are kept, and their links"
            " work; the next `add` closes the proxy again."
        ]
    )


# --- how ---


def _typed() -> str:
    """A secret that somebody types, or a script writes: never in a command line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    once = getpass.getpass("Secret: ")
    if getpass.getpass("Once more: ") != once:
        raise Stopped("These two differ. Nothing was changed.")
    return once


def _groups(given: argparse.Namespace) -> tuple[str, ...] | None:
    """Those that are named; None: there are none."""
    named = [each.strip() for each in (given.groups or "").split(",") if each.strip()]
    return tuple(named + (given.group or [])) or None


def _about(profile: str | None, groups: tuple[str, ...] | None) -> list[str]:
    """Hints at what may turn out to show nothing."""
    return [*_about_profile(profile), *told_groups(groups)]


def _about_profile(name: str | None) -> list[str]:
    """A hint if the rules have no such profile."""
    if not name:
        return []
    path = environment().get("RULES", "").strip()
    try:
        rules = load_rules(Path(path) if path else ENV_FILE.parent / RULES_FILE, environment())
    except RulesError:
        return []
    if rules is not None and any(profile.name == name for profile in rules.profiles):
        return []
    return [f"The rules have no profile {name} yet: until they do, nothing is to be seen."]


def _plain(user: User) -> dict[str, Any]:
    plain = asdict(user)
    for each in plain["secrets"]:
        del each["digest"], each["salt"]
    return plain
