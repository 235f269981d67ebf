"""`make run`: the proxy on SOURCES or, if that is not set, on the demo's providers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe

from kptv.command import take_no_arguments
from kptv.config import DEMO_MARK, ENV_FILE, load_config
from kptv.demo.providers import RULES, DemoProvider, both_providers, until_told_to_stop
from kptv.errors import ConfigError
from kptv.web.listening import from_here, listen

GUNICORN = (sys.executable, "-m", "gunicorn", "-k", "gevent", "wsgi:app")
READY_INTERVAL = 0.2  # seconds between two questions whether it is ready
STOP_DEADLINE = 5.0  # seconds; the proxy takes less than 2

_HINT = """
  No SOURCES set: this is the demo, two providers with the same four channels.

  Play this list, in VLC: Media > Open Network Stream; or: vlc {list}

      {list}

  iPhones, televisions and browsers play HLS. Safari opens each link of this list:

      {hls}

  Any browser plays a channel on the page below: Watch here.

  Applications that speak Xtream take {base}, and any name and password;
  those that look for an HDHomeRun, as Plex does, take the same as its address.

  See what it does: {page}
  and what its rules do, which join channels of different names: {page}#rules
  What is on, and what comes: {page}#guide
  Who may watch: {page}#people (log in there with {token})

  Then break the provider you are watching. The picture moves on to the other one:

{breaks}
  Ctrl-C stops everything. For your own providers: install -m 600 .env.example .env, and
  set SOURCES and BASE_URL in it.
"""


def main() -> int:
    """The exit status of gunicorn."""
    take_no_arguments("kptv.demo.run", "Run the proxy; without SOURCES, on two demo providers.")
    os.chdir(ENV_FILE.parent)  # beside wsgi.py and gunicorn.conf.py
    if not wants_demo(os.environ, ENV_FILE):
        os.execv(GUNICORN[0], GUNICORN)  # this process becomes gunicorn
    # A folder of its own: the demo's lists must not be found later beside the user's own.
    with tempfile.TemporaryDirectory() as data_dir:
        try:
            return asyncio.run(_run_demo(data_dir))
        except ConfigError as error:
            print(error, file=sys.stderr)
            return 1


def wants_demo(environ: Mapping[str, str], env_file: Path) -> bool:
    """Whether nobody has begun to set up accounts, or SOURCES is set to nothing on purpose.

    A `.env` without SOURCES is unfinished: the proxy says then what is missing.
    """
    if "SOURCES" in environ:
        return not environ["SOURCES"].strip()
    return not env_file.exists()


async def _run_demo(data_dir: str) -> int:
    """Raises ConfigError if the proxy would not start."""
    async with both_providers() as providers:
        sources = ",".join(provider.source for provider in providers)
        environment = {**os.environ, "SOURCES": sources, "DATA_DIR": data_dir, DEMO_MARK: "1"}
        environment["RULES"] = os.environ.get("RULES") or str(RULES)
        config = load_config(environment)
        token = config.admin_token or token_urlsafe(9)
        environment["ADMIN_TOKEN"] = token
        listen(config.host, config.port).close()  # or what has the port already would get ready
        proxy = await asyncio.create_subprocess_exec(*GUNICORN, env=environment)
        shown = "your ADMIN_TOKEN" if config.admin_token else token
        hint = _hint(config.base_url, providers, shown)
        ready = print_when_ready(hint, from_here(config.host), config.port)
        ends = [asyncio.ensure_future(end) for end in (until_told_to_stop(), proxy.wait(), ready)]
        try:
            await asyncio.wait(ends[:2], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            failed = proxy.returncode
            await stop(proxy)
        return failed or 0


async def print_when_ready(hint: str, host: str, port: int) -> None:
    """Print it behind the lines that gunicorn logs when it starts."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
            answer = await reader.read()
            writer.close()
            if b" 200 " in answer.split(b"\r\n")[0]:
                print(hint, flush=True)
                return
        await asyncio.sleep(READY_INTERVAL)


def _hint(base_url: str, providers: list[DemoProvider], token: str) -> str:
    breaks = ""
    for number, provider in enumerate(providers, start=1):
        breaks += f"      provider {number}:  curl -X POST {provider.url}/break\n"
        breaks += f"      mend it:     curl -X POST {provider.url}/mend\n\n"
    served = {"base": base_url, "list": f"{base_url}/playlist.m3u8", "page": f"{base_url}/"}
    served["hls"] = f"{served['list']}?output=hls"
    return _HINT.format(**served, token=token, breaks=breaks)


async def stop(proxy: asyncio.subprocess.Process) -> None:
    """End it and wait; by force if it does not listen."""
    with contextlib.suppress(ProcessLookupError):
        proxy.terminate()
    try:
        await asyncio.wait_for(proxy.wait(), STOP_DEADLINE)
    except TimeoutError:
        proxy.kill()
        await proxy.wait()


if __name__ == "__main__":
    sys.exit(main())
