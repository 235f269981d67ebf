"""No secret is compared in a way whose time tells how much of it was right."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kptv

ROOT = Path(kptv.__file__).parent
FOLDERS = ("channels/users", "logs", "users", "web")
SECRETS = {"csrf", "digest", "key", "password", "secret", "sent", "shown", "token"}
SEARCHES = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def named(node: ast.expr) -> str:
    """The last name of an expression that is one; empty if it is not."""
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    return node.id.strip("_") if isinstance(node, ast.Name) else ""


def comparisons(code: str) -> Iterator[str]:
    """Those in which a secret is compared with something else than a constant."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], SEARCHES):
            continue
        sides = (node.left, *node.comparators)
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        if any(SECRETS & set(named(side).split("_")) for side in sides):
            yield ast.unparse(node)


def files() -> list[Path]:
    return sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))


def test_secrets_are_compared_in_constant_time() -> None:
    assert len(files()) > 50
    found = [(file.name, text) for file in files() for text in comparisons(file.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "code", ["shown == self._token", "secret.digest != digest", "password in known", "csrf == sent"]
)
def test_one_that_is_not_would_be_found(code: str) -> None:
    assert list(comparisons(code)) == [code]
