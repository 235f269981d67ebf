"""The files for Prometheus and Grafana: rules that fire, and no name that is not told."""

from __future__ import annotations

import json
import re
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.every_metric import every_metric

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"


def names() -> set[str]:
    """Of all samples there may be."""
    return {sample.name for family in every_metric().collect() for sample in family.samples}


def expressions() -> list[str]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("text", [RULES.read_text(), *expressions()])
def test_every_metric_that_is_asked_for_is_told(text: str) -> None:
    asked = set(re.findall(r"\biptv_proxy_\w+", text))
    assert asked <= names(), asked - names()


@pytest.mark.requires("promtool")
def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    for command in (
        ("check", "rules", RULES),
        ("test", "rules", DEPLOY / f"{RULES.stem}.test.yml"),
    ):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.requires("promtool")
def test_the_dashboards_queries_are_valid(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$instance", ".*")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_trusts_the_gateway_of_its_own_network() -> None:
    compose = yaml.safe_load((DEPLOY.parent / "docker-compose.yaml").read_text())
    (network,) = compose["networks"]["kptv"]["ipam"]["config"]
    trusted = compose["services"]["kptv"]["environment"]["TRUSTED_PROXIES"].split(",")
    assert network["gateway"] in trusted
    assert ip_address(network["gateway"]) in ip_network(network["subnet"])
    assert compose["services"]["kptv"]["networks"] == ["kptv"]
