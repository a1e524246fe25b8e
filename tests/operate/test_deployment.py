"""What is shipped to run Unicart: the image's recipe, compose and Kubernetes manifests agree with the product."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from unicart.cli import app
from unicart.settings import Settings, variable

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
KNOWN = {variable(name) for name in Settings.__struct_fields__}
COMMANDS = set(getattr(typer.main.get_command(app), "commands", {}))


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], " ".join(line.split()[1:])) for line in lines]


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def deployments() -> list[dict[str, Any]]:
    found = [each for path in sorted(MANIFESTS.glob("*.yaml")) for each in documents(path)]
    return [each for each in found if each["kind"] == "Deployment"]


def test_the_image_is_small_runs_without_root_and_tells_its_health() -> None:
    lines = instructions()
    last = max(number for number, (name, _) in enumerate(lines) if name == "FROM")
    final = dict(lines[last:])
    assert re.fullmatch(r"python:3\.\d+-slim", final["FROM"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"])
    assert "/readyz" in final["HEALTHCHECK"]
    assert final["ENTRYPOINT"] == '["unicart"]'
    assert COMMANDS.issuperset(re.findall(r'\["(\w+)"', final["CMD"]))
    assert set(re.findall(r"UNICART_\w+", final["ENV"])) <= KNOWN
    assert any("--require-hashes" in arguments for name, arguments in lines if name == "RUN")


def test_what_the_image_copies_is_there_and_sent_to_the_build() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name, arguments in instructions():
        if name == "COPY" and "--from" not in arguments:
            for source in arguments.split()[:-1]:
                assert (ROOT / source).exists()
                assert source in sent


def test_compose_runs_the_api_a_worker_and_postgresql() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert services["database"]["image"].startswith("postgres:")
    for name in ("api", "worker"):
        service = services[name]
        assert service["command"][0] == name
        assert set(service["environment"]) <= KNOWN
        assert service["depends_on"] == {"database": {"condition": "service_healthy"}}
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert services["api"]["ports"][0].startswith("127.0.0.1:")
    assert services["worker"]["healthcheck"] == {"disable": True}


def test_no_secret_is_shipped() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert re.search(r"POSTGRES_PASSWORD: \$\{POSTGRES_PASSWORD:\?", text)
    assert re.search(r"UNICART_SECRET_KEY: \$\{UNICART_SECRET_KEY:\?", text)
    (secret,) = documents(MANIFESTS / "secret.example.yaml")
    assert set(secret["stringData"]) <= KNOWN
    assert secret["stringData"]["UNICART_SECRET_KEY"] == "KEY"


def test_pods_are_restricted_and_run_our_commands() -> None:
    assert [each["metadata"]["name"] for each in deployments()] == ["unicart-api", "unicart-worker"]
    for deployment in deployments():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["args"][0] == deployment["metadata"]["labels"]["app.kubernetes.io/component"]
        assert COMMANDS.issuperset(container["args"][:1])
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    (api, service, budget) = documents(MANIFESTS / "api.yaml")
    labels = api["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == labels
    probes = api["spec"]["template"]["spec"]["containers"][0]
    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_kustomization_applies_what_is_there() -> None:
    (kustomization,) = documents(MANIFESTS / "kustomization.yaml")
    present = {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(kustomization["resources"]) == present
    (configuration,) = documents(MANIFESTS / "configmap.yaml")
    assert set(configuration["data"]) <= KNOWN


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_the_manifests_can_be_put_together() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(MANIFESTS)], capture_output=True, text=True, check=True)
    found = list(yaml.safe_load_all(done.stdout))
    assert {each["metadata"].get("namespace", "unicart") for each in found} == {"unicart"}
    assert sum(each["kind"] == "Deployment" for each in found) == 2


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0,
    reason="no Docker daemon answers",
)
def test_the_image_builds_and_runs() -> None:
    subprocess.run(["docker", "build", "--quiet", "--tag", "unicart-test", str(ROOT)], check=True, timeout=850)
    done = subprocess.run(
        ["docker", "run", "--rm", "unicart-test", "version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)
