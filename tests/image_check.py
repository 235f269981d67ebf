"""The image itself, built and run: `make image-check`. Needs root, buildah and debootstrap
(`apt install buildah debootstrap`, with what they recommend).

No engine and no registry: buildah builds and runs with chroot, and a debootstrap stands in for the
Dockerfile's base unless ``BASE`` names an image (``BASE=docker.io/library/python:3.13-slim``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.ts_checker import check
from tests.functional.failing import note
from tests.functional.harness import ReservedPort, Viewer, eventually
from tests.functional.test_container import image as dockerfile
from tests.provider import Provider

pytestmark = pytest.mark.timeout(1800)  # a slow mirror is no fault of the image

SUITES = {"python:3.11-slim": "bookworm", "python:3.13-slim": "trixie"}  # with that Python in it
IMAGE = "localhost/kptv-proxy:check"
USER = 1000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What this machine needs to reach package registries: there while the image is built, not in it.
LENT = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
# Below what buildahs set by themselves: in a chroot they may lower a limit, not raise it.
LIMITS = ["--ulimit=nproc=8192:8192", "--ulimit=nofile=8192:8192"]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()


def stand_in(suite: str) -> str:
    """An image of Debian with `python` and `pip`, as the official one has; kept for next time."""
    name = f"localhost/kptv-base:{suite}"
    if run("buildah", "images", "--quiet", "--filter", f"reference={name}"):
        return name
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        mirror = os.environ.get("MIRROR", "http://deb.debian.org/debian")
        packages = "--include=ca-certificates,python3,python3-venv"
        run("debootstrap", "--variant=minbase", packages, suite, folder, mirror)
        run("chroot", folder, "python3", "-m", "venv", "/usr/local")  # with nothing but pip in it
        run("chroot", folder, "apt-get", "clean")
        settings = Path(folder, "etc/apt/apt.conf.d/docker-clean")  # the official one's, in short
        settings.write_text('APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache "";\n')
        container = run("buildah", "from", "scratch")
        run("buildah", "add", container, folder, "/")
        run("buildah", "config", "--env", f"PATH={PATH}", container)
        run("buildah", "commit", "--rm", container, name)
    return name


def container_of(image: str) -> str:
    return run("buildah", "from", "--pull=never", *LIMITS, image)


def megabytes(container: str) -> int:
    size = run("du", "--summarize", "--block-size=1M", run("buildah", "mount", container))
    run("buildah", "umount", container)
    return int(size.split()[0])


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """A container of the image, which is built from the Dockerfile; its size is told."""
    (official,) = dockerfile.all("FROM")
    base = os.environ.get("BASE") or stand_in(SUITES[official])
    lent = [f"--volume={name}:{name}:ro" for name in LENT if Path(name).exists()]
    if run("buildah", "images", "--quiet", "--filter", f"reference={IMAGE}"):
        run("buildah", "rmi", IMAGE)  # else it stays without a name
    begun = time.monotonic()
    build = ["buildah", "bud", "--isolation=chroot", "--format=docker", f"--from={base}"]
    build += [*LIMITS, *lent]
    run(*build, "--pull=never" if base.startswith("localhost/") else "--pull", "-t", IMAGE, ".")
    note(f"\nbuilt on {base} in {time.monotonic() - begun:.0f} s")
    made, empty = container_of(IMAGE), container_of(base)
    note(f"{megabytes(made)} MB, of which {megabytes(empty)} MB are the base")
    yield made
    run("buildah", "rm", made, empty)


class Running:
    """The image's own command in the container, with these variables."""

    def __init__(self, container: str, folder: Path, **environment: str) -> None:
        self.port = ReservedPort()
        self._prefix = ["buildah", "run", "--isolation=chroot", f"--env=PORT={self.port.number}"]
        self._prefix += [f"--env={name}={value}" for name, value in environment.items()]
        self._prefix += [container, "--"]
        config = json.loads(run("buildah", "inspect", "--type=image", IMAGE))["Docker"]["config"]
        self.user, self.health_check = config["User"], config["Healthcheck"]["Test"][1:]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._prefix, *config["Cmd"]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def within(self, *command: str) -> str:
        return run(*self._prefix, *command)

    @property
    def gunicorn(self) -> int:
        """The process that an engine would have as the container's first."""
        below = _below(self._process.pid)
        return next(pid for pid in below if "python" in os.readlink(f"/proc/{pid}/exe"))

    def ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        for pid in [*_below(self._process.pid), self._process.pid]:  # before one is lost
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self.port.release()


def _below(pid: int) -> Iterator[int]:
    """A process's children, and theirs, oldest first."""
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in thread.read_text().split():
            yield int(child)
            yield from _below(int(child))


def test_the_image_plays_a_list_and_a_stream_as_an_ordinary_user_and_stops_within_2_s(
    container: str, tmp_path: Path
) -> None:
    with Provider("one") as one:
        one.add_channel("News")
        running = Running(container, tmp_path, SOURCES=f"{one.list_url}|1")
        try:
            assert running.user == str(USER)
            _plays(running, one)
            _stops(running)
        except BaseException:
            note(running.log.read_text(errors="replace")[-8000:])
            raise
        finally:
            running.close()


def _plays(running: Running, one: Provider) -> None:
    address = f"http://127.0.0.1:{running.port.number}"

    def get(path: str) -> str:
        try:
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    eventually(lambda: get("/readyz") != "" or running.ended(), 30, "not ready")
    assert "/stream/news" in get("/playlist.m3u8")
    with Viewer(running.port.number, "/stream/news").start() as viewer:
        viewer.wait_for_bytes(188 * 500, 20)
        assert one.connections == 1
    assert check(bytes(viewer.body[: 188 * 500])).pids[0], "no table in it"
    running.within(*running.health_check)
    note(running.within("ffmpeg", "-version").partition(" Copyright")[0])
    note(running.within("python", "--version"))
    # /data is the user's own: the last good list is kept there.
    assert ".m3u.gz" in running.within("ls", "/data")
    assert Path(f"/proc/{running.gunicorn}").stat().st_uid == USER


def _stops(running: Running) -> None:
    with Viewer(running.port.number, "/stream/news").start() as viewer:
        viewer.wait_for_bytes(1, 20)
        begun = time.monotonic()
        os.kill(running.gunicorn, signal.SIGTERM)
        eventually(running.ended, 10, "still there")
        took = time.monotonic() - begun
    note(f"stopped in {took:.1f} s")
    assert took < 2.0
