"""Networks of instances' own, whose links to the server are cut as cables are: packets get lost.

They are Linux namespaces below one in which all of a run is. So they need no rights that a user
does not have, touch nothing of the machine, and are gone with the last process in them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from itertools import count
from typing import NoReturn

_MARK = "KPTV_TEST_OWN_NETWORK"
_WAYS = (("unshare", "--map-root-user", "--net"), ("unshare", "--net"))
_TRIED = "ip link set lo up && ip link add one type veth peer name two && exec unshare --net true"
_NOWHERE = "02:00:00:00:00:99"  # nobody's; what is sent there is lost
_LIMIT = 10.0  # seconds
_numbers = count(1)  # none is used again: links of one that was closed may still be there


def is_own() -> bool:
    """Whether this process is in a network that was made for it."""
    return _MARK in os.environ


@cache
def way_in() -> tuple[str, ...]:
    """What goes before a command that is to have a network of its own; empty: none can be had."""
    for way in _WAYS:
        try:
            done = subprocess.run([*way, "sh", "-c", _TRIED], capture_output=True, timeout=_LIMIT)
        except OSError:
            continue
        if done.returncode == 0:
            return (*way, "env", f"{_MARK}=1")
    return ()


def go_in(module: str) -> NoReturn:
    """Begin ``module`` anew with these arguments, in a network of its own."""
    way = way_in()
    os.execvp(way[0], [*way, sys.executable, "-m", module, *sys.argv[1:]])


class Network:
    """Of one instance: a link to the server, which may fail, and one to the providers, which holds.

    ``server`` and ``providers`` are the addresses at which this process is reached from there.
    """

    def __init__(self) -> None:
        """With the first also this process's own network comes up."""
        number = next(_numbers)
        ready = "ip link set lo up && echo && exec cat"  # which ends as soon as this process does
        self._inside = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", ready], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._inside.stdout is not None
        assert self._inside.stdout.readline(), "there is no network"
        self.server, self._here = f"10.77.{number}.1", f"server{number}"
        self.providers = f"10.78.{number}.1"
        self._instance = f"10.77.{number}.2"
        _ip("link set lo up")
        self._join(self._here, "server", self.server, self._instance)
        self._join(f"media{number}", "media", self.providers, f"10.78.{number}.2")

    def _join(self, here: str, there: str, ours: str, theirs: str) -> None:
        pid = self._inside.pid
        _ip(f"link add {here} type veth peer name {there} netns {pid}")
        _ip(f"addr add {ours}/30 dev {here}\nlink set {here} up")
        _ip(f"addr add {theirs}/30 dev {there}\nlink set {there} up", self.before)

    @property
    def before(self) -> tuple[str, ...]:
        """What goes before a command that is to run there; it becomes the command."""
        return ("nsenter", f"--net=/proc/{self._inside.pid}/ns/net", "--")

    def close(self) -> None:
        self._inside.kill()
        self._inside.wait(_LIMIT)
        for pipe in self._inside.stdin, self._inside.stdout:
            assert pipe is not None
            pipe.close()

    def unplug(self) -> None:
        """Nothing gets through to the server, nor back, and nobody is told."""
        _ip(f"link set {self._here} down")

    def plug_in(self) -> None:
        _ip(f"link set {self._here} up")

    def mute(self) -> None:
        """What the instance says is lost; what the server says gets there."""
        _ip(f"neigh replace {self.server} lladdr {_NOWHERE} dev server nud permanent", self.before)

    def unmute(self) -> None:
        _ip(f"neigh del {self.server} dev server", self.before)

    def deafen(self) -> None:
        """What the server says is lost; what the instance says gets there."""
        lost = f"lladdr {_NOWHERE} dev {self._here} nud permanent"
        _ip(f"neigh replace {self._instance} {lost}")

    def undeafen(self) -> None:
        _ip(f"neigh del {self._instance} dev {self._here}")


def _ip(commands: str, before: tuple[str, ...] = ()) -> None:
    command = [*before, "ip", "-batch", "-"]
    done = subprocess.run(command, input=commands.encode(), capture_output=True, timeout=_LIMIT)
    assert done.returncode == 0, f"{commands}: {done.stderr.decode()}"
