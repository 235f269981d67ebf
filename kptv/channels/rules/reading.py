"""Reads a rules file, and tells all that is wrong with it at once, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from kptv.channels.grouping import normalised
from kptv.channels.guide.addresses import BadAddress, parse_address
from kptv.channels.reach import travels
from kptv.channels.rules.model import (
    LIST,
    ChannelRule,
    Names,
    Profile,
    Rule,
    Rules,
    ShownName,
    SourceRule,
    Step,
)
from kptv.channels.rules.patterns import folded, names_groups
from kptv.channels.rules.places import Places
from kptv.channels.rules.tables import Complaint, Table
from kptv.formats.tunnel import ProxyAddress, read_proxy

LARGEST = 1024 * 1024  # bytes
_TABLES = ("names", "alias", "rule", "group", "channel", "numbers", "source", "profile")
_OF_SOURCES = tuple(SourceRule.__dataclass_fields__)[1:]
_BETWEEN_SINGLE_QUOTES = "; write regular expressions between single quotes"
_AT = re.compile(r"\s*\(at line (\d+), column \d+\)$")
_PROFILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
# What a request must say by itself to be understood, and its answer with it.
_OUR_HEADERS = frozenset(
    (
        *("connection", "content-length", "expect", "keep-alive", "te", "trailer", "upgrade"),
        *("accept-encoding", "transfer-encoding", "proxy-authorization", "proxy-connection"),
        *("range", "if-range", "if-none-match", "if-modified-since", "icy-metadata"),
    )
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,63})\}")
_HIGHEST_NUMBER = 999_999
_FOR_PROFILES = ("unless", "when", "numbers", "sort", "direction")
_MOST_PROFILES = 64  # each is made anew of every catalog
# What stands in the proxy's own addresses: somebody would take a profile of that name for it.
_OF_ADDRESSES = (
    *("api", "assets", "epg", "guide", "healthz", "hls", "logo", "metrics", "playlist"),
    *("profile", "readyz", "stream", "xmltv"),
)
_ATTRIBUTE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NEVER_SET = ("source", "url")


class RulesError(Exception):
    """A rules file that cannot be used; ``complaints`` are in the order of their lines."""

    def __init__(self, complaints: list[Complaint]) -> None:
        self.complaints = sorted(complaints)
        super().__init__("\n".join(map(str, self.complaints)))


def read_rules(data: bytes, environ: Mapping[str, str] | None = None) -> Rules:
    """The rules in ``data``; ``${NAME}`` in a source's settings is taken from ``environ``.

    Raises RulesError.
    """
    text = _text_of(data)
    try:
        root = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT.search(str(error))
        line = int(at[1]) if at else 1 + text.rstrip().count("\n")
        what = _AT.sub("", str(error))
        hint = _BETWEEN_SINGLE_QUOTES if what.startswith("Unescaped") else ""
        raise RulesError([Complaint(line, what + hint)]) from None
    complaints: list[Complaint] = []
    rules = _Reader(root, Places(text), complaints, environ or {}).rules()
    if complaints:
        raise RulesError(complaints)
    return rules


def _text_of(data: bytes) -> str:
    if len(data) > LARGEST:
        raise RulesError([Complaint(1, f"larger than {LARGEST // 1024} KB")])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].count(b"\n")
        raise RulesError([Complaint(line, "not UTF-8")]) from None


class _Reader:
    def __init__(
        self,
        root: dict[str, Any],
        places: Places,
        complaints: list[Complaint],
        environ: Mapping[str, str],
    ) -> None:
        self._root = Table(root, (), places, complaints)
        self._environ = environ
        self._variables: set[str] = set()  # values of those that were named
        self._has_secrets = False

    def rules(self) -> Rules:
        root = self._root
        root.only(_TABLES)
        tables = {name: root.table(name) for name in _TABLES if name != "rule"}
        return Rules(
            names=self._names(tables["names"]),
            aliases=self._aliases(tables["alias"]),
            rules=tuple(map(_rule, root.tables("rule"))),
            groups=_texts(tables["group"]),
            channels=self._channels(tables["channel"]),
            numbers=_numbers(tables["numbers"], LIST),
            sources={name: self._source(table) for name, table in tables["source"].named()},
            profiles=_profiles(tables["profile"]),
            variables=frozenset(self._variables),  # behind all that names them
            has_secrets=self._has_secrets,
            lines={
                (name, key): tables[name].line_of(key)
                for name in ("names", "alias", "group", "numbers")
                for key in tables[name].names
            },
        )

    def _names(self, table: Table) -> Names:
        table.only(("clean", "prefixes", "apart", "split", "show"))
        return Names(
            clean=frozenset(map(Step, table.choices("clean", [*Step]))),
            prefixes=tuple(table.texts("prefixes")),
            apart=table.patterns("apart"),
            split_by_country=table.choice("split", ["country"]) == "country",
            show=ShownName(table.choice("show", [*ShownName]) or ShownName.CLEANED),
        )

    def _aliases(self, table: Table) -> dict[str, tuple[str, ...]]:
        aliases: dict[str, tuple[str, ...]] = {}
        shown = _spelled_once(table)
        owners: dict[str, str] = {}
        for name in table.names:
            if not (name.isprintable() and normalised(name)):
                table.complain(name, "a name of one line is wanted")
            aliases[name] = tuple(table.texts(name))
            for alias in aliases[name]:
                key = normalised(alias)
                first = owners.setdefault(key, name)
                if first != name:
                    table.complain(name, f'"{alias}" is an alias of "{first}" already')
                elif shown.get(key, name) != name:
                    table.complain(name, f'"{alias}" has aliases itself: it is another channel')
        return aliases

    def _channels(self, table: Table) -> dict[str, ChannelRule]:
        channels: dict[str, ChannelRule] = {}
        owners: dict[int, str] = {}
        _spelled_once(table)
        for name, about in table.named():
            about.only(("number", "logo", "guide", "order"))
            rule = ChannelRule(
                line=about.line,
                number=about.whole("number", 1, _HIGHEST_NUMBER),
                logo=about.text("logo"),
                guide=about.text_or_false("guide"),
                order=tuple(about.texts("order", numbers=True)),
            )
            if rule.number is not None:
                first = owners.setdefault(rule.number, name)
                if first != name:
                    about.complain("number", f'{rule.number} is the number of "{first}" already')
            channels[name] = rule
        return channels

    def _source(self, table: Table) -> SourceRule:
        table.only(_OF_SOURCES)
        return SourceRule(
            line=table.line,
            priority=table.whole("priority", -1_000_000, 1_000_000),
            prefix=table.text("prefix", empty=True) or "",
            suffix=table.text("suffix", empty=True) or "",
            headers=self._headers(table.table("headers")),
            user_agent=self._header(table, "user_agent"),
            proxy=self._proxy(table),
            timeout=table.seconds("timeout", 0.1, 600.0),
            tls_verify=table.flag("tls_verify", True),
            guide=self._guide(table),
        )

    def _headers(self, given: Table) -> dict[str, str]:
        headers: dict[str, str] = {}
        for name in given.names:
            if not _HEADER_NAME.fullmatch(name):
                given.complain(name, "no header can be called so")
            elif name.lower() in _OUR_HEADERS:
                given.complain(name, "the proxy says that itself")
            elif name.lower() in map(str.lower, headers):
                given.complain(name, "it is there already")
            elif (value := self._header(given, name, is_secret=not travels(name))) is not None:
                headers[name] = value
        return headers

    def _header(self, table: Table, key: str, *, is_secret: bool = False) -> str | None:
        """The value of a header."""
        value = self._secret(table, key, is_secret=is_secret)
        if value and (not value.isascii() or value != value.strip()):
            table.complain(key, "letters of ASCII, without blanks around them, are wanted")
        return value

    def _proxy(self, table: Table) -> ProxyAddress | None:
        text = self._secret(table, "proxy", is_secret=table.has_sign("proxy", "@"))
        proxy = None if text is None else read_proxy(text)
        if text is not None and proxy is None:
            table.complain(
                "proxy", "http://host:port or socks5://host:port is accepted, with user:password@"
            )
        return proxy

    def _guide(self, table: Table) -> tuple[str, ...] | bool | None:
        guide = table.texts_or_false("guide")
        if guide is None or isinstance(guide, bool):
            return guide
        for address in guide:
            try:
                parse_address(address)
            except BadAddress as error:
                table.complain("guide", f"false, or addresses as in GUIDES: {error}")
        return tuple(guide)

    def _secret(self, table: Table, key: str, *, is_secret: bool = False) -> str | None:
        """A text, which may name variables of the environment and is never told again.

        ``is_secret``: it is one, if it stands in the file itself.
        """
        text = table.text(key, is_secret=True)
        if text is None:
            return None
        found = _VARIABLE.findall(text)
        missing = [name for name in found if name not in self._environ]
        for name in missing:
            table.complain(key, f"{name} is not in the environment, nor in .env")
        self._variables.update(self._environ[name] for name in found if name not in missing)
        self._has_secrets |= is_secret and not found
        value = _VARIABLE.sub(lambda name: self._environ.get(name[1], ""), text)
        if not missing and not (value and value.isprintable()):
            table.complain(key, "the environment gives no text of one line")
        return value


def _rule(table: Table) -> Rule:
    table.only(("when", "unless", "set", "drop", "keep", "rank"))
    sets = table.table("set")
    rule = Rule(
        line=table.line,
        when=table.table("when").conditions(),
        unless=table.table("unless").conditions(),
        sets=_texts(sets),
        drop=table.flag("drop", False),
        keep=table.flag("keep", False),
        rank=table.whole("rank", 0, 1000),
    )
    for key in sets.names:
        if key.lower() in _NEVER_SET:
            sets.complain(key, "cannot be set")
        elif not _ATTRIBUTE.fullmatch(key):
            sets.complain(key, "no attribute can be called so")
    if rule.drop and rule.keep:
        table.complain("drop", "drops and keeps")
    if not (rule.drop or rule.keep or rule.sets) and rule.rank is None:
        table.complain_here("the rule does nothing: set, drop, keep or rank is missing")
    _check_templates(rule, sets)
    return rule


def _check_templates(rule: Rule, sets: Table) -> None:
    """What is set may name groups of expressions for the same field only."""
    for field, template in rule.sets.items():
        conditions = [condition for condition in rule.when if condition.field == field.lower()]
        patterns = [pattern for condition in conditions for pattern in condition.patterns]
        for why in sorted({pattern.complaint_about(template) for pattern in patterns}):
            if why:
                sets.complain(field, why)
        if not patterns and names_groups(template):
            sets.complain(field, f"what its groups found is wanted, but there is no when.{field}")


def _spelled_once(table: Table, shared: Callable[[str], str] = normalised) -> dict[str, str]:
    """Names of a table as written, by what all their spellings share; none is there twice."""
    known: dict[str, str] = {}
    for name in table.names:
        first = known.setdefault(shared(name), name)
        if first != name:
            table.complain(name, f'it is "{first}", which is there already')
    return known


def _texts(table: Table) -> dict[str, str]:
    _spelled_once(table, folded)
    texts = {name: table.text(name, empty=True) for name in table.names}
    return {name: text for name, text in texts.items() if text is not None}


def _numbers(table: Table, word: str | None) -> dict[str, Any]:
    _spelled_once(table)
    numbers = {name: table.whole(name, 1, _HIGHEST_NUMBER, word) for name in table.names}
    return {name: number for name, number in numbers.items() if number is not None}


def _profiles(table: Table) -> tuple[Profile, ...]:
    if len(table.names) > _MOST_PROFILES:
        table.complain_here(f"there may be {_MOST_PROFILES} profiles at most")
        return ()
    return tuple(_profile(name, about) for name, about in table.named())


def _profile(name: str, table: Table) -> Profile:
    if not _PROFILE_NAME.fullmatch(name):
        table.complain_here("the name of a profile has small letters, digits and -, 32 at most")
    elif name in _OF_ADDRESSES:
        table.complain_here(f"no profile may be called {name}: the proxy's own addresses are")
    sort, direction = table.text("sort"), table.choice("direction", ("asc", "desc"))
    if sort is not None and not _ATTRIBUTE.fullmatch(sort):
        table.complain("sort", "the name of an attribute, such as tvg-name or tvg-chno, is wanted")
    if direction is not None and sort is None:
        table.complain("direction", "it belongs to a sort, which is missing")
    return Profile(
        name=name,
        line=table.line,
        when=(*table.conditions(but=_FOR_PROFILES), *table.table("when").conditions()),
        unless=table.table("unless").conditions(),
        numbers=_numbers(table.table("numbers"), LIST),
        sort=(sort or "").lower(),
        descending=direction == "desc",
    )
