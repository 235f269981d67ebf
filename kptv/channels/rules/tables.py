"""A table of a rules file, which gives values of the kind that is wanted, or complains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from kptv.channels.rules.model import Condition
from kptv.channels.rules.patterns import Pattern
from kptv.channels.rules.places import Path, Places

_LONGEST = 4096  # letters of a text


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """What is wrong, and on which line."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"rules.toml:{self.line}: {self.text}"


class Table:
    """One table. A value that is not there, or not of the kind that is wanted, is None."""

    def __init__(
        self, values: dict[str, Any], path: Path, places: Places, complaints: list[Complaint]
    ) -> None:
        self._values = values
        self._path = path
        self._places = places
        self._complaints = complaints

    @property
    def line(self) -> int:
        """Where it begins."""
        return self._places.line(*self._path)

    @property
    def names(self) -> list[str]:
        """Those of its values."""
        return list(self._values)

    def line_of(self, key: str) -> int:
        """Where this is given a value."""
        return self._places.line(*self._path, key)

    # --- complaints ---

    def complain(self, key: str, what: str) -> None:
        """Say what is wrong with a value."""
        name = ".".join(str(part) for part in (*self._path, key) if not isinstance(part, int))
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
        self._complaints.append(Complaint(self.line_of(key), f"{name}: {what}"))

    def complain_here(self, what: str) -> None:
        """Say what is wrong with all of it."""
        self._complaints.append(Complaint(self.line, what))

    def only(self, known: Sequence[str]) -> None:
        """Complain about every name that is not ``known``."""
        for key in self._values:
            if key not in known:
                nearest = get_close_matches(key, known, n=1)
                self.complain(key, f"not known{f'; did you mean {nearest[0]}?' if nearest else ''}")

    # --- tables in it ---

    def table(self, key: str) -> Table:
        """The table of this name; an empty one, if there is none."""
        values = self._values.get(key, {})
        if not isinstance(values, dict):
            self.complain(key, f"a table is wanted, such as {key}.name = …")
            values = {}
        return self._within(values, key)

    def tables(self, key: str) -> Iterator[Table]:
        """All tables ``[[key]]``."""
        found = self._values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.complain(key, f"[[{key}]] is wanted")
            return
        for number, values in enumerate(found):
            yield self._within(values, key, number)

    def named(self) -> Iterator[tuple[str, Table]]:
        """The tables in it, by name."""
        for key in self._values:
            yield key, self.table(key)

    def _within(self, values: dict[str, Any], *path: str | int) -> Table:
        return Table(values, (*self._path, *path), self._places, self._complaints)

    # --- values ---

    def text(self, key: str, *, empty: bool = False, is_secret: bool = False) -> str | None:
        """A text of one line."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > _LONGEST or not (value or empty):
            self.complain(key, "a text is wanted")
        elif not value.isprintable():
            self.complain(key, "a text of one line is wanted")
        else:
            return value
        return None

    def has_sign(self, key: str, sign: str) -> bool:
        """Whether it is a text with this in it."""
        value = self._values.get(key)
        return isinstance(value, str) and sign in value

    def text_or_false(self, key: str) -> str | bool | None:
        """A text, or False."""
        return False if self._values.get(key) is False else self.text(key)

    def texts(self, key: str, *, numbers: bool = False) -> list[str]:
        """A text or several, as a list; ``numbers`` are taken as their digits."""
        value = self._values.get(key, [])
        values = value if isinstance(value, list) else [value]
        kinds = (str, int) if numbers else str
        texts = [
            str(each) for each in values if isinstance(each, kinds) and not isinstance(each, bool)
        ]
        if len(texts) != len(values) or not all(0 < len(text) <= _LONGEST for text in texts):
            self.complain(key, "a text or a list of texts is wanted")
            return []
        return texts

    def texts_or_false(self, key: str) -> list[str] | bool | None:
        """A text or several, or False."""
        value = self._values.get(key)
        return value if value is None or value is False else self.texts(key)

    def whole(self, key: str, low: int, high: int, word: str | None = None) -> Any:
        """A whole number, or ``word``."""
        value = self._values.get(key)
        if value is None or (word is not None and value == word):
            return value
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.complain(
            key, f"a number from {low} to {high}{f' or {word!r}' if word else ''} is wanted"
        )
        return None

    def seconds(self, key: str, low: float, high: float) -> float | None:
        """Seconds: a number."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, str) and value.removesuffix("s").replace(".", "", 1).isdecimal():
            value = float(value.removesuffix("s"))
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self.complain(key, f"seconds from {low:g} to {high:g} are wanted")
        return None

    def flag(self, key: str, default: bool) -> bool:
        """True or False."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            self.complain(key, "true or false is wanted")
            return default
        return value

    def choice(self, key: str, known: Sequence[str]) -> str | None:
        """One of ``known``."""
        found = self.choices(key, known)
        if len(found) > 1:
            self.complain(key, "one is wanted")
        return found[0] if found else None

    def choices(self, key: str, known: Sequence[str]) -> list[str]:
        """Some of ``known``."""
        found = []
        for text in self.texts(key):
            if text in known:
                found.append(text)
            else:
                nearest = get_close_matches(text, known, n=1)
                hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
                self.complain(key, f"{text!r} is not known; {hint}")
        return found

    def patterns(self, key: str) -> tuple[Pattern, ...]:
        """Patterns, from a text or several; numbers and booleans are taken as they are written."""
        value = self._values.get(key, [])
        patterns = []
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str | int) or len(str(each)) > _LONGEST:
                self.complain(key, "a text or a list of texts is wanted")
                continue
            text = str(each).lower() if isinstance(each, bool) else str(each)
            try:
                patterns.append(Pattern.of(text))
            except ValueError as error:
                self.complain(key, f"{text}: {error}")
        return tuple(patterns)

    def conditions(self, *, but: Sequence[str] = ()) -> tuple[Condition, ...]:
        """A condition per field, of all values ``but`` these."""
        fields = [key for key in self._values if key not in but]
        return tuple(Condition(field.lower(), self.patterns(field)) for field in fields)
