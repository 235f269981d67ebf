"""The documents keep up with the code."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from kptv.config import VARIABLES, load_config
from kptv.errors import Reason
from tests.every_metric import every_metric

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text() + (ROOT / "docs/decisions.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()


def settings_in_readme() -> list[str]:
    return re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)


def test_the_readme_has_a_row_for_each_setting_and_for_no_other() -> None:
    assert sorted(settings_in_readme()) == sorted(VARIABLES)


def test_the_example_has_a_line_for_each_setting_and_for_no_other() -> None:
    settings = re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(settings) == sorted(VARIABLES)


def test_what_is_commented_out_in_the_example_is_the_default(tmp_path: Path) -> None:
    as_shipped = load_config({}, env_file=ROOT / ".env.example")
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE))
    assert load_config({}, env_file=file) == as_shipped
    assert as_shipped.warnings == ()


def test_the_readmes_defaults_are_those_of_the_example() -> None:
    defaults = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    told = dict(
        re.findall(r"^\| `([A-Z_]+)` \| `?([^`|]*?)`? (?:\(.*\) )?\|", README, re.MULTILINE)
    )
    told = {name: "" if value == "empty" else value for name, value in told.items()}
    assert told.pop("SOURCES") == "required"
    assert told == defaults


def test_the_readme_names_every_metric_with_its_labels_and_kinds() -> None:
    rows = dict(re.findall(r"^\| `(iptv_proxy_\w+)` \| ([^|]*)\|", README, re.MULTILINE))
    told = set()
    for family in every_metric().collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert name in rows
        labels = set(family.samples[0].labels) - {"le"}
        assert set(re.findall(r"`(\w+)`", rows[name])) == labels, name
        told.add(name)
    assert told == set(rows)
    kinds = README.partition("`kind` is one of ")[2].partition(".")[0]
    assert re.findall(r"`(\w+)`", kinds) == list(Reason)


@pytest.mark.parametrize(
    "document", ["README.md", "ARCHITECTURE.md", "docs/decisions.md", "docs/security.md"]
)
def test_links_within_the_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (ROOT / document).parent.joinpath(target).exists(), target


def test_the_architecture_names_only_what_there_is() -> None:
    paths = re.findall(r"`((?:kptv|tests|benchmarks|deploy)(?:/[\w.]+)*)`", ARCHITECTURE)
    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = re.findall(r"\b((?:formats|channels|upstream|restream|web)\.[a-z]+)\b", ARCHITECTURE)
    assert len(modules) >= 4
    assert [module for module in modules if find_spec(f"kptv.{module}") is None] == []


def test_the_architecture_names_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / "kptv").glob("*/__init__.py")}
    assert packages <= set(re.findall(r"`kptv/(\w+)`", ARCHITECTURE))


def test_the_architecture_names_only_classes_and_settings_there_are() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "kptv").rglob("*.py"))
    for name in re.findall(r"`([A-Z][a-z]+[A-Za-z]*)`", ARCHITECTURE):
        assert f"class {name}" in code or f"import {name}" in code or name == "Event", name
    for name in re.findall(r"`([A-Z]+_[A-Z_]+)`", ARCHITECTURE):
        assert name in code, name
