"""No module of kptv imports itself, by whatever way round."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def imports_of(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Each import, also in a function or for types alone: a module, or names that may be ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name,) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", str(node.module)


def graph_of(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """By module those that it imports, of these ``sources`` alone."""
    graph: dict[str, set[str]] = {}
    for module, source in sources.items():
        found = (
            next(filter(sources.__contains__, names), "") for names in imports_of(ast.parse(source))
        )
        graph[module] = {name for name in found if name}
    return graph


def modules() -> dict[str, str]:
    """All of kptv by their dotted names; a package is its ``__init__``."""
    paths = (path.relative_to(ROOT) for path in sorted((ROOT / "kptv").rglob("*.py")))
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): (ROOT / path).read_text()
        for path in paths
    }


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle; none if there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_goes_round_in_a_circle() -> None:
    graph = graph_of(modules())
    assert len(graph) > 100
    assert circle(graph) == []


@pytest.mark.parametrize(
    "back",
    [
        "import kptv.a",
        "from kptv import a",
        "from kptv.a import name",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kptv.a import Name",
        "def later():\n    import kptv.a",
    ],
)
def test_a_circle_is_found_however_it_is_closed(back: str) -> None:
    sources = {"kptv": "", "kptv.a": "from kptv.b import c", "kptv.b": back}
    assert set(circle(graph_of(sources))) == {"kptv.a", "kptv.b"}
