"""`make scale N=4`: several instances on this machine, behind HAProxy, with a Valkey of their own.

It is for trying and for one machine's cores. docs/scale.md says how instances are run for long.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import has_dualstack_ipv6, socket
from urllib.parse import urlsplit

from kptv.config import ALL_ADDRESSES, DEMO_MARK, ENV_FILE, Config, load_config
from kptv.demo.providers import RULES, both_providers, until_told_to_stop
from kptv.demo.router import name_of, router_config
from kptv.demo.run import GUNICORN, print_when_ready, stop, wants_demo
from kptv.errors import ConfigError
from kptv.web.listening import from_here, listen

MOST = 64  # instances
_start = asyncio.create_subprocess_exec
SHIPPED = ENV_FILE.parent / "deploy" / "haproxy.cfg"
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # where HAProxy is, and not in everybody's PATH
# Nothing is kept on a disk: what it holds is true for seconds. Nor is anything of it thrown away.
_IN_MEMORY = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")
VALKEY = ("--bind", "127.0.0.1", *_IN_MEMORY, "--port")

_HINT = """
  {count} instances run, on ports {ports}. HAProxy gives each channel one of them.

      {list}

  The page of each: {pages}

  Ctrl-C stops everything.{demo}
"""
_DEMO = " No SOURCES set: this is the demo, two providers with the same four channels."


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """What is started, and with which settings."""

    config: Config
    environment: Mapping[str, str]
    count: int
    valkey_port: int

    @property
    def ports(self) -> list[int]:
        """Of the instances."""
        return [self.config.port + number for number in range(1, self.count + 1)]

    def of_instance(self, number: int) -> dict[str, str]:
        """The environment of the instance with this number, from 1 on."""
        return {
            **self.environment,
            "PORT": str(self.config.port + number),
            "BASE_URL": self.config.base_url,
            "LEASES_URL": f"redis://127.0.0.1:{self.valkey_port}",
            "INSTANCE": name_of(number),
        }

    def router(self) -> str:
        """HAProxy's configuration."""
        host = urlsplit(self.config.base_url).hostname or "localhost"
        return router_config(SHIPPED.read_text(), _address(self.config), self.ports, host)


def main() -> int:
    """The exit status of whatever ended first; 0: it was told to stop."""
    parser = argparse.ArgumentParser(prog="python -m kptv.demo.scale", description=__doc__)
    parser.add_argument("count", type=int, metavar="N", help="how many instances")
    count = parser.parse_args().count
    if not 1 <= count <= MOST:
        parser.error(f"N is a number from 1 to {MOST}")
    os.chdir(ENV_FILE.parent)  # beside wsgi.py and gunicorn.conf.py
    with tempfile.TemporaryDirectory() as folder:
        try:
            return asyncio.run(_run(count, Path(folder)))
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 1


async def _run(count: int, folder: Path) -> int:
    """Raises ConfigError if something would not start."""
    haproxy, valkey = _program("haproxy"), _program("valkey-server", "redis-server")
    async with _settings(folder) as environment:
        config = load_config(environment)
        for port in range(config.port, config.port + count + 1):
            listen(config.host, port).close()  # whoever has one already would be the one that plays
        plan = ScalePlan(config, environment, count, _free_port())
        (folder / "haproxy.cfg").write_text(plan.router())
        return await _run_all(plan, haproxy, valkey, folder)


async def _run_all(plan: ScalePlan, haproxy: str, valkey: str, folder: Path) -> int:
    """Until one ends, or all are told to stop: the instances first, then what they need."""
    started: list[asyncio.subprocess.Process] = []
    config = str(folder / "haproxy.cfg")
    try:
        with (folder / "log").open("wb") as log:
            options = (*VALKEY, str(plan.valkey_port), "--dir", str(folder))
            # Ctrl-C reaches each process of the terminal, and this one is to end after the others.
            started.append(await _start(valkey, *options, stdout=log, process_group=0))
            for number in range(1, plan.count + 1):
                started.append(await _start(*GUNICORN, env=plan.of_instance(number)))
            environment = _of_router(plan, folder)
            router = _start(haproxy, "-db", "-f", config, env=environment, stdout=log, stderr=log)
            started.append(await router)
        return await _first_end(plan, started)
    finally:
        await asyncio.gather(*map(stop, started[1:]))
        await asyncio.gather(*map(stop, started[:1]))


def _of_router(plan: ScalePlan, folder: Path) -> dict[str, str]:
    own = {"KPTV_LOG": "stdout", "KPTV_LOG_FORMAT": "raw", "KPTV_SOCKET": str(folder / "socket")}
    return {**plan.environment, **own}


async def _first_end(plan: ScalePlan, started: Sequence[asyncio.subprocess.Process]) -> int:
    hint = print_when_ready(_hint(plan), from_here(plan.config.host), plan.config.port)
    ready = asyncio.ensure_future(hint)
    ends = [asyncio.ensure_future(process.wait()) for process in started]
    told = asyncio.ensure_future(until_told_to_stop())
    try:
        await asyncio.wait((told, *ends), return_when=asyncio.FIRST_COMPLETED)
        ended = [end.result() for end in ends if end.done()]
        return 0 if told.done() or not ended else ended[0] or 1
    finally:
        for task in (ready, told, *ends):
            task.cancel()


@contextlib.asynccontextmanager
async def _settings(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The variables of all instances; with the demo's providers, if there are no SOURCES."""
    if not wants_demo(os.environ, ENV_FILE):
        yield dict(os.environ)
        return
    async with both_providers() as providers:
        yield {
            **os.environ,
            "SOURCES": ",".join(provider.source for provider in providers),
            "DATA_DIR": str(folder / "data"),
            "RULES": os.environ.get("RULES") or str(RULES),
            DEMO_MARK: "1",
        }


def _program(*names: str) -> str:
    """The path of the first of these that is installed."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    wanted = " or ".join(names)
    raise ConfigError(f"{wanted} is missing. On Debian: sudo apt install haproxy redis-server")


def _address(config: Config) -> str:
    """What HAProxy listens on, in its own words."""
    if config.host != ALL_ADDRESSES:
        return f"{config.host}:{config.port}"
    return f":::{config.port} v4v6" if has_dualstack_ipv6() else f":{config.port}"


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _hint(plan: ScalePlan) -> str:
    base = urlsplit(plan.config.base_url)
    pages = [f"http://{base.hostname}:{port}/" for port in plan.ports]
    return _HINT.format(
        count=plan.count,
        ports=f"{plan.ports[0]} to {plan.ports[-1]}",
        list=f"{plan.config.base_url}/playlist.m3u8",
        pages=" ".join(pages),
        demo=_DEMO if plan.config.demo else "",
    )


if __name__ == "__main__":
    sys.exit(main())
