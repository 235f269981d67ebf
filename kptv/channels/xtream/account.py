"""The account that an application sees: who logged in, until when, and where the server is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kptv.channels.users.model import User

Json = dict[str, Any]

NEVER = "2145916800"  # 1 Jan 2038: for clients that need an end; below 2**31
SOME_DAY = "1577836800"  # 1 Jan 2020: where clients need a past moment, and none is known
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Account:
    """What an application logged in with, and how that stands."""

    name: str
    password: str = field(repr=False)  # a secret
    user: User | None = None  # None: nobody in particular, who may see all
    open_streams: int = 0


def answer(account: Account, address: str, now: float) -> Json:
    """The answer to a login; ``address`` is where the client found us, ``now`` Unix time."""
    return {"user_info": _user(account, now), "server_info": _server(address, now)}


def _user(account: Account, now: float) -> Json:
    user = account.user or User(id=0, name="")
    return {
        "username": account.name,  # clients make links of what comes back, not of what was typed
        "password": account.password,
        "message": "",
        "auth": 1,
        "status": user.standing(now).value,
        "exp_date": NEVER if user.expires is None else str(user.expires),
        "is_trial": "0",
        "active_cons": str(account.open_streams),
        "created_at": str(user.created or SOME_DAY),
        "max_connections": str(user.max_streams),  # 0 is no limit for clients, too
        "allowed_output_formats": ["m3u8", "ts"],  # as panels order them: some take the first
    }


def _server(address: str, now: float) -> Json:
    """All times are UTC: clients convert by ``timezone``, and do so differently."""
    parts = urlsplit(address)
    port = str(parts.port or _DEFAULT_PORTS[parts.scheme])
    return {
        "url": _host(parts.hostname or ""),
        "port": port,
        "https_port": port if parts.scheme == "https" else "",
        "rtmp_port": "",
        "server_protocol": parts.scheme,
        "timezone": "UTC",
        "timestamp_now": int(now),
        "time_now": written(now),
        "process": True,
    }


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name  # clients put a port behind it


def written(moment: float) -> str:
    """A moment (Unix time) as this protocol writes it, in the server's time zone."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
