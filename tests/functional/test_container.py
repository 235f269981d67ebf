"""The Dockerfile's commands, run here on nothing but what it copies: no engine is needed."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.functional.harness import ROOT, ReservedPort, eventually
from tests.provider import Provider

StartProvider = Callable[..., Provider]


class Image:
    """What a Dockerfile says: (instruction, its argument) pairs with continued lines joined."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
        lines = re.sub(r"\\\n\s*", " ", text).splitlines()
        self.instructions = [tuple(line.split(None, 1)) for line in lines if line.strip()]

    def all(self, instruction: str) -> list[str]:
        return [argument for name, argument in self.instructions if name == instruction]

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for line in self.all("ENV") for pair in line.split())

    @property
    def command(self) -> list[str]:
        (command,) = self.all("CMD")
        return list(json.loads(command))

    @property
    def health_check(self) -> list[str]:
        (check,) = self.all("HEALTHCHECK")
        return list(json.loads(check.partition("CMD ")[2]))


image = Image((ROOT / "Dockerfile").read_text())


class Container:
    """A folder with what the image holds, and its commands run there as it would run them."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = ReservedPort()
        for line in image.all("COPY"):
            *names, target = line.split()
            for name in names:
                _copy(ROOT / name, folder / target / ("" if (ROOT / name).is_dir() else name))
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **image.environment,
            "DATA_DIR": str(folder / "data"),
            "PORT": str(self.port.number),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def start(self) -> None:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                image.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer; status 0 where there is none."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port.number, 10)) as connection:
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, http.client.HTTPException):
                return 0, ""

    def close(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.port.release()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.fixture
def start_container(tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Makes a container, not running yet, with these variables; it is gone after the test."""
    containers: list[Container] = []

    def start(**environment: str) -> Container:
        folder = tmp_path / f"container-{len(containers) + 1}"
        folder.mkdir()
        containers.append(Container(folder, **environment))
        return containers[-1]

    yield start
    for container in containers:
        container.close()


def test_the_image_runs_as_an_ordinary_user_who_owns_the_data() -> None:
    assert image.all("USER") == ["1000"]
    assert image.all("VOLUME") == [image.environment["DATA_DIR"]] == ["/data"]
    assert "install -d -o 1000 -g 1000 /data" in " ".join(image.all("RUN"))
    assert re.fullmatch(r"python:3\.\d+-slim", image.all("FROM")[0])


def test_the_image_has_ffmpeg_and_no_package_lists() -> None:
    install = next(line for line in image.all("RUN") if "apt-get" in line)
    assert "install -y --no-install-recommends ffmpeg " in install
    assert install.endswith("rm -rf /var/lib/apt/lists/*")


def test_only_what_is_copied_goes_to_the_builder() -> None:
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [name.removeprefix("./") for line in image.all("COPY") for name in line.split()[:-1]]
    assert sorted(allowed) == sorted(copied)


def test_what_is_copied_is_enough_to_play_and_it_stops_in_time(
    start_container: Callable[..., Container], start_provider: StartProvider
) -> None:
    one = start_provider("one")
    one.add_channel("News")
    container = start_container(SOURCES=f"{one.list_url}|1")
    assert container.run(image.health_check).returncode != 0, "healthy before it runs"
    container.start()
    eventually(lambda: container.get("/readyz")[0] == 200, 20, "not ready")
    assert "/stream/news" in container.get("/playlist.m3u8")[1]
    healthy = container.run(image.health_check)
    assert (healthy.returncode, healthy.stderr) == (0, "")
    assert container.process is not None
    begun = time.monotonic()
    container.process.terminate()
    assert container.process.wait(10) == 0
    assert time.monotonic() - begun < 3  # it promises 2; a busy machine gets one more


def test_without_sources_it_ends_and_says_what_to_set(
    start_container: Callable[..., Container],
) -> None:
    ended = start_container().run(image.command)
    assert ended.returncode != 0
    assert "SOURCES=http://provider.example" in ended.stderr
    assert "Traceback" not in ended.stderr
