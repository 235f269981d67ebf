"""On which terms each source is asked: what the operator's file says of requests to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kptv.channels.model import Source
from kptv.channels.reach import host_name, travels
from kptv.channels.rules.model import Rules, SourceRule
from kptv.channels.rules.sources import rule_of_source
from kptv.channels.secrets import NOTHING, Secrets, gathered
from kptv.formats.tunnel import ProxyAddress

# With these a header's value may begin: to hide them would hide nothing.
_SCHEMES = frozenset(("basic", "bearer", "digest", "token"))


@dataclass(frozen=True, slots=True)
class Terms:
    """How all requests to one source are sent."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    timeout: float | None = None  # seconds, instead of STREAM_TIMEOUT
    tls_verify: bool = True
    proxy: ProxyAddress | None = None

    def headers_for(self, source: Source, *urls: str) -> Mapping[str, str]:
        """The headers that go with requests of ``urls``: the secret ones only to its own hosts."""
        if self.headers and _own_hosts(source).issuperset(map(host_name, urls)):
            return self.headers
        return {name: value for name, value in self.headers.items() if travels(name)}

    def has_secrets_for(self, source: Source, *urls: str) -> bool:
        """Whether a secret goes with requests of ``urls``."""
        return not all(map(travels, self.headers_for(source, *urls)))


USUAL = Terms()


class CurrentTerms:
    """The terms that hold now; they change when the rules file does."""

    def __init__(self, sources: Iterable[Source] = (), rules: Rules | None = None) -> None:
        self._sources = tuple(sources)
        self._terms = self._read(rules)

    def __repr__(self) -> str:
        return f"<CurrentTerms {self._terms}>"

    def of(self, source: Source) -> Terms:
        """Those of ``source``; the same value as long as nothing about it changes."""
        return self._terms.get(source.number, USUAL)

    def timeout_of(self, source: Source) -> float | None:
        """Seconds that a stream of it has until its first media; None: as the setting says."""
        return self.of(source).timeout

    def replace(self, rules: Rules | None) -> list[str]:
        """Take what ``rules`` say, and return what the operator must be told of it."""
        before, read = self._terms, self._read(rules)
        self._terms = {n: before[n] if before.get(n) == new else new for n, new in read.items()}
        return [
            _about_certificates(source)
            for source in self._sources
            if not self.of(source).tls_verify and before.get(source.number, USUAL).tls_verify
        ]

    def _read(self, rules: Rules | None) -> dict[int, Terms]:
        return {source.number: _terms_of(rules, source) for source in self._sources if rules}


def _terms_of(rules: Rules | None, source: Source) -> Terms:
    rule = rule_of_source(rules, source) if rules else None
    if rule is None:
        return USUAL
    headers = rule.headers
    if rule.user_agent is not None:
        others = {n: value for n, value in headers.items() if n.lower() != "user-agent"}
        headers = {**others, "User-Agent": rule.user_agent}
    return Terms(headers, rule.timeout, rule.tls_verify, rule.proxy)


def warnings_of(rules: Rules, sources: Iterable[Source]) -> list[str]:
    """What the operator must be told at each start."""
    return CurrentTerms(sources).replace(rules)


def _about_certificates(source: Source) -> str:
    return (
        f"{source.tag}: its TLS certificates are not checked (tls_verify = false): whoever is on"
        " the way can read and change what it sends, and its account"
    )


def _own_hosts(source: Source) -> frozenset[str]:
    """The host of its list, and the one that most links of its list lead to."""
    return frozenset((host_name(source.url), host_name(f"//{source.host or ''}"))) - {""}


def secrets_of(rules: Rules | None) -> Secrets:
    """All that a rules file says of sources and that nobody may see."""
    if rules is None:
        return NOTHING
    values = [value for rule in rules.sources.values() for value in _secret_headers(rule)]
    words = {*rules.variables, *(word for value in values for word in _words(value))}
    proxies = [rule.proxy for rule in rules.sources.values() if rule.proxy]
    return gathered(words, [proxy.login for proxy in proxies if proxy.login])


def _secret_headers(rule: SourceRule) -> list[str]:
    return [value for name, value in rule.headers.items() if not travels(name)]


def _words(value: str) -> set[str]:
    """A header's value, and each secret in it, as of ``id=abc; key=xyz`` or ``Bearer abc``."""
    parts = value.replace(";", " ").replace(",", " ").split()
    named = {part.partition("=")[2] for part in parts}
    return {word for word in {value, *parts, *named} if word.lower() not in _SCHEMES}
