"""The rules file that is shipped, and those in the documentation, can be used as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kptv.channels.rules.reading import read_rules

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = (ROOT / "rules.example.toml").read_text()
PAGE = (ROOT / "docs" / "channels.md").read_text()
VARIABLES = {"PREMIUM_TOKEN": "s3cret", "VPN_PASSWORD": "s3cret"}
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)


def test_the_example_can_be_used_and_all_of_it_has_an_effect() -> None:
    rules = read_rules(EXAMPLE.encode())
    assert rules.names.clean
    assert len(rules.rules) == 3


def test_the_example_with_all_its_suggestions_can_be_used() -> None:
    suggested = re.sub(r"^# (?=[a-z_\[]+.*(?:=|\])|\[\[)", "", EXAMPLE, flags=re.M)
    suggested = re.sub(r"^#(?: .*)?$", "", suggested, flags=re.M)
    rules = read_rules(suggested.encode(), VARIABLES)
    assert len(rules.rules) == 5
    assert rules.sources["1"].suffix
    assert rules.channels["BBC One"].guide
    assert rules.profiles[0].sort == "tvg-name"


@pytest.mark.parametrize("block", BLOCKS)
def test_each_example_of_the_page_can_be_used(block: str) -> None:
    read_rules(block.encode(), VARIABLES)
