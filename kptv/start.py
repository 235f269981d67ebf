"""What the log says at the start: where everything is, and what will probably not work."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from kptv.columns import many
from kptv.command import TITLE, command_line
from kptv.config import ENV_FILE, Config
from kptv.logs import Log
from kptv.users.current import CurrentUsers
from kptv.web.sockets import network_address

log = logging.getLogger(__name__)

_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the machine has to do with it."""

    own_address: str = ""  # by which others of the network reach it; empty: not known
    has_ffmpeg: bool = True
    env_file: Path | None = None  # None: there is none
    is_env_file_open: bool = False  # to every user of the machine


def greet(config: Config, process_log: Log) -> None:
    """Write it to the log."""
    around = look_around(config)
    process_log.redactor.spare(suggested_url(config, around))
    for fact in facts(config, around):
        log.info("%s", fact)
    for warning in (*config.warnings, *warnings(config, around)):
        log.warning("%s", warning)


def look_around(config: Config, env_file: Path = ENV_FILE) -> Surroundings:
    """What is there now."""
    try:
        mode = env_file.stat().st_mode
    except OSError:
        mode = None
    return Surroundings(
        own_address="" if _is_container() else network_address(config.host),
        has_ffmpeg=shutil.which(config.ffmpeg) is not None,
        env_file=None if mode is None else env_file,
        is_env_file_open=bool(mode and mode & stat.S_IROTH),
    )


def _is_container() -> bool:
    """Whether this is a container, whose own address is none for players."""
    marked = any(mark.exists() for mark in _CONTAINER_MARKS)
    return marked or "KUBERNETES_SERVICE_HOST" in os.environ


def facts(config: Config, around: Surroundings) -> list[str]:
    """The version, and where everything is."""
    settings = f"{around.env_file} and the environment" if around.env_file else "the environment"
    page = f"{config.base_url}/" if config.status_page else "none (STATUS_PAGE)"
    return [
        f"{TITLE}, Python {platform.python_version()}",
        f"Settings: {settings}. Data: {config.data_dir.absolute()}",
        f"Status page: {page}",
        f"Channel list, for players: {config.base_url}/playlist.m3u8",
    ]


def warnings(config: Config, around: Surroundings) -> list[str]:
    """What will probably not work, and what to do."""
    return [
        *_about_base_url(config, around),
        *_about_ffmpeg(config, around),
        *_about_env_file(around),
    ]


def suggested_url(config: Config, around: Surroundings) -> str:
    """A BASE_URL by which others of the network reach this machine; empty: not known."""
    address = around.own_address
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{config.port}" if address else ""


def _about_base_url(config: Config, around: Surroundings) -> Iterator[str]:
    parts = urlsplit(config.base_url)
    host, has_router = parts.hostname or "", bool(config.leases_url)
    behind_another = has_router or ip_address(config.host).is_loopback
    if _is_this_machine(host):
        first = "the router" if has_router else "nginx" if behind_another else "it"
        instead = f"http:// and the address by which they reach {first}"
        if not behind_another:
            instead = suggested_url(config, around) or instead
        yield (
            f"BASE_URL={config.base_url}: only players on this machine itself can play."
            f" For all others, set it to {instead}"
        )
    # Without a port, a name is that of another server in front; an address seldom is.
    port = parts.port or (80 if parts.scheme == "http" and _is_address(host) else config.port)
    if port != config.port and not behind_another:
        yield (
            f"BASE_URL leads to port {port}, but PORT={config.port}: nobody can play, unless"
            f" something (nginx, Docker) takes port {port} and passes it on"
        )
    if parts.path.endswith("/playlist"):
        yield (
            "BASE_URL ends as the address of a list does. It is only the beginning of all"
            f" addresses: the list is at {config.base_url}/playlist.m3u8"
        )


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_address(host) and (ip_address(host).is_loopback or ip_address(host).is_unspecified)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _about_ffmpeg(config: Config, around: Surroundings) -> Iterator[str]:
    if not config.ffmpeg or around.has_ffmpeg:
        return
    lost = "DASH, RTSP and other streams that need it do not play"
    if config.ffmpeg == "ffmpeg":
        yield f"ffmpeg is not installed: {lost}"
    else:
        yield f"FFMPEG={config.ffmpeg}: there is no such program that can be run. {lost}"


def _about_env_file(around: Surroundings) -> Iterator[str]:
    if around.is_env_file_open:
        yield (
            f"Every user of this machine can read your accounts in {around.env_file}:"
            f" chmod 600 {around.env_file}"
        )


class LoginTeller:
    """Tells whether a login is needed, and what that closes, once each time that it changes."""

    def __init__(self, config: Config, users: CurrentUsers) -> None:
        self._config = config
        self._users = users
        self._told: bool | None = None

    def tell(self) -> None:
        """Write it to the log."""
        is_on = self._users.is_on
        if is_on is self._told:
            return
        self._told = is_on
        for fact in about_login(self._config, len(self._users.table), is_on=is_on):
            log.info("%s", fact)


def about_login(config: Config, users: int, *, is_on: bool) -> list[str]:
    """What is open to whom."""
    if not is_on:
        return [
            "No login is needed: whoever reaches the port can watch. The first user that you make"
            f" ({command_line('kptv.users add NAME')}) ends that"
        ]
    told = [
        f"A login is needed, and {many(users, 'user')} can have one. Closed to all others: lists,"
        " guides, logos and streams; closed to users, too: the page, its API and /metrics. Open:"
        " /healthz, /readyz and the page's own login"
    ]
    if config.auth_free_networks:
        networks = ", ".join(map(str, config.auth_free_networks))
        told.append(f"No login is needed from {networks} (AUTH_FREE_NETWORKS)")
    if not config.admin_token:
        told.append("ADMIN_TOKEN is not set, so nobody can open the page")
    return told
