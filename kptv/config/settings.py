"""The table of all settings, and how it is filled from the environment and ``.env``.

Each field of Config that a variable sets is a row: field, type, variable, what reads its text,
default. mypy holds field, parser and default to one type.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Generic, TypeVar

from kptv.channels.guide.addresses import GuideAddress
from kptv.channels.model import Source
from kptv.channels.reach import Private
from kptv.channels.rules.model import Rules
from kptv.channels.rules.reading import RulesError
from kptv.channels.rules.sources import is_source
from kptv.channels.rules.tables import Complaint
from kptv.channels.terms import warnings_of as warnings_of_terms
from kptv.channels.tuners import MOST as MOST_TUNERS
from kptv.config import parsers
from kptv.config.env_file import EnvFile, read_env_file
from kptv.config.parsers import DAY, MB, Network, Rejected, boolean, duration, header, size, whole
from kptv.config.rules_file import about_secrets, load_rules
from kptv.config.sources import parse_sources, warnings_of
from kptv.errors import ConfigError
from kptv.formats.hls.variants import LOWEST, Selection

# A still card ("channel unavailable, reconnecting"), silent: H.264 and AAC; see make_slate.sh.
DEFAULT_SLATE = Path(__file__).parents[1] / "splice" / "slate.ts"
ENV_FILE = Path(__file__).resolve().parents[2] / ".env"  # beside wsgi.py

RULES_FILE = "rules.toml"  # beside .env
DEFAULT_PORT = 8080
DEMO_MARK = "KPTV_DEMO"  # set by kptv.demo.run, for a hint on the status page
LEASE_MARK = "KPTV_TEST_LEASE"  # set by tests; all instances must have the same
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

T = TypeVar("T")
D = TypeVar("D")
_ROW = "row"  # where a field's metadata keeps it


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """The variable of a field, and what reads it."""

    variable: str
    parse: Callable[[str], T]  # raises Rejected
    required: bool = False
    may_be_empty: bool = False  # an empty text is a value, not an unset one
    warnings: Callable[[str], Sequence[str]] = lambda text: ()  # about a text that was accepted

    def text_in(self, values: Mapping[str, str | None]) -> str | None:
        """What is to be read; None: the default holds.

        Empty is unset, as in ``VARIABLE=`` of an env file.
        """
        text = (values.get(self.variable) or "").strip()
        is_set = text or self.required or (self.may_be_empty and self.variable in values)
        return text if is_set else None


def setting(
    variable: str,
    parse: Callable[[str], T],
    default: D,
    *,
    may_be_empty: bool = False,
    secret: bool = False,
) -> T | D:
    """A row of the table below."""
    row = Setting(variable, parse, may_be_empty=may_be_empty)
    return field(default=default, repr=not secret, metadata={_ROW: row})


def required(
    variable: str, parse: Callable[[str], T], warnings: Callable[[str], Sequence[str]]
) -> T:
    """A row without a default."""
    row = Setting(variable, parse, required=True, warnings=warnings)
    given: T = field(metadata={_ROW: row})
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. Durations in seconds, sizes in bytes.

    A row here is one in .env.example and docs/settings.md, in the same order.
    """

    # What you have to set
    sources: tuple[Source, ...] = required("SOURCES", parse_sources, warnings_of)
    base_url: str = setting("BASE_URL", parsers.base_url, f"http://localhost:{DEFAULT_PORT}")

    # Where it listens and keeps things
    host: str = setting("HOST", parsers.host, parsers.ALL_ADDRESSES)
    port: int = setting("PORT", whole(1, 65535), DEFAULT_PORT)
    data_dir: Path = setting("DATA_DIR", parsers.folder, Path("data"))

    # Streams
    enable_restreaming: bool = setting("ENABLE_RESTREAMING", boolean, True)
    stream_timeout: float = setting("STREAM_TIMEOUT", duration(0.1, 600), 10.0)
    stall_timeout: float = setting("STALL_TIMEOUT", duration(0.1, 600), 5.0)
    stream_linger: float = setting("STREAM_LINGER", duration(0, 3600), 10.0)
    standby: bool = setting("STANDBY", boolean, False)
    join_buffer: float = setting("JOIN_BUFFER", duration(0, 60), 2.0)
    hls_segment: float = setting("HLS_SEGMENT", duration(2, 6), 2.0)
    min_data_size: int = setting("MIN_DATA_SIZE", size(188, 16 * MB), 2048)
    variant_selection: Selection = setting("VARIANT_SELECTION", parsers.selection, LOWEST)
    ffmpeg: str = setting("FFMPEG", parsers.program, "ffmpeg", may_be_empty=True)  # empty: none

    # What lists may do
    allow_private_upstreams: Private = setting(
        "ALLOW_PRIVATE_UPSTREAMS", parsers.private, Private.AUTO
    )

    # Clients
    max_clients: int = setting("MAX_CLIENTS", whole(1, 100_000), 5000)  # viewers
    trusted_proxies: tuple[Network, ...] = setting("TRUSTED_PROXIES", parsers.networks, LOOPBACK)
    require_login: bool = setting("REQUIRE_LOGIN", boolean, False)  # though there is no user yet
    auth_free_networks: tuple[Network, ...] = setting("AUTH_FREE_NETWORKS", parsers.networks, ())

    # Failures
    max_retries: int = setting("MAX_RETRIES", whole(0, 1000), 3)
    retry_delay: float = setting("RETRY_DELAY", duration(0.01, 3600), 5.0)
    max_failures_before_block: int = setting("MAX_FAILURES_BEFORE_BLOCK", whole(1, 1_000_000), 5)
    stream_give_up: float = setting("STREAM_GIVE_UP", duration(0, DAY), 120.0)
    slate: Path | None = setting("SLATE", parsers.slate, DEFAULT_SLATE)  # None: nothing is shown

    # Memory
    max_buffer_size: int = setting("MAX_BUFFER_SIZE", size(MB, 1024**2 * MB), 256 * MB)
    buffer_size_per_stream: int = setting(
        "BUFFER_SIZE_PER_STREAM", size(MB // 4, 1024 * MB), 16 * MB
    )

    # Channel lists
    rules_file: Path | None = setting("RULES", parsers.file, None)  # None: beside .env
    import_refresh_interval: float = setting(
        "IMPORT_REFRESH_INTERVAL", duration(1, 365 * DAY), 12 * 3600.0
    )
    worker_threads: int = setting("WORKER_THREADS", whole(1, 64), 4)
    sort_field: str = setting("SORT_FIELD", parsers.attribute, "tvg-name")
    sort_descending: bool = setting("SORT_DIRECTION", parsers.descending, False)
    cache_enabled: bool = setting("CACHE_ENABLED", boolean, True)
    cache_duration: float = setting("CACHE_DURATION", duration(0, 365 * DAY), 1800.0)

    # The programme guide
    guides: tuple[GuideAddress, ...] = setting("GUIDES", parsers.guides, ())
    guide_from_lists: bool = setting("GUIDE_FROM_LISTS", boolean, True)
    guide_refresh_interval: float = setting(
        "GUIDE_REFRESH_INTERVAL", duration(60, 365 * DAY), 12 * 3600.0
    )
    guide_days: int = setting("GUIDE_DAYS", whole(1, 14), 3)  # ahead
    guide_filler: bool = setting("GUIDE_FILLER", boolean, False)

    # HDHomeRun
    hdhomerun: str = setting("HDHOMERUN", parsers.one_of("off", "http", "on"), "http")
    hdhomerun_tuners: int = setting("HDHOMERUN_TUNERS", whole(0, MOST_TUNERS), 0)  # 0: automatic

    # What providers are told
    user_agent: str = setting("USER_AGENT", header, "VLC/3.0.18 LibVLC/3.0.18")
    req_origin: str = setting("REQ_ORIGIN", header, "")
    req_referrer: str = setting("REQ_REFERRER", header, "")

    # The log
    obfuscate_urls: bool = setting("OBFUSCATE_URLS", boolean, True)
    debug: bool = setting("DEBUG", boolean, False)
    log_format: str = setting("LOG_FORMAT", parsers.one_of("text", "json"), "text")

    # The status page
    status_page: bool = setting("STATUS_PAGE", boolean, True)
    admin_token: str = setting(  # empty: nobody may change anything
        "ADMIN_TOKEN", parsers.token, "", secret=True
    )
    metrics_token: str = setting("METRICS_TOKEN", parsers.token, "", secret=True)  # empty: none

    # Several instances
    leases_url: str = setting("LEASES_URL", parsers.valkey, "", secret=True)  # empty: only this one
    instance: str = setting("INSTANCE", parsers.instance, "")  # empty: the host's name, and PORT

    # Not settings
    rules: Rules | None = None  # in the file; None: there is none
    rules_path: Path | None = field(default=None, compare=False)  # of that file
    warnings: tuple[str, ...] = ()  # to be logged once the log is set up
    # By the operator, so that all links begin with it.
    base_url_is_set: bool = field(default=True, compare=False)
    demo: bool = False  # `make run` without SOURCES: the status page says so
    lease: float = 15.0  # seconds of an instance's lease; shorter ones are for tests


_ROWS: dict[str, Setting[Any]] = {
    row.name: row.metadata[_ROW] for row in fields(Config) if _ROW in row.metadata
}
VARIABLES = tuple(row.variable for row in _ROWS.values())


def load_config(
    environ: Mapping[str, str] | None = None, env_file: Path | None = ENV_FILE
) -> Config:
    """The settings of ``environ`` (default: the process's) over those of ``env_file``.

    Raises ConfigError with one message that names every variable that cannot be used, what was
    read and what is accepted.
    """
    file = read_env_file(env_file, VARIABLES) if env_file else EnvFile({})
    texts = {**file.texts, **(os.environ if environ is None else environ)}
    values, complaints, warnings = _parse(texts)
    path = values.get("rules_file") or (env_file and env_file.parent / RULES_FILE)
    try:
        rules = load_rules(path, present(texts)) if path else None
    except RulesError as error:
        rules = None
        complaints += map(str, error.complaints)
    warnings += _about_rules(rules, values.get("sources", ()), texts.get("RULES") or "")
    if path and (told := about_secrets(path, rules)):
        warnings.append(told)
    if complaints:
        lines = [f"  {line}" for line in (*complaints, *file.warnings)]
        raise ConfigError("\n".join(["These settings cannot be used:", *lines]))
    demo = bool(texts.get(DEMO_MARK))
    config = Config(
        **values, rules=rules, rules_path=path, warnings=(*file.warnings, *warnings), demo=demo
    )
    if lease := texts.get(LEASE_MARK):
        config = replace(config, lease=float(lease))
    if "base_url" not in values:
        own = f"http://localhost:{config.port}"
        config = replace(config, base_url=own, base_url_is_set=False)
    return config


def _about_rules(rules: Rules | None, sources: Sequence[Source], named: str) -> Iterator[str]:
    """What is strange about the rules that can be used."""
    if rules is None:
        if named.strip():
            yield f"RULES={named.strip()}: there is no such file yet"
        return
    for name, rule in rules.sources.items():
        if not any(is_source(name, source) for source in sources):
            yield f"{Complaint(rule.line, f'there is no source {name}')}"
    for channel in rules.channels.values():
        for name in channel.order:
            if not any(is_source(name, source) for source in sources):
                yield f"{Complaint(channel.line, f'order: there is no source {name}')}"
    yield from warnings_of_terms(rules, sources)


def present(texts: Mapping[str, str | None]) -> dict[str, str]:
    """Those variables that have a value."""
    return {name: text for name, text in texts.items() if text is not None}


def environment(env_file: Path = ENV_FILE) -> dict[str, str]:
    """The variables of now: those of the process over those of ``.env``. Raises ConfigError."""
    return present({**read_env_file(env_file, VARIABLES).texts, **os.environ})


def _parse(texts: Mapping[str, str | None]) -> tuple[dict[str, Any], list[str], list[str]]:
    """By field what was set, each of its field's type as the rows say; complaints; warnings."""
    values: dict[str, Any] = {}
    complaints: list[str] = []
    warnings: list[str] = []
    for name, row in _ROWS.items():
        text = row.text_in(texts)
        if text is None:
            continue
        try:
            values[name] = row.parse(text)
        except Rejected as rejected:
            read = repr(text) if rejected.read is None else rejected.read
            complaints.append(f"{row.variable}: read {read}; accepted: {rejected.accepted}")
        else:
            warnings += row.warnings(text)
    return values, complaints, warnings
