"""What is in `deploy`: files that other programs accept, and that name only what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from flask import Flask

from kptv.config import VARIABLES, Config, load_config
from kptv.demo.scale import VALKEY
from kptv.web.ops import ops_blueprint
from tests.every_metric import every_metric

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus-rules.yml"
DASHBOARD = DEPLOY / "grafana-dashboard.json"
UNIT = DEPLOY / "kptv.service"
UNITS = {UNIT: UNIT.name, DEPLOY / "kptv@.service": "kptv@8081.service"}  # and as what they run
TEMPLATE = DEPLOY / "unraid.xml"
MANIFEST = DEPLOY / "kubernetes.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SCALE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.scale.yaml").read_text())
HAPROXY = (DEPLOY / "haproxy.cfg").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = {"SOURCES": "http://one.example/list.m3u|1", "BASE_URL": "http://192.168.1.10:8080"}
MOST_EXPOSED = 1.5  # of 10, as systemd counts; 9.6 without the hardening


def config_of(settings: Mapping[str, str]) -> Config:
    """What the proxy reads from these settings alone."""
    return load_config(settings, env_file=ROOT / "no.env")


# --- Prometheus and Grafana ---


def names() -> set[str]:
    """Of all samples there may be."""
    return {sample.name for family in every_metric().collect() for sample in family.samples}


def expressions() -> list[str]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("text", [RULES.read_text(), *expressions()])
def test_every_metric_that_is_asked_for_is_told(text: str) -> None:
    asked = set(re.findall(r"\b(?:iptv_proxy|kptv)_\w+", text))
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


# --- Docker ---


def test_the_compose_file_trusts_the_gateway_of_its_own_network() -> None:
    (network,) = COMPOSE["networks"]["kptv"]["ipam"]["config"]
    trusted = COMPOSE["services"]["kptv"]["environment"]["TRUSTED_PROXIES"].split(",")
    assert network["gateway"] in trusted
    assert ip_address(network["gateway"]) in ip_network(network["subnet"])
    assert COMPOSE["services"]["kptv"]["networks"] == ["kptv"]


# --- several instances ---


def test_the_compose_file_of_several_instances_agrees_with_itself_and_the_router() -> None:
    services = SCALE["services"]
    (network,) = SCALE["networks"]["kptv"]["ipam"]["config"]
    addresses = {
        name: service["networks"]["kptv"]["ipv4_address"] for name, service in services.items()
    }
    assert len(set(addresses.values())) == len(services)
    assert {ip_address(each) in ip_network(network["subnet"]) for each in addresses.values()} == {
        True
    }
    routed = re.findall(r"^    server \S+ +127\.0\.0\.1:(\d+) id (\d+) check$", HAPROXY, re.M)
    instances = {name: service for name, service in services.items() if "INSTANCE" in str(service)}
    assert len(routed) == len(instances) == len(services) - 2
    for (name, instance), (port, number) in zip(instances.items(), routed, strict=True):
        settings = instance["environment"]
        assert settings["INSTANCE"] == name
        assert str(settings["PORT"]) == port
        assert instance["ports"] == [f"{port}:{port}"]
        assert addresses[name] == f"172.31.251.1{number}"
        assert settings["LEASES_URL"] == f"redis://{addresses['valkey']}:6379"
        assert addresses["haproxy"] in settings["TRUSTED_PROXIES"].split(",")
        assert not set(settings) - set(VARIABLES)
        assert instance["volumes"] == ["data:/data"]
    assert "ports" not in services["valkey"]
    # Nothing of what it holds is on a disk, and none of it is thrown away; as `make scale` has it.
    assert tuple(services["valkey"]["command"][1:]) == VALKEY[2:-1]


def test_routers_leave_out_only_what_does_not_work_not_what_waits_for_valkey() -> None:
    assert re.findall(r"^ *(?:option httpchk|http-check) (.*)$", HAPROXY, re.M) == ["GET /healthz"]
    assert "readyz" not in DOCKERFILE
    (container,) = resources()["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.requires("haproxy")
def test_haproxy_accepts_what_the_compose_file_makes_of_its_configuration(tmp_path: Path) -> None:
    shell, option, script = SCALE["services"]["haproxy"]["command"]
    script = (
        script.replace("$$", "$").replace("/tmp", str(tmp_path)).replace("/shipped", str(DEPLOY))
    )
    script = script.replace("exec haproxy -W -db", "haproxy -c")
    environment = {**os.environ, "SCALE_HOST": "192.168.1.10", "KPTV_LOG": "stdout"}
    done = subprocess.run(
        [shell, option, script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "haproxy.cfg").read_text()
    servers = re.findall(r"^    server \S+ +(\S+) id .*?(?:redir (\S+))?$", made, re.MULTILINE)
    own = [f"172.31.251.1{n}:808{n}" for n in (1, 2, 3, 4)]
    assert [address for address, _ in servers] == own * 3
    redirects = [f"http://192.168.1.10:808{n}" for n in (1, 2, 3, 4)]
    assert [link for _, link in servers if link] == redirects


# --- systemd ---


def in_unit(name: str) -> list[str]:
    """The values of a directive."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


@pytest.fixture(params=UNITS.items(), ids=UNITS.values())
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit with the gunicorn of this environment: systemd looks whether there is one."""
    original, name = request.param
    shipped, here = "/opt/kptv-proxy/.venv/bin/", f"{Path(sys.executable).parent}/"
    text = original.read_text()
    assert text.count(shipped) == 2
    file = tmp_path / name
    file.write_text(text.replace(shipped, here))
    return file


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("systemd-analyze", *arguments), capture_output=True, text=True, check=False, timeout=60
    )


def verified(unit: Path) -> tuple[int, list[str]]:
    """The exit status of systemd's check of a unit, and its complaints about that unit."""
    done = systemd_analyze("verify", "--man=no", "--recursive-errors=no", unit)
    return done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]


@pytest.mark.requires("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    assert verified(unit) == (0, [])
    unit.write_text(unit.read_text().replace("RestartSec=", "RestartSeconds="))
    status, complaints = verified(unit)
    assert status != 0
    assert "RestartSeconds" in complaints[0]


@pytest.mark.requires("systemd-analyze")
def test_the_service_may_do_little(unit: Path) -> None:
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    done = systemd_analyze("security", "--offline=true", "--no-pager", threshold, unit)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_sets_only_settings_there_are_and_room_for_all_viewers() -> None:
    settings = dict(text.split("=", 1) for text in in_unit("Environment"))
    assert settings.keys() <= set(VARIABLES)
    assert settings["DATA_DIR"] == f"/var/lib/{in_unit('StateDirectory')[0]}"
    assert int(in_unit("LimitNOFILE")[0]) > 2 * config_of(EXAMPLE).max_clients


def test_the_unit_of_several_instances_differs_only_in_what_makes_them_several() -> None:
    one, several = (
        {line for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"}
        for unit in UNITS
    )
    own = {line.partition("=")[0] for line in one - several}
    assert own == {"Description", "Documentation", "After"}
    settings = {line for line in several - one if line.startswith("Environment=")}
    assert settings == {
        "Environment=PORT=%i",
        "Environment=LEASES_URL=redis://127.0.0.1:6379",
    }
    assert "Conflicts=kptv.service" in several - one


# --- Unraid ---

FIELDS = {"Name", "Target", "Default", "Mode", "Description", "Type", "Display", "Required", "Mask"}


def in_template(kind: str) -> dict[str, ElementTree.Element]:
    """The entries of this type, by what they set in the container."""
    entries = ElementTree.parse(TEMPLATE).findall("Config")
    return {entry.attrib["Target"]: entry for entry in entries if entry.attrib["Type"] == kind}


def test_the_template_has_the_form_that_unraid_itself_writes() -> None:
    """Community Applications reads no other: attributes as here, no text that has to be folded."""
    root = ElementTree.parse(TEMPLATE).getroot()
    assert (root.tag, root.attrib) == ("Container", {"version": "2"})
    for name in ("Name", "Repository", "Network", "Overview", "Category", "WebUI", "Privileged"):
        assert root.findtext(name), name
    for entry in root.findall("Config"):
        assert entry.attrib.keys() == FIELDS
        assert entry.attrib["Display"] in ("always", "advanced")
        assert {entry.attrib["Required"], entry.attrib["Mask"]} <= {"true", "false"}
        assert (entry.text or "") == entry.attrib["Default"]
    for line in TEMPLATE.read_text().splitlines():
        assert "  " not in line.strip(), line


def test_the_template_sets_what_there_is_and_to_its_default() -> None:
    variables = in_template("Variable")
    assert variables.keys() <= set(VARIABLES)
    required = {name for name, entry in variables.items() if entry.attrib["Required"] == "true"}
    assert required == EXAMPLE.keys()
    as_shipped = {name: entry.attrib["Default"] for name, entry in variables.items()}
    assert config_of(as_shipped | EXAMPLE) == config_of(EXAMPLE)
    # An entry that is left empty is passed on as that, and a | in a default makes a menu of it.
    assert config_of(dict.fromkeys(variables, "") | EXAMPLE) == config_of(EXAMPLE)
    assert not [text for text in as_shipped.values() if "|" in text]


def test_the_template_runs_the_image_as_compose_does() -> None:
    root = ElementTree.parse(TEMPLATE).getroot()
    service = COMPOSE["services"]["kptv"]
    assert root.findtext("Repository") == f"{service['image']}:latest"
    (port,) = in_template("Port").values()
    assert port.attrib["Target"] == port.text == str(config_of(EXAMPLE).port)
    assert f"[PORT:{port.text}]" in (root.findtext("WebUI") or "")
    assert list(in_template("Path")) == [service["environment"]["DATA_DIR"]]
    extra = (root.findtext("ExtraParams") or "").split()
    assert service["read_only"]
    assert {
        "--read-only",
        *(f"--tmpfs={folder}" for folder in service["tmpfs"]),
        *(f"--cap-drop={name}" for name in service["cap_drop"]),
        *(f"--security-opt={name}" for name in service["security_opt"]),
        f"--ulimit=nofile={service['ulimits']['nofile']}",
        f"--restart={service['restart']}",
    } <= set(extra)


# --- Kubernetes ---


def resources() -> dict[str, dict[str, Any]]:
    """By kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text())}


@pytest.mark.parametrize("version", ["1.25", "newest"])
def test_the_manifest_is_what_kubernetes_knows(version: str) -> None:
    # Here, not above: it takes a moment, and comes with all schemas.
    from kubernetes_validate import ValidationError, latest_version, validate

    version = latest_version() if version == "newest" else version
    for resource in resources().values():
        validate(resource, version, strict=True)
    broken = resources()["Deployment"]
    broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(ValidationError):
        validate(broken, version, strict=True)


def test_there_is_never_a_second_proxy_on_kubernetes() -> None:
    spec = resources()["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


def test_the_pod_runs_the_image_as_compose_does() -> None:
    pod = resources()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    service = COMPOSE["services"]["kptv"]
    assert container["image"] == f"{service['image']}:latest"
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert pod["securityContext"]["runAsNonRoot"]
    assert {pod["securityContext"][key] for key in ("runAsUser", "fsGroup")} == {int(user)}
    assert container["securityContext"]["readOnlyRootFilesystem"] == service["read_only"]
    assert container["securityContext"]["capabilities"]["drop"] == service["cap_drop"]
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {service["environment"]["DATA_DIR"], *service["tmpfs"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }


def test_the_probes_ask_for_what_there_is() -> None:
    (container,) = resources()["Deployment"]["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == config_of(EXAMPLE).port
    app = Flask("probed")
    app.register_blueprint(ops_blueprint(lambda: None, vitals=None, watched={}))  # type: ignore[arg-type]
    routes = {rule.rule for rule in app.url_map.iter_rules()}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert asked["path"] in routes


def test_the_secret_holds_settings_there_are() -> None:
    settings = resources()["Secret"]["stringData"]
    config = config_of(settings)
    assert config == config_of({name: settings[name] for name in EXAMPLE})
    assert config.warnings == ()
    commented = re.findall(r"^ +# ([A-Z_]+): ", MANIFEST.read_text(), re.MULTILINE)
    assert {*settings, *commented} <= set(VARIABLES)
