"""A name stands for one thing in all of kptv."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

KPTV = Path(__file__).resolve().parents[1] / "kptv"
_TWO_THINGS = {"Claim", "Refused"}  # of one package each, and never met together


def classes_of(sources: Iterable[str]) -> Counter[str]:
    """How many public classes have each name; a Protocol is another's view of the same thing."""
    return Counter(
        node.name
        for source in sources
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and not any("Protocol" in ast.unparse(base) for base in node.bases)
    )


def test_no_two_classes_have_one_name() -> None:
    found = classes_of(path.read_text() for path in KPTV.rglob("*.py"))
    assert found.total() > 500
    assert {name for name, count in found.items() if count > 1} <= _TWO_THINGS


def test_a_second_class_is_seen_and_a_protocol_is_none() -> None:
    sources = ["class A: ...", "class A(B): ...", "class B(Protocol[T]): ...", "class B: ..."]
    assert classes_of(sources) == {"A": 2, "B": 1}
