"""A Debian with nothing but what debootstrap installs, booted with systemd as its first process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.docs_check.blocks import REPOSITORY, ROOT

BARE = Path(os.environ.get("BARE", "/var/tmp/kptv-docs-bookworm"))  # made once, then copied
USER = "me"
HOME = f"/home/{USER}"
CLEAN = ("env", "-i", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
BOOT_DEADLINE = 60.0  # seconds
STOP_DEADLINE = 10.0  # the proxy takes less than 2


def bare() -> Path:
    """The folder of a Debian to copy; it takes a minute or two to make."""
    if not BARE.exists():
        command = (ROOT / ".ci/bare", "bookworm", "true")
        subprocess.run(command, check=True, env={**os.environ, "BARE": str(BARE)})
    return BARE


class Machine:
    """One such Debian, with a user who may use sudo, and a repository to clone.

    What this machine needs to reach package registries is lent to it.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kptv-docs-", dir=BARE.parent))
        self.root = self._folder / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", bare(), self.root], check=True)
        shutil.rmtree(self.root / "src")
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        (self.root / "etc/hostname").write_text("debian\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost debian\n")
        self._lend_pip()
        init = ("git", "init", "--quiet", "--bare", "--initial-branch=main")
        subprocess.run([*init, self.root / REPOSITORY[1:]], check=True)
        self.boot()
        self.root_runs("apt-get -qq update && apt-get -qq install -y sudo >/dev/null")
        self.root_runs(f"useradd --create-home --shell /bin/bash {USER}")
        self.root_runs(f"echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}")
        # A repository is elsewhere; git trusts none of another user's on the same machine.
        self.root_runs(f"echo '[safe] directory = {REPOSITORY}' >/etc/gitconfig")

    def _lend_pip(self) -> None:
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        lines = ["[global]"]
        if certificates.exists():
            shutil.copy(certificates, self.root / "var/lent.crt")
            lines.append("cert = /var/lent.crt")
        if index := os.environ.get("PIP_INDEX_URL"):
            lines.append(f"index-url = {index}")
        (self.root / "etc/pip.conf").write_text("\n".join([*lines, ""]))

    # --- power ---

    def boot(self) -> None:
        self._boot = subprocess.Popen([ROOT / ".ci/boot", self.root], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + BOOT_DEADLINE
        while not self._is_up():
            assert self._boot.poll() is None, "it did not boot"
            assert time.monotonic() < deadline, "it takes too long to boot"
            time.sleep(0.1)

    def _is_up(self) -> bool:
        try:
            self._init = self._systemd()
        except (OSError, ValueError):
            return False
        asked = self._entered("systemctl", "is-system-running")
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        return done.stdout.strip() in ("running", "degraded")

    def _systemd(self) -> int:
        """The number here of the first process there."""
        pid = self._boot.pid
        while Path(f"/proc/{pid}/comm").read_text() != "systemd\n":
            (pid,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return pid

    def reboot(self) -> None:
        """Off, as if somebody had pressed the button shortly, and on again."""
        self.root_runs("systemctl poweroff")
        self._boot.wait(60)
        self.boot()

    def close(self) -> None:
        self._boot.send_signal(signal.SIGTERM)
        self._boot.wait(60)
        shutil.rmtree(self._folder)

    # --- commands ---

    def _entered(self, *command: str) -> list[str]:
        spaces = ("--mount", "--uts", "--ipc", "--pid", "--cgroup")
        return ["nsenter", f"--target={self._init}", *spaces, *CLEAN, *command]

    def _as_user(self, commands: str, folder: str) -> list[str]:
        identity = (f"--reuid={USER}", f"--regid={USER}", "--init-groups")
        shell = ("bash", "-eux", "-c", f"cd {folder}\n{commands}")
        return self._entered("env", f"HOME={HOME}", f"USER={USER}", "setpriv", *identity, *shell)

    def root_runs(self, commands: str) -> str:
        """What it prints; what the check does by itself, not what a page says."""
        return self._output(self._entered("bash", "-euo", "pipefail", "-c", commands))

    def user_runs(self, commands: str, folder: str = HOME) -> str:
        """What it prints. Nobody is there to answer a question."""
        return self._output(self._as_user(commands, folder))

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def user_begins(self, commands: str, folder: str = HOME) -> Foreground:
        """The same, for commands that go on until Ctrl-C."""
        return Foreground(self._as_user(commands, folder), self._folder / "terminal")


class Foreground:
    """Commands in a user's terminal."""

    def __init__(self, command: list[str], terminal: Path) -> None:
        self._terminal = terminal
        with terminal.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def shown(self) -> str:
        return self._terminal.read_text(errors="replace")

    def ended(self) -> bool:
        return self._process.poll() is not None

    def ctrl_c(self) -> None:
        """As the terminal does it: every process of the command gets SIGINT. All end, soon."""
        group = self._process.pid
        os.killpg(group, signal.SIGINT)
        self._process.wait(STOP_DEADLINE)  # nsenter's, which does not wait for the others
        deadline = time.monotonic() + STOP_DEADLINE
        while _is_there(group):
            if time.monotonic() > deadline:
                os.killpg(group, signal.SIGKILL)
                raise AssertionError(f"Ctrl-C did not end it\n{self.shown()[-3000:]}")
            time.sleep(0.1)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
