"""The secrets of an account that only the links of its channel list tell together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator, Iterable
from typing import TypeVar

from kptv.channels.accounts import Login, id_and_folders, login_before, tokens_shared
from kptv.channels.packing import url_of
from kptv.channels.secrets import Secrets, gathered, secrets_of_link, split

_T = TypeVar("_T")

_MOST_FOLDERS = 2_000  # folders of a list's links that are remembered; an account has three
_MOST_VALUES = 2_000  # values of the links' login fields that are remembered
_DEEP = 4  # slashes in a folder that may hold an account: http://host/user/password
_ONE_OF = 16  # if many links have fields, one in so many is read: all share what matters
_STEP = 20  # paths between two yields
_MOST_SECRETS = 64  # secrets of a kind per list: each is searched for in every text

_Paths = list[tuple[list[str], int]]  # parts of a path, and how many links its folder has


class ListLinks:
    """The links of one list: takes all its records, then gives their ``secrets``."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}  # links per folder
        self._first: dict[bytes, bytes] = {}  # the first link of each folder
        self._usual = b"\0"  # the beginning of records whose links are in the last folder
        self._with_fields = 0
        self._values: Counter[str] = Counter()
        self._logins: Counter[Login] = Counter()

    def add(self, records: Iterable[bytes]) -> None:
        """Take more of the list. A link in the same folder as the one before costs little."""
        for record in records:
            if not record.startswith(self._usual):
                self._add(record, url_of(record))

    def _add(self, record: bytes, link: bytes) -> None:
        path = link
        if b"?" in link or b"@" in link or b"=" in link:
            path = link.partition(b"?")[0]
            self._add_fields(link)
        folder = path[: path.rfind(b"/")]
        if folder in self._counts:
            self._counts[folder] += 1
            if path is link and folder.count(b"/") >= _DEEP:
                self._usual = record[: record.index(link) + len(folder) + 1]
        elif len(self._counts) < _MOST_FOLDERS:
            self._counts[folder], self._first[folder] = 1, path

    def _add_fields(self, link: bytes) -> None:
        self._with_fields += 1
        if self._with_fields > _MOST_VALUES and self._with_fields % _ONE_OF:
            return
        told = secrets_of_link(link.decode("utf-8", "replace"))
        self._values.update(w for w in told.words if len(self._values) < _MOST_VALUES)
        self._logins.update(w for w in told.logins if len(self._logins) < _MOST_VALUES)

    def secrets(self) -> Generator[None, None, Secrets]:
        """The secrets that the links share; yields often, returns them at the end."""
        hosts: dict[str, _Paths] = defaultdict(list)
        for number, (folder, path) in enumerate(self._first.items()):
            _, host, parts, _ = split(path.decode("utf-8", "replace"))
            if parts:
                hosts[host].append((parts, self._counts[folder]))
            if number % _STEP == 0:
                yield
        words = Counter({word: n for word, n in self._values.items() if n > 1})
        for number, paths in enumerate(hosts.values()):
            for parts, count in paths:
                for login in login_before(*id_and_folders(parts), shared=count > 1):
                    self._logins[login] += count
            for token in tokens_shared(paths):
                words[token] += sum(count for _, count in paths)
            if number % _STEP == 0 or len(paths) > _STEP:
                yield
        return gathered(_most_common(words), _most_common(self._logins))


def _most_common(counter: Counter[_T]) -> list[_T]:
    return [item for item, _ in counter.most_common(_MOST_SECRETS)]
