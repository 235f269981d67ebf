"""A rules file is read whole, and everything that is wrong with it is told with its line."""

from __future__ import annotations

import pytest

from kptv.channels.rules.model import LIST, ShownName, Step
from kptv.channels.rules.reading import LARGEST, RulesError, read_rules

WHOLE = rb"""
[names]
clean    = ["marks", "tags", "quality", "prefixes"]
prefixes = ["UK", "PLAY+"]
apart    = ["*4K*", "*UHD*"]
split    = "country"
show     = "first"

[alias]
"BBC One" = ["BBC 1", "BBC1"]

[[rule]]
when.source = 2
when.group  = ["Sports*", "UK | Sport"]
unless.name = "*Shopping*"
set.group   = "Sports"

[[rule]]
when.radio = true
rank = 1

[[rule]]
when.name = '/^CCTV[-_ ]?(\d+)/'
set.name = 'CCTV-\1'

[[rule]]
drop = true

[group]
"Sports & Outdoors" = "Sports"

[channel."BBC One"]
number = 101
logo = "https://logos.example/bbc.png"
guide = false
order = [2, "premium"]

[numbers]
Radio = 9001
"*" = "list"

[source.2]
priority = 1
suffix = " (two)"
headers = { User-Agent = "VLC", X-Token = "${TOKEN}" }
proxy = "socks5://10.0.0.1:1080"
timeout = "5s"
tls_verify = false
guide = ["https://guide.example/|offset=1h"]

[profile.kids]
group = ["Kids", "Animation*"]
unless.name = "*Adult*"
numbers = { Kids = 1 }
sort = "TVG-chno"
direction = "desc"
"""


def test_a_whole_file() -> None:
    rules = read_rules(WHOLE, {"TOKEN": "sesame"})
    assert rules.names.clean == frozenset(Step)
    assert rules.names.split_by_country
    assert rules.names.show is ShownName.FIRST
    assert rules.names.apart[0].matches("Rai 4K")
    assert rules.aliases == {"BBC One": ("BBC 1", "BBC1")}
    first, second, third, last = rules.rules
    assert (first.line, second.line, third.line, last.line) == (12, 18, 22, 26)
    assert [condition.field for condition in first.when] == ["source", "group"]
    assert first.when[0].patterns[0].matches("2")
    assert first.sets == {"group": "Sports"}
    assert (second.rank, second.when[0].patterns[0].text) == (1, "true")
    assert third.sets == {"name": r"CCTV-\1"}
    assert last.drop
    assert rules.groups == {"Sports & Outdoors": "Sports"}
    bbc = rules.channels["BBC One"]
    assert (bbc.number, bbc.guide, bbc.order, bbc.line) == (101, False, ("2", "premium"), 32)
    assert rules.numbers == {"Radio": 9001, "*": LIST}
    source = rules.sources["2"]
    assert (source.priority, source.timeout, source.tls_verify) == (1, 5.0, False)
    assert source.headers == {"User-Agent": "VLC", "X-Token": "sesame"}
    assert "sesame" not in repr(rules)
    (kids,) = rules.profiles
    assert (kids.name, kids.numbers) == ("kids", {"Kids": 1})
    assert kids.when[0].patterns[1].matches("animation & more")
    assert kids.unless[0].field == "name"
    assert [condition.field for condition in kids.when] == ["group"]
    assert (kids.sort, kids.descending) == ("tvg-chno", True)


def test_an_empty_file_says_nothing() -> None:
    assert read_rules(b"") == read_rules(b"\xef\xbb\xbf# nothing\r\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[names]\nclean = ["tag"]', "2: names.clean: 'tag' is not known; did you mean tags?"),
        ("[name]\n", "1: name: not known; did you mean names?"),
        (
            "[names]\nsplit = 'county'",
            "2: names.split: 'county' is not known; did you mean country",
        ),
        ("[names]\napart = ['/(/']", "2: names.apart: /(/: missing )"),
        ('a = "\\d"', "1: Unescaped '\\' in a string"),
        ('a = "\\d"', "1: Unescaped '\\' in a string; write regular expressions"),
        ("[[rule]]\nwhen = 'a'", "2: rule.when: a table is wanted, such as when.name = …"),
        ("[names]\nshow = 'first'\nshow = 'first'", "3: Cannot overwrite a value"),
        ("[[rule]]\nwhen.name = 'x'", "1: the rule does nothing"),
        (
            "[[rule]]\ndrop = true\n\n[[rule]]\nwehn.name = 'x'\ndrop = true",
            "5: rule.wehn: not known",
        ),
        ("[[rule]]\ndrop = true\nkeep = true", "2: rule.drop: drops and keeps"),
        (
            "[[rule]]\nset.name = '\\2'\nwhen.name = '/(a)/'",
            "2: rule.set.name: /(a)/ has no group 2",
        ),
        ("[[rule]]\nset.name = '\\1'\nwhen.name = 'a'", "2: rule.set.name: \\1 is what"),
        ("[[rule]]\nset.group = 'a'\nset.url = 'b'", "3: rule.set.url: cannot be set"),
        ("[[rule]]\nkeep = true\nset.Source = '2'", "3: rule.set.Source: cannot be set"),
        ("[rule]\ndrop = true", "1: rule: [[rule]] is wanted"),
        (
            "[channel.A]\nnumber = 5\n[channel.B]\nnumber = 5",
            "4: channel.B.number: 5 is the number",
        ),
        ("[channel.A]\nnumber = '5'", "2: channel.A.number: a number from 1 to"),
        ("[alias]\nA = ['x']\nB = ['X']", '3: alias.B: "X" is an alias of "A" already'),
        (
            "[numbers]\nNews = 'lists'",
            "2: numbers.News: a number from 1 to 999999 or 'list' is wanted",
        ),
        ("[source.1]\nproxy = 'ftp://x'", "2: source.1.proxy: http://host:port"),
        ("[source.1]\nuser_agent = '${MISSING}'", "2: source.1.user_agent: MISSING is not in"),
        ("[source.1]\nheaders = { 'a b' = 'x' }", "2: source.1.headers.a b: no header"),
        (
            '[source.1]\nheaders = { A = "x\\r\\nB: y" }',
            "2: source.1.headers.A: a text of one line",
        ),
        ("[source.1]\ntimeout = true", "2: source.1.timeout: seconds from 0.1 to 600"),
        ("[profile.'Kids!']\ngroup = 'Kids'", "1: the name of a profile has small letters"),
        ("[names]\n[profile.stream]\n", "2: no profile may be called stream: the proxy's own"),
        ("[profile]\n\nplaylist = {}", "3: no profile may be called playlist"),
        ("[profile.kids]\nsort = 'tvg name'", "2: profile.kids.sort: the name of an attribute"),
        ("[profile.kids]\nsort = 5", "2: profile.kids.sort: a text is wanted"),
        (
            "[profile.kids]\nsort = 'tvg-id'\ndirection = 'dsc'",
            "3: profile.kids.direction: 'dsc' is not known; did you mean desc?",
        ),
        ("[profile.kids]\ndirection = 'asc'", "2: profile.kids.direction: it belongs to a sort"),
        ("[profile.kids]\nunles.name = 'x'", "2: profile.kids.unles: a text or a list"),
        ("[profile.kids]\nwhen.name = '/(/'", "2: profile.kids.when.name: /(/: missing )"),
        (
            "\n".join(f"[profile.p{n}]" for n in range(65)),
            "1: there may be 64 profiles at most",
        ),
        ("[group]\nA = 5", "2: group.A: a text is wanted"),
        ("group = 5", "1: group: a table is wanted"),
        ("x = [" + "[" * 5000, "1: "),
        ("[names]\napart = ['/" + "(" * 1500 + ")" * 1500 + "/']", "2: names.apart: /((("),
        (
            "[names]\napart = ['/(?:(?:a*b?){1000}){1000}/']",
            "2: names.apart: /(?:(?:a*b?){1000}){1000}/: its repeats",
        ),
        ("[[rule]]\nset.name = '\\1'\nwhen.group = '/(a)/'", "2: rule.set.name: what its groups"),
        ("[[rule]]\nset.name = '\\1'\nunless.name = '/(a)/'", "2: rule.set.name: what its"),
        ("[[rule]]\nset.Name = '\\2'\nwhen.name = '/(a)/'", "2: rule.set.Name: /(a)/ has no"),
        ("[[rule]]\nset.name = '\\1\\'\nwhen.name = '/(a)/'", "2: rule.set.name: a \\ stands"),
        ("[[rule]]\nset.name = '\\g<b>'\nwhen.name = '/(a)/'", "2: rule.set.name: a \\ stands"),
        ("[[rule]]\nset.\"a\\nb\" = 'x'", "1: rule.set.a?b: no attribute can"),
        ('[alias]\n"A\\nB" = ["C"]', "1: alias.A?B: a name of one line"),
        ('[alias]\n" " = ["C"]', "2: alias. : a name of one line"),
        ("[alias]\nA = ['ＢＢＣ']\nB = ['bbc']", '3: alias.B: "bbc" is an alias of "A" already'),
        ("[alias]\nA = ['B']\nB = ['C']", '2: alias.A: "B" has aliases itself'),
        ("[alias]\nA = ['B']\nB = ['A']", '3: alias.B: "A" has aliases itself'),
        ("[alias]\nA = ['x']\na = ['y']", '3: alias.a: it is "A", which is there already'),
        ("[channel.A]\nnumber = 1\n[channel.a]\nnumber = 2", '3: channel.a: it is "A", which'),
        ("[group]\nA = 'x'\na = 'y'", '3: group.a: it is "A", which is there'),
        ("[numbers]\nA = 1\n'ａ' = 5", '3: numbers.ａ: it is "A", which is there'),
        ("[source.1]\nheaders.X = 'é'", "2: source.1.headers.X: letters of ASCII"),
        ("[source.1]\nuser_agent = ' x'", "2: source.1.user_agent: letters of ASCII"),
        ("[source.1.headers]\nX = 'a'\nx = 'b'", "3: source.1.headers.x: it is there already"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(RulesError) as refused:
        read_rules(text.encode())
    assert f"rules.toml:{told}" in str(refused.value)


def test_all_that_is_wrong_is_told_at_once_in_order() -> None:
    with pytest.raises(RulesError) as refused:
        read_rules(b"[source.1]\npriority = 'x'\n[names]\nclean = 'x'\n[[rule]]\n[[rule]]\n")
    assert [complaint.line for complaint in refused.value.complaints] == [2, 4, 5, 6]


def test_no_secret_is_told() -> None:
    with pytest.raises(RulesError) as refused:
        read_rules(
            b"[source.1]\nproxy = 'sesame://user:sesame@host'\nheaders = { A = 5, B = '\\u0007' }"
        )
    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"#" * (LARGEST + 1), "larger than 1024 KB"),
        (b"[names]\n\xff\xfe", "2: not UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "1: "),
        (b"[names", "1: "),
    ],
)
def test_what_is_no_rules_file(data: bytes, told: str) -> None:
    with pytest.raises(RulesError, match=told):
        read_rules(data)


def test_five_megabytes_of_anything_are_refused_at_once() -> None:
    with pytest.raises(RulesError, match="larger"):
        read_rules(b"[[rule]]\n" * 600_000)
