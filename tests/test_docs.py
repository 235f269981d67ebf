"""The documents keep up with the code."""

from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path

import pytest

from kptv.config import VARIABLES, load_config
from kptv.errors import Reason
from kptv.metrics.counters import SLOT_LOST, STOPPED, SWITCHED
from kptv.web.page.openapi import description
from tests.docs_check.blocks import RUN, Block, blocks, stray_marks
from tests.every_metric import every_metric

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs/settings.md").read_text()
METRICS = (ROOT / "docs/metrics.md").read_text()
API = (ROOT / "docs/api.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text() + (ROOT / "docs/decisions.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
OTHERS = {".venv", ".git", "vendor", "data", "node_modules", "__pycache__", "axe-core-4.14.1"}


def files(*suffixes: str) -> list[Path]:
    """The repository's files with such a name, without those that others wrote."""
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.suffix in suffixes and OTHERS.isdisjoint(path.relative_to(ROOT).parts)
    ]


# --- settings ---


def settings_in(page: str) -> list[str]:
    return re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)


def defaults_in(page: str) -> dict[str, str]:
    """By setting what a page tells of its default, as the example writes it."""
    told = re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]*?)`? (?:\(.*\) )?\|", page, re.MULTILINE)
    return {name: "" if value == "empty" else value for name, value in told}


def in_groups(page: str, heading: str, setting: str) -> list[list[str]]:
    """The groups of a page in their order: each its heading, then its settings."""
    _, *groups = re.split(heading, page, flags=re.MULTILINE)
    titles, bodies = groups[::2], groups[1::2]
    return [
        [title, *re.findall(setting, body, re.MULTILINE)]
        for title, body in zip(titles, bodies, strict=True)
    ]


def test_the_page_of_settings_has_a_row_for_each_and_for_no_other() -> None:
    assert settings_in(SETTINGS) == list(VARIABLES)


def test_the_example_has_a_line_for_each_setting_and_for_no_other() -> None:
    assert re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE) == list(VARIABLES)


def test_the_page_of_settings_has_the_groups_of_the_example() -> None:
    groups = in_groups(SETTINGS, r"^## (.+)$", r"^\| `([A-Z_]+)` \|")
    assert groups == in_groups(EXAMPLE, r"^# --- (.+) ---$", r"^(?:# )?([A-Z_]+)=")
    code = (ROOT / "kptv/config/settings.py").read_text()
    table = code.partition("class Config:")[2].partition("# Not settings")[0]
    rows = in_groups(table, r"^    # (.+)$", r"(?:setting|required)\((?:  #.*)?\s*\"([A-Z_]+)\"")
    assert groups == rows


def test_what_is_commented_out_in_the_example_is_the_default(tmp_path: Path) -> None:
    as_shipped = load_config({}, env_file=ROOT / ".env.example")
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE))
    assert load_config({}, env_file=file) == as_shipped
    assert as_shipped.warnings == ()


def test_the_defaults_that_are_told_are_those_of_the_example() -> None:
    defaults = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    told = defaults_in(SETTINGS)
    assert told.pop("SOURCES") == "required"
    assert told == defaults
    few = defaults_in(README)
    assert few.pop("SOURCES") == "required"
    assert few.items() <= defaults.items()


def test_the_readme_is_short_and_has_the_dozen_settings_that_one_needs() -> None:
    assert len(README.splitlines()) <= 150
    assert len(settings_in(README)) == 12


SETTING = re.compile(r"`([A-Z][A-Z_]{2,})(?:=[^`]*)?`|^([A-Z][A-Z_]{2,})=", re.MULTILINE)
OTHER_NAMES = {
    "HEAD",
    "REQUESTS_CA_BUNDLE",
    "SCALE_HOST",
    "SECRET",
    "WEB_CONCURRENCY",
}  # not of our settings


def test_every_setting_that_a_page_for_users_names_is_one() -> None:
    for_developers = {"ARCHITECTURE.md", "CHANGELOG.md", "decisions.md"}
    named = {
        (page.name, one or other)
        for page in PAGES
        if page.name not in for_developers
        for one, other in SETTING.findall(page.read_text())
    }
    assert {page for page, _ in named} >= {"README.md", "deployment.md", "troubleshooting.md"}
    assert {(page, name) for page, name in named if name not in {*VARIABLES, *OTHER_NAMES}} == set()
    assert {name for _, name in named} >= {*VARIABLES, *OTHER_NAMES}


# --- metrics and the API ---


def test_the_page_of_metrics_names_each_with_its_labels_and_kinds() -> None:
    rows = dict(re.findall(r"^\| `((?:iptv_proxy|kptv)_\w+)` \| ([^|]*)\|", METRICS, re.MULTILINE))
    told = set()
    for family in every_metric().collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name in rows
        labels = set(family.samples[0].labels) - {"le"}
        assert set(re.findall(r"`(\w+)`", rows[name])) == labels, name
        told.add(name)
    assert told == set(rows)
    kinds, _, reasons = METRICS.partition("`kind` is one of ")[2].partition("`reason` is one of ")
    assert re.findall(r"`(\w+)`", kinds) == list(Reason)
    assert re.findall(r"`(\w+)`", reasons) == [SWITCHED, STOPPED, SLOT_LOST]


def test_the_page_of_the_api_has_a_row_for_each_request() -> None:
    told = set(re.findall(r"^\| `((?:GET|POST|PATCH|DELETE) /api/\S+)` \|", API, re.MULTILINE))
    there = {
        f"{method.upper()} {path}"
        for path, methods in description()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert told == there | {"GET /api/openapi.json"}


# --- commands ---


def test_each_block_of_commands_is_run_by_the_check_or_says_why_not() -> None:
    there = list(blocks())
    assert {block.page.name for block in there} >= {"README.md", "deployment.md", "upgrading.md"}
    for block in there:
        assert block.name or block.reason, f"{block.page.name}: {block.mark}\n{block.text}"
    assert list(stray_marks()) == []


def test_the_check_knows_each_name_and_there_is_one_block_for_each() -> None:
    assert sorted(block.name for block in blocks() if block.name) == sorted(RUN)


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.name], ids=attrgetter("name")
)
def test_commands_that_are_run_leave_nothing_to_put_in_and_ask_nothing(block: Block) -> None:
    commands = block.commands()
    assert not re.search(r"<[a-z ]+>", commands)
    assert "apt install -y " in commands or "apt install" not in commands


@pytest.mark.parametrize(
    ("mark", "name", "reason"),
    [
        (" docs-check: clone ", "clone", ""),
        (" docs-check: no, needs Docker ", "", "needs Docker"),
        (" docs-check: no ", "no", ""),  # and no block may have that name
        (" docs-check: no, ", "", ""),
        (" docs-check clone ", "", ""),
        ("", "", ""),
    ],
)
def test_a_mark_names_a_block_or_gives_a_reason(mark: str, name: str, reason: str) -> None:
    block = Block(ROOT / "README.md", "true\n", mark)
    assert (block.name, block.reason) == (name, reason)
    assert "no" not in RUN


# --- what the documents refer to ---


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_documents_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = page.parent / name if name else page
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


FILE_NAME = re.compile(
    r"(?<![\w/:.*~…@-])(?:\w[\w.-]*/)*\w[\w.-]*\.(?:md|py|sh|conf|ya?ml|toml|mjs|js|css|html|json|in|c)"
    r"(?![\w/…-])"
)
# Served by the proxy; of Prometheus; the user's own.
ELSEWHERE = {"hls.js", "openapi.json", "prometheus.yml", "rules.toml", "try.toml"}


def comments(path: Path) -> Iterator[str]:
    """All comments and docstrings of a Python file."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.string
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


@cache
def texts() -> list[tuple[Path, str]]:
    """What people read of the repository's files."""
    pages = [
        *PAGES,
        ROOT / ".env.example",
        ROOT / "Makefile",
        *files(".conf", ".sh", ".service", ".yaml", ".yml", ".xml"),
    ]
    told = [(page, page.read_text()) for page in pages]
    return told + [(path, text) for path in files(".py") for text in comments(path)]


def test_no_page_and_no_comment_refers_to_a_file_that_is_not_there() -> None:
    there = [path.relative_to(ROOT).parts for path in ROOT.rglob("*") if path.is_file()]
    ours = [parts for parts in there if {".venv", ".git", "__pycache__"}.isdisjoint(parts)]
    ends = {"/".join(parts[-n:]) for parts in ours for n in range(1, len(parts) + 1)}
    unknown = {
        (path.name, name)
        for path, text in texts()
        for name in FILE_NAME.findall(text)
        if name not in ends | ELSEWHERE
    }
    assert unknown == set()


def test_no_page_and_no_comment_refers_to_papers_that_others_cannot_read() -> None:
    papers = re.compile(r"\b(?:DESIGN|REVIEW|FACTS|SENTENCES)\b|\(issue \d+\)")
    assert [(path.name, text) for path, text in texts() if papers.search(text)] == []


def test_the_architecture_names_only_what_there_is() -> None:
    paths = re.findall(r"`((?:kptv|tests|benchmarks|deploy)(?:/[\w.]+)*)`", ARCHITECTURE)
    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    rooms = "formats|splice|channels|upstream|restream|vitals|logs|config|web|players|page"
    modules = set(re.findall(rf"`((?:{rooms})\.[a-z_]+)", ARCHITECTURE))
    assert len(modules) >= 10
    inside = {name: re.sub(r"^(players|page)\.", r"web.\1.", name) for name in modules}
    assert [name for name, path in inside.items() if find_spec(f"kptv.{path}") is None] == []


def test_the_architectures_table_has_the_floors_from_top_to_bottom() -> None:
    table = ARCHITECTURE.partition("| where | what |")[2].partition("\n\n")[0]
    rows = [
        re.findall(r"`kptv/(\w+)(?:\.py)?`", line.split("|")[1]) for line in table.split("\n")[2:]
    ]
    told = [name for row in rows for name in row if name != "demo"]
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    floors = [set(re.findall(r"\w+", layer)) - {"demo"} for layer in layers]
    assert sorted(told) == sorted(name for floor in floors for name in floor)
    height = {name: number for number, floor in enumerate(floors) for name in floor}
    assert told == sorted(told, key=height.__getitem__)


def test_the_architecture_is_short() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 125


@pytest.mark.parametrize("package", ["config", "formats/mpegts", "logs", "splice"])
def test_a_package_that_lists_its_modules_lists_all(package: str) -> None:
    folder = ROOT / "kptv" / package
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules <= set(re.findall(r"``(\w+)``", told))


def test_the_architecture_names_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "kptv").glob("*/__init__.py")}
    assert packages <= set(re.findall(r"`kptv/(\w+)`", ARCHITECTURE))


def test_the_architecture_names_only_classes_and_settings_there_are() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "kptv").rglob("*.py"))
    for name in re.findall(r"`([A-Z][a-z]+[A-Za-z]*)`", ARCHITECTURE):
        assert f"class {name}" in code or f"import {name}" in code or name == "Event", name
    for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", ARCHITECTURE):
        assert name in code, name


def test_each_action_of_the_api_has_an_example() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    commands = " ".join(block.text for block in blocks() if block.page.name == "api.md")
    for path, operations in description()["paths"].items():
        assert path in page, f"docs/api.md has nothing of {path}"
        if "post" in operations:
            pattern = re.sub(r"\\{(?:id|number)\\}", "[a-z0-9-]+", re.escape(path))
            assert re.search(pattern + r"(?![/\w])", commands), f"no example of {path}"


def test_sources_over_several_lines_are_read_as_the_docs_say(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    (example,) = re.findall(r"^```\n(SOURCES=.*?)^```", page, re.M | re.S)
    (tmp_path / ".env").write_text(example)
    sources = load_config({}, env_file=tmp_path / ".env").sources
    assert [source.max_connections for source in sources] == [2, 1]
    assert sources[1].url == "http://two.example/list.m3u"
