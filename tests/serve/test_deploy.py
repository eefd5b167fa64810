"""The files of deploy/ name options and routes that there are, and parse."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.runs import fiqa

DEPLOY = Path(__file__).parents[2] / "deploy"


def options(words):
    return {word for word in words if word.startswith("--")}


@pytest.fixture(scope="module")
def known() -> set[str]:
    return set(re.findall(r"--[a-z-]+", fiqa("serve", "--help").stdout.decode()))


def test_the_unit_is_sound(known, tmp_path):
    text = (DEPLOY / "fiqa.service").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=(.+)$", text, re.M)
    assert command.split()[1] == "serve"
    assert options(command.split()) <= known
    for line in ("DynamicUser=yes", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in text.splitlines()
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = tmp_path / "fiqa.service"
    unit.write_text(text.replace(command.split()[0], sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_manifest_is_sound(known, client):
    deployment, service = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]
    assert (
        deployment["spec"]["selector"]["matchLabels"]
        == pod["metadata"]["labels"]
        == service["spec"]["selector"]
    )
    (container,) = pod["spec"]["containers"]
    assert container["args"][0] == "serve"
    assert options(container["args"]) <= known
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert ports[asked["port"]] == 8000
        assert client.get(asked["path"]).status_code == 200
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        v["name"] for v in pod["spec"]["volumes"]
    }
    assert pod["spec"]["terminationGracePeriodSeconds"] > 30
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_containerfile_is_sound(known):
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {kind for kind, _ in steps} <= {
        *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD")
    }
    for kind, rest in steps:
        if kind == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                assert (DEPLOY.parent / name).exists()
    (start,) = (rest for kind, rest in steps if kind == "CMD")
    assert options(yaml.safe_load(start)) <= known
    (user,) = (rest for kind, rest in steps if kind == "USER")
    assert not user.startswith(("0", "root"))
