"""`python -m kptv.rules`: what each command says, with which status, without any connection."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest

from kptv.channels.given import key_of
from kptv.channels.model import Source
from kptv.columns import WIDTH, width_of
from kptv.kept.database import NAME, Change, Database
from kptv.rules import checking
from kptv.rules.commands import main
from kptv.upstream.channel_list import channel_list
from kptv.upstream.documents import Edition
from kptv.upstream.store import Store
from tests.formats.test_real_lists import FILES

PREMIUM = "http://panel.example/get.php?username=alice42&password=s3cr3tword&type=m3u"
BACKUP = "http://backup.example/list.m3u?token=0123456789abcdef"
LINK = "http://panel.example/live/alice42/s3cr3tword/{}.ts"
SECRETS = ("alice42", "s3cr3tword", "panel.example", "backup.example", "0123456789abcdef")
CLEAN = '[names]\nclean = ["marks", "tags", "quality", "prefixes"]\n'

Run = Callable[..., tuple[int, str]]


def keep(folder: Path, url: str, *lines: str) -> None:
    """Keep a list in DATA_DIR as an import does: each line is what stands behind #EXTINF:-1."""
    text = "#EXTM3U\n" + "".join(
        f"#EXTINF:-1 {line}\n{LINK.format(n)}\n" for n, line in enumerate(lines)
    )
    copy = Store(folder).begin(channel_list(Source(1, url, 1)))
    copy.write(text.encode())
    copy.commit(Edition(url))
    copy.close()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules.toml"


@pytest.fixture
def run(
    tmp_path: Path,
    rules: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command; gives its status and all that it says. No socket can be made."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a command wants a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("SOURCES", f"premium={PREMIUM}|3,{BACKUP}|8")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RULES", str(rules))

    def command(*arguments: str) -> tuple[int, str]:
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        text = told.out + told.err
        for secret in (
            "alice42",
            "s3cr3tword",
            "panel.example",
            "backup.example",
            "0123456789abcdef",
        ):
            assert secret not in text, text
        return status, text

    return command


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """DATA_DIR with the lists of both sources."""
    folder = tmp_path / "data"
    keep(
        folder,
        PREMIUM,
        'tvg-id="BBCOne.uk" group-title="UK",UK: BBC One FHD',
        'group-title="UK",UK: News',
        'group-title="Shop",Shop TV',
        'tvg-id="n.de" group-title="Kids",Nick',
    )
    keep(folder, BACKUP, ",BBC ONE HD ◉", ",BBC 1", 'tvg-id="n.uk",Nick HD')
    return folder


# --- check ---


def test_without_a_file_check_says_how_to_begin(run: Run) -> None:
    assert run("check") == (
        0,
        "There is no rules file: all is as the lists say.\n"
        "To begin with one: cp rules.example.toml rules.toml\n",
    )


def test_without_lists_check_looks_at_the_file_alone(run: Run, rules: Path) -> None:
    rules.write_text("[[rule]]\nwhen.name = 'x'\ndrop = true\n")
    status, text = run("check")
    assert status == 0
    assert "premium: no list is kept of it yet\nsource-2: no list is kept of it yet\n" in text
    assert text.endswith("The file can be used: 1 rule, 0 warnings.\n")


@pytest.mark.parametrize("sources", ["", "ftp://nonsense|two"])
def test_without_settings_check_looks_at_the_file_alone(
    run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch, sources: str
) -> None:
    monkeypatch.setenv("SOURCES", sources)
    rules.write_text("[[rule]]\nwhen.name = '/x/'\ndrop = true\n")
    status, text = run("check")
    assert status == 0
    assert "SOURCES" in text


@pytest.mark.parametrize(
    ("data", "complaints"),
    [
        (b"#" * 5_000_000, ["rules.toml:1: larger than 1024 KB"]),
        (bytes(range(256)) * 50, ["rules.toml:2: not UTF-8"]),
        (b"[names]\nclean = 1\n[names]\n", ["rules.toml:3: "]),
        (b'[channel.A]\nlogo = "a"\nlogo = "b"\n', ["rules.toml:3: "]),
        (
            b"[channel.A]\nnumber = 7\n[channel.B]\nnumber = 7\n",
            ['rules.toml:4: channel.B.number: 7 is the number of "A" already'],
        ),
        (
            b'[nmaes]\n[[rule]]\nwhen.name = "/(/"\ndrop = true\n[source.1]\nspeed = 1\n',
            [
                "rules.toml:1: nmaes: not known; did you mean names?",
                "rules.toml:3: rule.when.name: /(/: missing ) at position 1",
                "rules.toml:6: source.1.speed: not known",
            ],
        ),
    ],
)
@pytest.mark.parametrize("command", [("check",), ("preview",), ("explain", "x")])
def test_what_cannot_be_used_is_told_at_once_with_its_lines(
    run: Run, rules: Path, data: bytes, complaints: list[str], command: tuple[str, ...]
) -> None:
    rules.write_bytes(data)
    begun = perf_counter()
    status, text = run(*command)
    assert status == 1
    assert perf_counter() - begun < 10
    lines = text.splitlines()
    assert len(lines) == len(complaints)
    for line, complaint in zip(lines, complaints, strict=True):
        assert line.startswith(complaint)


@pytest.mark.usefixtures("kept")
def test_an_expression_that_takes_too_long_is_named_with_its_line(run: Run, rules: Path) -> None:
    rules.write_text("# one\n[[rule]]\nwhen.name = '/^(a|aa)+$/'\ndrop = true\n")
    begun = perf_counter()
    status, text = run("check")
    assert status == 1
    assert "rules.toml:2: /^(a|aa)+$/ takes too long, and would be switched off\n" in text
    assert "1 error;" in text
    assert perf_counter() - begun < 10


@pytest.mark.usefixtures("kept")
def test_many_expressions_that_take_too_long_have_a_bound(
    run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "MOST_SECONDS", 0.5)
    rules.write_text("[[rule]]\nwhen.name = '/^(a|aa)+$/'\ndrop = true\n" * 2000)
    begun = perf_counter()
    status, text = run("check")
    assert status == 1
    assert perf_counter() - begun < 5
    assert "rules.toml:1: /^(a|aa)+$/ takes too long, and would be switched off\n" in text
    assert "The regular expressions were tried for 0.5 s, not on all names.\n" in text


@pytest.mark.usefixtures("kept")
def test_what_does_nothing_is_warned_of(run: Run, rules: Path) -> None:
    rules.write_text(
        '[names]\napart = ["*8K*"]\n'
        '[group]\n"Kisd" = "Children"\n'
        '[alias]\n"ITV" = ["ITV 1"]\n'
        '[[rule]]\nwhen.group = "United Kingdom"\nkeep = true\n'
        "[[rule]]\nwhen.source = 2\nrank = 1\n"
        '[[rule]]\nwhen.name = "S*"\ndrop = true\n'
        '[[rule]]\nwhen.name = "Shop*"\nrank = 2\n'
        '[channel."BBC On"]\nlogo = "l"\n'
        "[source.1]\npriority = 1\n[source.third]\npriority = 2\n"
        '[profile.none]\ngroup = "Kisd"\nunless.source = 2\n'
    )
    status, text = run("check")
    assert status == 0
    moves = "the number is another source's when SOURCES is reordered"
    assert text.splitlines() == [
        'rules.toml:2: "*8K*": matched nothing',
        'rules.toml:4: "Kisd": there is no such group; groups near it: Kids (1)',
        'rules.toml:6: "ITV": no entry is called so, or as its aliases',
        'rules.toml:7: "United Kingdom": matched nothing; groups near it: UK (2)',
        f"rules.toml:10: source 2: {moves}; give it a name there: SOURCES=premium=…",
        "rules.toml:16: rule 4 is never reached: line 13 decides before it",
        'rules.toml:19: "BBC On": there is no such channel; channels near it: BBC 1, BBC ONE HD ◉',
        f"rules.toml:21: source.1: {moves}; call it premium",
        "rules.toml:23: there is no source third",
        'rules.toml:25: "Kisd": matched nothing; groups near it: Kids (1)',
        "rules.toml:25: profile.none: has no channels",
        f"rules.toml:25: source 2: {moves}; give it a name there: SOURCES=premium=…",
        "The file can be used: 4 rules, 12 warnings.",
    ]


# --- preview ---


def test_preview_says_what_to_do_where_no_list_is_kept(run: Run) -> None:
    for command in (("preview",), ("explain", "News")):
        status, text = run(*command)
        assert status == 1
        assert "No list is kept yet." in text
        assert "Start the proxy once, so that it fetches them, and try again." in text


@pytest.mark.usefixtures("kept")
def test_preview_tells_sums_rules_conflicts_and_prefixes(run: Run, rules: Path) -> None:
    rules.write_text(
        CLEAN + '[alias]\n"BBC One" = ["BBC 1"]\n[[rule]]\nwhen.name = "Shop*"\ndrop = true\n'
        '[profile.bbc]\nname = "BBC*"\n[profile.kids]\ngroup = "Kids"\n'
    )
    status, text = run("preview")
    assert status == 0
    assert text.splitlines() == [
        "7 entries: premium 4, source-2 3",
        "  channels without rules     7",
        "  channels                   3",
        "    joined of several names  2",
        "  entries dropped            1",
        "  entries renamed            5",
        "",
        "Rules",
        "  1  line 5  1 entry  Shop TV",
        "",
        "Profiles",
        "  /profile/bbc/playlist.m3u8   line 8   1 channel",
        "  /profile/kids/playlist.m3u8  line 10  1 channel",
        "",
        "Conflicts",
        "  Nick  entries of several tvg-ids: n.de, n.uk",
        "",
        "Prefixes taken from names",
        "  UK 2",
    ]
    assert run("preview", "--strict")[0] == 1
    rules.write_text(f'{rules.read_text()}[channel.Nick]\nguide = "Nick.de"\n')
    assert run("preview", "--strict")[0] == 0


@pytest.mark.usefixtures("kept")
def test_preview_shows_each_channel_that_changes_within_a_bound(run: Run, rules: Path) -> None:
    rules.write_text(CLEAN + 'split = "country"\n[[rule]]\nwhen.name = "Shop*"\ndrop = true\n')
    status, text = run("preview", "--diff")
    assert status == 0
    assert (
        "Joined: 1\n  BBC One  UK: BBC One FHD  premium\n           BBC ONE HD ◉     source-2\n"
        in text
    )
    assert "Dropped: 1\n  Shop TV  premium  line 4\n" in text
    assert "Countries apart\n  Nick  finds Nick (DE); Nick (DE), Nick (UK)\n" in text
    assert "… and 2 more (--most shows more)" in run("preview", "--diff", "--most", "1")[1]
    assert run("preview", "--diff", "--most", "0")[0] == 2


@pytest.mark.usefixtures("kept")
def test_preview_is_there_for_scripts_too(run: Run, rules: Path) -> None:
    rules.write_text(CLEAN)
    status, text = run("preview", "--json", "--diff")
    assert status == 0
    told = json.loads(text)
    assert told["report"]["channels"] == 5
    assert told["report"]["prefixes"] == [["UK", 2]]
    assert told["changes"]["joined"]["count"] == 2
    entries = told["changes"]["joined"]["some"][0]["entries"]
    assert entries[0] == {"name": "UK: BBC One FHD", "source": "premium", "groups": []}


@pytest.mark.usefixtures("kept")
def test_preview_lists_the_channels_with_their_numbers(run: Run, rules: Path) -> None:
    rules.write_text(
        CLEAN + '[[rule]]\nwhen.name = "Shop*"\ndrop = true\n'
        "[numbers]\nUK = 101\nKisd = 500\n[channel.Nick]\nnumber = 7\n"
    )
    text = run("preview", "--list")[1]
    assert text.partition("Channels, in the order in which they are served\n")[2].splitlines() == [
        "       1  BBC 1          source-2",
        "     101  BBC One  UK    premium, source-2",
        "     102  News     UK    premium",
        "       7  Nick     Kids  premium, source-2",
    ]
    assert '"Kisd": no channel is in such a group; groups near it: Kids (1)' in text
    told = json.loads(run("preview", "--list", "--json", "--most", "1")[1])
    assert told["channels"] == [
        {"number": 1, "name": "BBC 1", "groups": [], "sources": ["source-2"]}
    ]


@pytest.mark.usefixtures("kept")
def test_preview_shows_the_groups_to_choose_from(run: Run, rules: Path) -> None:
    rules.write_text('[[rule]]\nwhen.group = "Shop"\ndrop = true\n')
    assert run("preview", "--groups", "--most", "2")[1].endswith(
        "Groups of the lists\n  UK    2 entries  2 channels\n  Kids  1 entry    1 channel\n"
    )


def test_channels_that_lose_their_number_are_told(run: Run, rules: Path, kept: Path) -> None:
    rules.write_text(CLEAN + "[numbers]\nUK = 101\n[channel.Nick]\nnumber = 9\n")
    assert "lose" not in run("preview")[1]
    items = [([key_of(slug) for slug in (b"news", b"nick", b"shop-tv")], [7, 8, 3])]
    Database(kept).write(Change("", (), items, 20_000))
    text = run("preview")[1]
    assert "Channels that lose their number\n  News  7 -> 102\n" in text
    assert "8 -> 9" not in text  # the file says so itself
    (kept / NAME).write_bytes(b"nonsense" * 1000)
    status, text = run("preview")
    assert status == 0
    assert "the numbers that channels have cannot be read: " in text
    assert (kept / NAME).read_bytes() == b"nonsense" * 1000


@pytest.mark.usefixtures("kept")
def test_other_rules_than_those_in_use_may_be_tried(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[[rule]]\ndrop = true\n")
    assert "channels                   0" in run("preview", "--file", str(other))[1]
    without = run("preview")
    assert without[0] == 0
    assert "There is no rules file" in without[1]
    assert "Numbers" not in without[1]  # channels have those of the lists
    assert run("preview", "--file", str(tmp_path / "none.toml"))[0] == 1
    assert run("check", "--file", str(tmp_path / "none.toml"))[0] == 1


def test_a_list_that_is_a_file_need_not_be_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "list.m3u"
    path.write_text("#EXTM3U\n#EXTINF:-1,A\nhttp://a/1\n")
    (tmp_path / "bad.m3u").write_text("<html>")
    monkeypatch.setenv("SOURCES", f"good={path}|1,bad=file://{tmp_path}/bad.m3u")
    status, text = run("preview")
    assert status == 0
    assert "1 entry: good 1\nbad: its list cannot be read: an HTML page" in text
    assert not (tmp_path / "data").exists()


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u"
    path.write_text("#EXTM3U\n" + "".join(f"#EXTINF:-1,{n}\nhttp://a/{n}\n" for n in range(9000)))
    environ = {"SOURCES": str(path), "DATA_DIR": str(tmp_path), "RULES": str(tmp_path / "none")}
    command = f"{sys.executable} -m kptv.rules preview --list --most 9000 | head -1"
    done = subprocess.run(
        command, shell=True, capture_output=True, check=True, timeout=60, env=os.environ | environ
    )
    assert (done.stdout, done.stderr) == (
        b"There is no rules file: all is as the lists say.\n",
        b"",
    )


def test_what_is_kept_and_broken_is_told(run: Run, kept: Path) -> None:
    body = next(path for path in kept.glob("*.m3u.gz"))
    body.write_bytes(b"\x1f\x8bnonsense")
    status, text = run("preview")
    assert status == 0
    assert "its list cannot be read: " in text


def test_what_is_long_or_wide_fits_the_page(run: Run, tmp_path: Path, rules: Path) -> None:
    names = [f"{n} {'翡翠' * 40}" for n in range(30)] + ["x" * 300, "e\u0301" * 200]
    keep(tmp_path / "data", PREMIUM, *(f'group-title="{name}",UK: {name}' for name in names))
    groups = "\n".join(f'"{name}z" = "x"' for name in names)
    rules.write_text(f'{CLEAN}[group]\n{groups}\n[[rule]]\nwhen.name = "* 翡*"\nrank = 1\n')
    for command in (["preview", "--diff"], ["explain", f"UK: {names[0]}"], ["explain", names[-1]]):
        status, text = run(*command)
        assert status == 0
        assert max(map(width_of, text.splitlines())) <= WIDTH


# --- explain ---


@pytest.mark.usefixtures("kept")
def test_explain_tells_each_step_and_the_channel(run: Run, rules: Path) -> None:
    rules.write_text(
        CLEAN + '[alias]\n"BBC One" = ["BBC 1"]\n'
        '[[rule]]\nwhen.group = "UK"\nset.group = "Britain"\n[channel."BBC One"]\nlogo = "l"\n'
    )
    assert run("explain", "UK: BBC One FHD") == (
        0,
        "UK: BBC One FHD  (premium, group UK)\n"
        "  rule 1 at line 5   group = Britain\n"
        "  prefixes           BBC One FHD\n"
        "  quality            BBC One\n"
        "  alias              BBC One\n"
        "  channel at line 8  BBC One: logo\n"
        "  key                bbc one\n"
        "  channel            BBC One\n"
        "  slug               bbc-one\n"
        "  number             1\n"
        "  guide              BBCOne.uk\n"
        "  candidates         1  UK: BBC One FHD  (premium)  <- this one\n"
        "                     2  BBC ONE HD ◉  (source-2)\n"
        "                     3  BBC 1  (source-2)\n"
        "\n",
    )
    assert run("explain", "Shop TV")[1] == (
        "Shop TV  (premium, group Shop)\n"
        "  no rule     applies to it\n"
        "  key         shop tv\n"
        "  channel     Shop TV\n"
        "  slug        shop-tv\n"
        "  number      4\n"
        "  candidates  1  Shop TV  (premium)  <- this one\n\n"
    )


@pytest.mark.usefixtures("kept")
def test_explain_takes_a_name_that_no_list_has_and_offers_near_ones(run: Run, rules: Path) -> None:
    rules.write_text(CLEAN + '[[rule]]\nwhen.source = "source-2"\nwhen.name = "X*"\ndrop = true\n')
    status, text = run("explain", "FR: Nick FHD")
    assert status == 0
    assert text.startswith("No list has this name. If one had it, this would become of it:\n")
    assert "  slug        nick\n" in text
    assert text.endswith("Names near it:\n  Nick HD\n")
    assert "dropped" in run("explain", "X1", "--source", "source-2")[1]
    assert "dropped" not in run("explain", "X1")[1]
    assert run("explain", "X1", "--source", "nobody")[0] == 1
    told = json.loads(run("explain", "UK: News", "--json")[1])
    assert told["entries"][0]["slug"] == "news"


@pytest.mark.usefixtures("kept")
def test_explain_takes_the_name_of_a_channel(run: Run, rules: Path) -> None:
    rules.write_text(CLEAN)
    text = run("explain", "BBC One")[1]
    assert text.startswith(
        "No list has this name, but it finds a channel. These are its entries:\n\n"
        "UK: BBC One FHD  (premium, group UK)\n"
    )
    assert "\n\nBBC ONE HD ◉  (source-2)\n" in text
    assert "If one had it" in run("explain", "BBC One", "--source", "premium")[1]


# --- all of them ---


def test_what_is_no_command_is_refused(run: Run) -> None:
    assert run()[0] == 2
    assert run("nonsense")[0] == 2
    assert run("explain")[0] == 2
    assert run("check", "--nonsense")[0] == 2
    assert "a number from 1 to 100000 is wanted" in run("preview", "--most", "9" * 5000)[1]


def test_the_module_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kptv.rules", "--help"], capture_output=True, check=True, timeout=60
    )
    assert b"check|preview|explain" in done.stdout


# --- real lists ---

real = pytest.mark.skipif(not FILES, reason="no ../shared/lists here")


CCTV = r"""
[names]
clean = ["marks", "tags", "quality"]
apart = ["*4K*"]
[[rule]]
when.name = '/^CCTV[-_ ]?(\d+)(?![\d⁺+＋])(?!.*(?:4K|8K|[（(]|欧洲|美洲))/'
set.name = 'CCTV-\1'
[[rule]]
when.name = '/^CCTV[-_ ]?5[⁺+＋]/'
set.name = "CCTV-5+"
"""
OF_CCTV = ("imDazui", "YueChan", "fanmingming", "suxuang")
EXAMPLES = {
    "tags": (
        ("tqa24__in.m3u",),
        '[names]\nclean = ["tags", "quality"]\n',
        ["1,037 entries", "channels without rules     882", "channels                   670"],
    ),
    "signs": (
        ("Free-TV__playlist.m3u8",),
        '[names]\nclean = ["marks"]\n[[rule]]\nwhen.name = ["*Ⓨ", "*Ⓣ"]\ndrop = true\n',
        ["entries dropped            128", "channels                   1,890"],
    ),
    "blocked": (
        ("tqa24__uk.m3u", "Free-TV__playlist.m3u8"),
        f'{CLEAN}[[rule]]\nwhen.name = "*[Geo-blocked]*"\nrank = 1\n'
        '[[rule]]\nwhen.name = "*[Not 24/7]*"\nrank = 2\n',
        ["1  line 3  9 entries", "2  line 6  13 entries"],
    ),
    "CCTV": (OF_CCTV, CCTV, ["2  line 8  13 entries"]),
    "4K": (
        ("",),
        '[names]\nclean = ["marks", "tags", "quality"]\napart = ["*4K*", "*UHD*"]\n',
        ["channels                   6,737"],
    ),
    "countries": (
        ("",),
        '[names]\nclean = ["marks", "tags", "quality"]\nsplit = "country"\n',
        ["channels                   6,753", "Countries apart"],
    ),
    "allowed": (
        ("Free-TV__playlist.m3u8",),
        '[[rule]]\nwhen.group = ["United Kingdom", "Germany", "France"]\nkeep = true\n'
        "[[rule]]\ndrop = true\n",
        [
            '"United Kingdom": matched nothing; groups near it: UK (55)',
            "1  line 1  67 entries",
        ],
    ),
    "groups": (
        ("",),
        '[group]\n"Sport" = "Sports"\n"Sports & Outdoors" = "Sports"\n"Motor Sports" = "Sports"\n'
        '[[rule]]\nwhen.radio = "true"\nset.group = "Radio"\n[numbers]\nRadio = 9001\n',
        ["1  line 5  362 entries"],
    ),
}


@real
@pytest.mark.parametrize("name", EXAMPLES)
def test_preview_has_the_figures_of_real_lists(
    run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    beginnings, text, told = EXAMPLES[name]
    files = [path for path in FILES if path.name.startswith(beginnings)]
    sources = ",".join(f"list-{n}=file://{path}|1" for n, path in enumerate(files, start=1))
    monkeypatch.setenv("SOURCES", sources)
    rules.write_text(text)
    status, page = run("preview")
    assert status == 0
    for line in told:
        assert line in page, page
    assert max(map(width_of, page.splitlines())) <= WIDTH


@pytest.mark.parametrize(
    ("redirection", "status", "told"),
    [
        ("| cat", 0, "BBC \\u25c9"),  # the terminal knows ASCII alone
        (">&-", 1, ""),
        (">/dev/full", 1, "It cannot be written: No space left on device"),
    ],
)
def test_an_output_that_takes_not_all_is_no_accident(
    run: Run, tmp_path: Path, redirection: str, status: int, told: str
) -> None:
    keep(tmp_path / "data", PREMIUM, ",BBC ◉")
    done = subprocess.run(
        f"set -o pipefail; {sys.executable} -m kptv.rules preview --list {redirection}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        timeout=30,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert told in done.stdout + done.stderr


def test_no_name_is_not_explained(run: Run, tmp_path: Path) -> None:
    keep(tmp_path / "data", PREMIUM, ",BBC")
    assert run("explain", " ")[0] == 2
