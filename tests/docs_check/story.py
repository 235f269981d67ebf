"""What README and docs tell to type, typed on a bare Debian: `make docs-check`, as root.

The tests are one story: each begins where the one before ended. Pages are read as they lie here;
what is cloned is the last commit. Ports 80 and 8080 must be free: the Debian shares this machine's.
"""

from __future__ import annotations

import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from kptv import __version__
from tests.docs_check.blocks import REPOSITORY, ROOT, RUN, Block, blocks
from tests.docs_check.machine import HOME, Foreground, Machine
from tests.functional.failing import note
from tests.functional.harness import Viewer, eventually
from tests.provider import Provider

pytestmark = pytest.mark.timeout(1800)  # a slow mirror is no fault of the docs

PORT = 8080
CLONE = f"{HOME}/kptv-proxy"
INSTALLED = "/opt/kptv-proxy"
CHANNEL = "bbc-one"  # the one of docs/api.md
TOKEN = "a-long-token-of-the-operator"
BLOCKS = {block.name: block for block in blocks() if block.name}
OLDEST = "deploy/kptv.service"  # no release yet: the first commit with this is upgraded from

done: set[str] = set()


def git(*arguments: str) -> str:
    command = ("git", "-C", str(ROOT), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def older() -> str:
    """The last release before this commit."""
    try:
        return git("describe", "--tags", "--abbrev=0", "HEAD~")
    except subprocess.CalledProcessError:
        return git("log", "--diff-filter=A", "--format=%H", "--", OLDEST).splitlines()[-1]


def publish(machine: Machine, commit: str) -> None:
    """It is what one gets who clones or pulls."""
    address = str(machine.root / REPOSITORY[1:])
    git("push", "--quiet", "--force", address, f"{commit}:refs/heads/main")


# --- a reader's hands and eyes ---


def take(name: str) -> Block:
    done.add(name)
    note(f"  {BLOCKS[name].page.name}: {name}")
    return BLOCKS[name]


def type_in(machine: Machine, name: str, folder: str = HOME) -> str:
    begun = time.monotonic()
    shown = machine.user_runs(f"export ADMIN_TOKEN={TOKEN}\n{take(name).commands()}", folder)
    note(f"    {time.monotonic() - begun:.1f} s")
    return shown


def start(machine: Machine, name: str, folder: str) -> Foreground:
    """Commands that go on until Ctrl-C, once the proxy is ready."""
    running = machine.user_begins(take(name).commands(), folder)
    eventually(lambda: ready() or running.ended(), 300, "not ready")
    assert not running.ended(), running.shown()[-4000:]
    return running


def edit(file: Path, **settings: str) -> None:
    """Set these in a file of settings, as one does in an editor: owner and mode stay."""
    text = file.read_text()
    for name, value in settings.items():
        (line,) = re.findall(rf"^(?:# )?{name}=.*$", text, re.MULTILINE)
        text = text.replace(line, f"{name}={value}")
    file.write_text(text)


def own_settings(*providers: Provider) -> dict[str, str]:
    sources = ",".join(f"{provider.list_url}|2" for provider in providers)
    return {"SOURCES": sources, "BASE_URL": f"http://127.0.0.1:{PORT}", "ADMIN_TOKEN": TOKEN}


def get(path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""


def ready() -> bool:
    return get("/readyz") != ""


def listed(link: str) -> bool:
    return link in get("/playlist.m3u8")


def plays(path: str = f"/stream/{CHANNEL}") -> None:
    assert listed(path)
    with Viewer(PORT, path).start() as viewer:
        viewer.wait_for_bytes(188 * 500, 20)


def log_of(machine: Machine) -> str:
    return machine.root_runs("journalctl -u kptv --no-pager --output=cat")


def main_process(machine: Machine) -> str:
    return machine.root_runs("systemctl show --property=MainPID --value kptv").strip()


def eventually_ready(machine: Machine) -> None:
    try:
        eventually(ready, 30)
    except AssertionError:
        fail(f"not ready\n{log_of(machine)[-4000:]}")


def fail(why: str) -> NoReturn:
    raise AssertionError(why)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    for port in (80, PORT):
        answers = subprocess.run(
            ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True
        )
        assert not answers.stdout, f"port {port} is in use: {answers.stdout}"
    machine = Machine()
    publish(machine, "HEAD")
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def providers() -> Iterator[tuple[Provider, Provider]]:
    with Provider("one") as one, Provider("two") as two:
        for provider in (one, two):
            provider.add_channel("BBC One", group_title="UK")
        yield one, two


Providers = tuple[Provider, Provider]


# --- README ---


def test_a_newcomer_sees_the_demo(machine: Machine) -> None:
    type_in(machine, "packages")
    type_in(machine, "clone")
    demo = start(machine, "demo", CLONE)
    eventually(lambda: "curl -X POST" in demo.shown(), 10, "the demo says nothing")
    plays(re.findall(r"http://[^/]+(/stream/\S+)", get("/playlist.m3u8"))[0])
    (command, *_) = re.findall(r"curl -X POST \S+", demo.shown())
    machine.user_runs(command)
    demo.ctrl_c()
    assert not ready()


def test_a_newcomer_plays_own_accounts(machine: Machine, providers: Providers) -> None:
    type_in(machine, "settings", CLONE)
    file = machine.root / f"{CLONE[1:]}/.env"
    assert file.stat().st_mode & 0o777 == 0o600
    edit(file, **own_settings(*providers))
    running = start(machine, "run", CLONE)
    plays()
    running.ctrl_c()
    assert "cannot be used" not in type_in(machine, "settings-check", CLONE)


def test_a_newcomer_upgrades(machine: Machine) -> None:
    machine.user_runs(f"git reset --quiet --hard {older()}", CLONE)
    running = start(machine, "upgrade", CLONE)
    plays()
    running.ctrl_c()
    assert machine.user_runs("git rev-parse HEAD 2>/dev/null", CLONE).splitlines()[-1] == git(
        "rev-parse", "HEAD"
    )
    assert __version__ in type_in(machine, "version", CLONE)


# --- a service ---


def test_it_becomes_a_service(machine: Machine, providers: Providers) -> None:
    publish(machine, older())
    type_in(machine, "service")
    file = machine.root / f"{INSTALLED[1:]}/.env"
    edit(file, **own_settings(*providers))
    shown = type_in(machine, "service-start", INSTALLED)
    assert "gunicorn" in shown or "Started" in shown, shown
    eventually_ready(machine)
    plays()


def test_it_starts_at_boot(machine: Machine) -> None:
    machine.reboot()
    eventually_ready(machine)
    plays()
    assert machine.root_runs(f"ps -o user= -p {main_process(machine)}").strip() == "kptv"


def test_the_service_is_upgraded(machine: Machine) -> None:
    publish(machine, "HEAD")
    type_in(machine, "service-upgrade")
    eventually_ready(machine)
    plays()
    assert __version__ in log_of(machine)
    assert machine.root_runs(f"git -C {INSTALLED} rev-parse HEAD").strip() == git(
        "rev-parse", "HEAD"
    )


def test_a_changed_setting_is_taken_over(machine: Machine) -> None:
    file = machine.root / f"{INSTALLED[1:]}/.env"
    for base_url in (f"http://127.0.0.1:{PORT}/somewhere", f"http://127.0.0.1:{PORT}"):
        edit(file, BASE_URL=base_url)
        type_in(machine, "reload")
        link = f"{base_url}/stream/{CHANNEL}"
        eventually(partial(listed, link), 20, "no reload")
    plays()


def test_a_wrong_setting_is_told_and_all_goes_on(machine: Machine) -> None:
    file = machine.root / f"{INSTALLED[1:]}/.env"
    before = main_process(machine)
    with Viewer(PORT, f"/stream/{CHANNEL}").start() as viewer:
        viewer.wait_for_bytes(188 * 500, 20)
        edit(file, STALL_TIMEOUT="soon")
        with pytest.raises(AssertionError, match="Job for kptv"):
            type_in(machine, "reload")
        eventually(lambda: "STALL_TIMEOUT" in log_of(machine), 20, "the log does not name it")
        machine.root_runs("systemctl kill --signal=HUP --kill-whom=main kptv")  # without systemd's
        eventually(lambda: "Cannot reload" in log_of(machine), 20, "the log does not say it")
        viewer.wait_for_bytes(len(viewer.body) + 188 * 1000, 20)
    edit(file, STALL_TIMEOUT="5s")
    type_in(machine, "reload")
    eventually_ready(machine)
    plays()
    assert main_process(machine) == before


def test_a_channel_is_tried_without_a_player(machine: Machine) -> None:
    type_in(machine, "channel")
    assert (machine.root / f"{HOME[1:]}/test.ts").stat().st_size == 1_000_000


def test_the_api_is_asked_as_its_page_says(machine: Machine) -> None:
    with Viewer(PORT, f"/stream/{CHANNEL}").start() as viewer:
        viewer.wait_for_source("one")
        shown = type_in(machine, "api")
        viewer.wait_for_source("two")
    assert '"error"' not in shown, shown


# --- nginx ---


def status(machine: Machine, *options: str) -> str:
    """What nginx answers who asks for the list from no network of the home."""
    ask = "curl -sS -o /dev/null -w '%{http_code}' -H 'Host: tv.example'"
    return machine.root_runs(" ".join((ask, *options, "http://127.0.0.1/playlist.m3u8")))


def test_nginx_stands_in_front_and_asks_for_a_password(machine: Machine) -> None:
    type_in(machine, "nginx")
    eventually(lambda: status(machine) == "200", 10, "nginx does not serve the list")
    site = machine.root / "etc/nginx/conf.d/kptv.conf"
    before, begin, rest = site.read_text().partition("# satisfy any")
    block, end, after = rest.partition("kptv.htpasswd;")
    site.write_text(before + (begin + block).replace("# ", "") + end + after)
    type_in(machine, "password")
    eventually(lambda: status(machine) == "401", 10, "nginx asks for no password")
    assert status(machine, "-u me:password") == "200"
    shown = type_in(machine, "api-password")
    assert '"error"' not in shown, shown
    assert "401" not in shown, shown


# --- a lost disk ---


def test_another_machine_goes_on_with_the_backup_also_without_the_providers(
    machine: Machine, providers: Providers
) -> None:
    type_in(machine, "backup")
    backup = (machine.root / "root/kptv-backup.tar.gz").read_bytes()
    machine.root_runs("systemctl stop kptv nginx")
    another = Machine()
    try:
        publish(another, "HEAD")
        another.root_runs("useradd --system another")  # so that numbers of users differ
        type_in(another, "service")
        (another.root / "root/kptv-backup.tar.gz").write_bytes(backup)
        for provider in providers:
            provider.kill()
        type_in(another, "restore")
        eventually_ready(another)
        assert listed(f"/stream/{CHANNEL}")
        for provider in providers:
            provider.revive()
        another.reboot()
        eventually_ready(another)
        plays()
    finally:
        another.close()


def test_every_block_with_a_name_was_run() -> None:
    assert done == set(RUN)
