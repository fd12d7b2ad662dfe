"""The manifests of deploy/kubernetes agree with each other and with the code.

No cluster reads them here. That their fields are Kubernetes's was checked by hand with kubernetes-validate 1.37; at
70 MB that is too heavy for each run.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from adapters.telegram.webhook import PATH as TELEGRAM_PATH
from bot import app, worker
from bot.config import Config, load
from bot.config_rules import VARIABLES
from bot.http import server
from bot.http.app import build
from bot.http.metrics import PrometheusMeter

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SLACK_PATH = "/slack/events"
KINDS = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "Ingress": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "ScaledObject": "keda.sh/v1alpha1",
    "Secret": "v1",
    "Service": "v1",
}

Manifest = dict[str, Any]


def manifests() -> Iterator[Manifest]:
    """All of them, those of examples/ too."""
    for path in sorted(FOLDER.rglob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def of_kind(kind: str) -> list[Manifest]:
    """Those of a kind."""
    return [one for one in manifests() if one["kind"] == kind]


def only(kind: str) -> Manifest:
    """The one of a kind."""
    (one,) = of_kind(kind)
    return one


DEPLOYMENTS = of_kind("Deployment")
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["metadata"]["name"])


def container(deployment: Manifest) -> Manifest:
    """Its only container."""
    (one,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(one)


def role_of(deployment: Manifest) -> str:
    """Which role its processes have."""
    arguments = container(deployment)["args"]
    return str(arguments[arguments.index("--role") + 1])


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The ConfigMap as our own loader reads it, with all the secrets of the template."""
    file = tmp_path / "config.yaml"
    file.write_text(only("ConfigMap")["data"]["config.yaml"], encoding="utf-8")
    secrets = dict.fromkeys(only("Secret")["stringData"], "a-secret")
    return load(file, secrets | {"TELEGRAM_BOT_TOKEN": "1:token", "REDIS_URL": "redis://redis:6379/0"})


def test_every_object_has_its_kind_and_a_name_of_its_own() -> None:
    """Each under the version that has it, and none twice."""
    found = [(one["kind"], one["metadata"]["name"]) for one in manifests()]

    assert {one["kind"]: one["apiVersion"] for one in manifests()} == KINDS
    assert len(set(found)) == len(found)


def test_the_configuration_is_one_of_ours(config: Config) -> None:
    """Reached from outside its pod, called by both platforms, and without the page, which belongs to one machine."""
    assert (config.server.host, config.web.enabled) == ("0.0.0.0", False)  # noqa: S104 - a pod's own network
    assert (config.telegram.mode, config.slack.mode) == ("webhook", "http")
    assert config.telegram.webhook_url == f"https://{only('Ingress')['spec']['rules'][0]['host']}"


def test_the_template_of_the_secret_has_names_we_know_and_no_values() -> None:
    """What nobody reads would be a mistake of the operator's that nobody sees."""
    secrets = only("Secret")["stringData"]

    assert set(secrets) <= set(VARIABLES)
    assert set(secrets.values()) == {""}


@each_deployment
def test_a_pod_runs_a_role_with_the_configuration_that_is_mounted(deployment: Manifest, config: Config) -> None:
    """Role, image, file, port and secret are those that the other objects and the code have."""
    pod, runs = deployment["spec"]["template"]["spec"], container(deployment)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    mounts = {mount["name"]: mount["mountPath"] for mount in runs["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    configured = volumes["config"]["configMap"]["name"]

    assert role_of(deployment) in set(get_args(app.Role)) - {"all"}
    assert runs["args"][0] == "serve"
    assert runs["args"][-2:] == ["--config", f"{mounts['config']}/config.yaml"]
    assert runs["image"].endswith(f":{version}")
    assert mounts.keys() == volumes.keys()
    assert configured == only("ConfigMap")["metadata"]["name"]
    assert [source["secretRef"]["name"] for source in runs["envFrom"]] == [only("Secret")["metadata"]["name"]]
    assert runs["ports"] == [{"name": "http", "containerPort": config.server.port}]
    assert deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(config.server.port)


@each_deployment
def test_probes_ask_what_is_answered(deployment: Manifest) -> None:
    """Liveness never asks for readiness, which waits longer than we take to say why not; intake routes to gateways."""
    runs = container(deployment)
    paths = {
        str(getattr(route, "path", "")) for route in build(ready=ready, takes=ready, metrics=PrometheusMeter()).routes
    }
    probes = {name: runs[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    scraped = deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]

    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/acceptz" if "gateway" in deployment["metadata"]["name"] else "/readyz",
    }
    assert {probe["path"] for probe in probes.values()} | {scraped} <= paths
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert runs["readinessProbe"]["timeoutSeconds"] > 3


async def ready() -> list[str]:
    """No reason against it."""
    return []


@each_deployment
def test_a_pod_has_time_to_stop(deployment: Manifest) -> None:
    """Its grace is longer than all that a stop may take."""
    pod, runs = deployment["spec"]["template"]["spec"], container(deployment)
    before = int(runs["lifecycle"]["preStop"]["exec"]["command"][1]) if "lifecycle" in runs else 0
    ends = app.DRAIN if role_of(deployment) == "gateway" else app.DRAIN + worker.SENDS_END

    grace = timedelta(seconds=pod["terminationGracePeriodSeconds"])

    assert grace > timedelta(seconds=before) + ends + server.DRAIN


@each_deployment
def test_a_pod_may_do_no_more_than_it_must(deployment: Manifest) -> None:
    """No root, no writable file system, no privileges, no key of the cluster; and no variable that is none of ours."""
    pod, runs = deployment["spec"]["template"]["spec"], container(deployment)
    user = re.search(r"--uid (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))

    assert user is not None
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, int(user[1]))
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert runs["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert runs["resources"]["limits"].keys() == {"memory"}


def test_what_selects_pods_finds_those_of_one_deployment() -> None:
    """Service, budgets, policies and the deployments themselves; each deployment has a budget below its pods."""
    labels = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in DEPLOYMENTS}
    for one in DEPLOYMENTS:
        assert one["spec"]["selector"]["matchLabels"] == labels[one["metadata"]["name"]]
    for one in of_kind("PodDisruptionBudget"):
        assert one["spec"]["selector"]["matchLabels"] == labels[one["metadata"]["name"]]
        assert one["spec"]["minAvailable"] < 2
    for one in of_kind("NetworkPolicy"):
        assert one["spec"]["podSelector"]["matchLabels"] == labels[one["metadata"]["name"]]
    service = only("Service")

    assert service["spec"]["selector"] == labels["frontdesk-gateway"]
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    assert {one["metadata"]["name"] for one in of_kind("PodDisruptionBudget")} == labels.keys()
    assert {one["spec"]["replicas"] for one in DEPLOYMENTS} == {2}


def test_the_world_reaches_the_platforms_paths_and_nothing_else() -> None:
    """Exactly those two, at the gateways' Service."""
    (rule,) = only("Ingress")["spec"]["rules"]
    paths = {path["path"]: path["backend"]["service"] for path in rule["http"]["paths"]}
    service = only("Service")

    assert paths.keys() == {TELEGRAM_PATH, SLACK_PATH}
    assert {path["pathType"] for path in rule["http"]["paths"]} == {"Exact"}
    for backend in paths.values():
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert f'"{SLACK_PATH}"' in (ROOT / "bot" / "platforms.py").read_text(encoding="utf-8")


async def test_workers_are_scaled_by_a_figure_that_we_show() -> None:
    """The metric exists, and the target is the deployment of workers."""
    scaled = only("ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    (metric,) = re.findall(r"frontdesk_\w+", trigger["metadata"]["query"])
    shown = (await PrometheusMeter().render()).decode()

    assert f"# TYPE {metric} gauge" in shown
    assert scaled["scaleTargetRef"]["name"] in {one["metadata"]["name"] for one in DEPLOYMENTS}
    assert scaled["minReplicaCount"] == 2
