"""Lists of accounts, near to the measure of real ones, and rules for them.

Of 10,000 entries of public lists 78% have a name that no other has, 20% have brackets in it, 38%
other letters than ASCII's; names have 8 to 25 letters, and 40 entries share a group. Of entries
made here 96% have a name of their own, unless names are to be fewer than entries; 17% have
brackets, 26% other letters, and names have 14 to 32 letters. They are in at most 253 groups. As in
lists that are paid for, a country may stand in front and a quality behind.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_TOPICS = (
    "Sport News Cinema Music Kids Nature Family Action Comedy History Travel Food Science Gold Plus"
    " Prime Max Classic Extra World Star Planet Junior Drama Crime Pop Rock Jazz Home Live Arena"
)
_WORDS = _TOPICS.split()
_OTHER_WORDS = ("Télé", "Новости", "Спорт", "新闻频道", "卫视", "Österreich", "Türk", "España")
_FRONT = (("", 60), ("UK: ", 10), ("US| ", 8), ("DE - ", 6), ("|FR| ", 4), ("VIP: ", 2))
_BEHIND = (("", 55), (" HD", 15), (" FHD", 8), (" 4K", 2), (" (1080p)", 12), (" [Geo-blocked]", 4))
_SIGNS = (("", 92), (" ◉", 3), (" ᴴᴰ", 3), (" Ⓖ", 2))


def names_of(number: int, entries: int) -> Iterator[str]:
    """The names in a source's list: two thirds of its channels are other sources' too."""
    chance = random.Random(number)
    for n in range(entries):
        if chance.random() < 0.07:
            n = chance.randrange(n + 1)  # listed again
        which = random.Random(n if n % 3 else n * 1000 + number)
        name = " ".join(which.sample(_WORDS, 2))
        if which.random() < 0.2:
            name = f"{which.choice(_OTHER_WORDS)} {name}"
        spelt = which if chance.random() < 0.35 else chance
        front, behind, sign = (_drawn(spelt, kinds) for kinds in (_FRONT, _BEHIND, _SIGNS))
        yield f"{front}{name} {n // 3}{behind}{sign}"


def _drawn(chance: random.Random, kinds: tuple[tuple[str, int], ...]) -> str:
    return chance.choices([text for text, _ in kinds], [weight for _, weight in kinds])[0]


def list_of(number: int, entries: int, different: int) -> str:
    """A source's list; ``different``: names in it, of which those behind are the first again."""
    names = list(names_of(number, min(different, entries)))
    lines = ["#EXTM3U"]
    for n in range(entries):
        name = names[n % len(names)]
        lines.append(
            f'#EXTINF:-1 tvg-id="ch{n}.{"uk" if n % 5 else "de"}" tvg-name="{name}"'
            f' tvg-logo="http://logo.example/{n % 977}/{n}.png"'
            f' group-title="Group | {n // 40 % 253}",{name}\n'
            f"http://provider{number}.example:8080/live/username/pass/{n}.ts"
        )
    return "\n".join(lines)


_BEGIN = """
[names]
clean = ["marks", "tags", "quality", "prefixes"]
apart = ["*4K*", "*UHD*"]
[alias]
"Sport News 1" = ["Sports News 1", "Sport News One"]
[group]
"Group | 7" = "Seven"
[[rule]]
when.group = ["Group | 1?", "Group | 20*"]
unless.name = "*Cinema*"
set.group = "Ones"
[[rule]]
when.name = "*[Geo-blocked]*"
rank = 1
[[rule]]
when.name = ["*Shopping*", "*Jazz*"]
drop = true
[[rule]]
when.name = '/^(Prime) World (\\d+)/'
set.name = '\\1 \\2'
[[rule]]
when.tvg-id = "*.at"
set.group = "Austria"
[[rule]]
when.group = "Group | 9?"
set.group = "Nines"
[[rule]]
when.source = 2
when.name = "*Crime*"
rank = 2
[[rule]]
when.name = "Music *"
set.tvg-type = "music"
[[rule]]
when.url = "*.mkv"
drop = true
[[rule]]
when.group = "Group | 66"
drop = true
"""
RULES_IN_IT = _BEGIN.count("[[rule]]")


def rules_of(count: int) -> bytes:
    """A file of so many rules: names, groups, attributes, expressions."""
    text = _BEGIN
    for n in range(count - RULES_IN_IT):
        word = _WORDS[n % len(_WORDS)]
        text += (
            f"[[rule]]\nwhen.name = '/^{word}\\s+\\w+ {n}\\d$/'\nset.group = '{word}'\n",
            f"[[rule]]\nwhen.name = \"*{word} {n}*\"\nunless.group = 'Group | 3*'\nrank = 3\n",
            f"[[rule]]\nwhen.group = 'Group | {n}*'\nset.tvg-type = 't{n}'\n",
            f"[[rule]]\nwhen.tvg-id = 'ch{n}*.uk'\nset.tvg-rec = '{n}'\n",
        )[n % 4]
    return text.encode()
