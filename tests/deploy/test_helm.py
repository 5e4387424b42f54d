"""The chart: by helm's own rules, strict in what it takes, restricted in what it makes."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from crypto import rotation
from crypto.keys import KeyRing
from gateway.http.bundles import ACTIVE
from gateway.setup.settings import Settings
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from tests.deploy.image import ROOT, instructions
from tests.deploy.names import is_setting

CHART = ROOT / "deploy/helm/causeway"
VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "causeway" / "bin"
KUBERNETES = "1.31.0"
VOLUMES = {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim", "csi"}
"""Kinds of volumes that the restricted standard allows, as far as a chart of ours may use them."""
RUNTIME = {"database_url", "guard_url", "redis_url", "key_encryption_key"}
MIGRATOR = {"migrator_url", "eraser_url"}


def helm(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CACHE / "helm", *words],
        env={"HOME": "/nowhere", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )


def rendered(values: Path, *options: str) -> list[dict]:
    """Return the manifests that the chart makes of some values."""
    told = helm(
        *("template", "causeway", CHART, "--namespace", "gov", "--values", values),
        *("--kube-version", KUBERNETES, *options),
    )
    assert told.returncode == 0, told.stderr
    return [one for one in yaml.safe_load_all(told.stdout) if one]


@pytest.fixture(scope="module", params=VALUES, ids=lambda path: path.stem)
def manifests(request: pytest.FixtureRequest) -> list[dict]:
    return rendered(request.param)


@pytest.fixture(scope="module")
def everything() -> list[dict]:
    return rendered(VALUES[0].parent / "everything.yaml")


def of_kind(manifests: list[dict], kind: str) -> list[dict]:
    return [one for one in manifests if one["kind"] == kind]


def pods(manifests: list[dict]) -> Iterator[tuple[str, dict]]:
    """Yield every pod template, under the name of what makes it."""
    for one in manifests:
        if one["kind"] in {"Deployment", "Job"}:
            yield f"{one['kind']}/{one['metadata']['name']}", one["spec"]["template"]


def containers(pod: dict) -> list[dict]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def container(manifests: list[dict], name: str) -> dict:
    (found,) = [one for _, pod in pods(manifests) for one in containers(pod) if one["name"] == name]
    return found


def settings_of(manifests: list[dict], one: dict) -> dict[str, str]:
    """Return the environment of a container."""
    told: dict[str, str] = {}
    for source in one.get("envFrom", ()):
        maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests, "ConfigMap")}
        told |= maps[source["configMapRef"]["name"]]
    return told | {each["name"]: each["value"] for each in one.get("env", ())}


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_helm_finds_no_fault(values: Path):
    told = helm("lint", "--strict", CHART, "--values", values, "--kube-version", KUBERNETES)
    assert told.returncode == 0, told.stdout
    assert "[WARNING]" not in told.stdout


def test_everything_is_made_where_it_is_asked_for(everything: list[dict]):
    kinds = sorted(one["kind"] for one in everything)
    assert kinds == sorted(
        [
            *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job"),
            *("NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Service"),
            *("ServiceAccount", "ServiceMonitor"),
        ]
    )
    least = rendered(VALUES[0].parent / "least.yaml")
    assert sorted(one["kind"] for one in least) == ["ConfigMap", "Deployment", "Service"]


def test_every_pod_meets_the_restricted_standard(manifests: list[dict]):
    for name, pod in pods(manifests):
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec["volumes"]:
            assert (volume.keys() - {"name"}) <= VOLUMES, (name, volume)
        for one in containers(pod):
            closed = one["securityContext"]
            assert closed["allowPrivilegeEscalation"] is False
            assert closed["capabilities"] == {"drop": ["ALL"]}
            assert closed["readOnlyRootFilesystem"] is True
            assert closed["runAsNonRoot"] is True
            assert closed["seccompProfile"] == {"type": "RuntimeDefault"}
            assert closed.get("runAsUser", spec["securityContext"]["runAsUser"]) > 0
            assert "privileged" not in closed
            assert not any("hostPort" in port for port in one.get("ports", ()))
            assert one["resources"]["limits"]["memory"]
            assert one["resources"]["requests"]["cpu"]


def test_the_pods_user_is_the_images(everything: list[dict]):
    dockerfile = instructions((ROOT / "docker/Dockerfile").read_text(encoding="utf-8"))
    (user,) = [one.rest for one in dockerfile if one.word == "USER"]
    for _, pod in pods(everything):
        closed = pod["spec"]["securityContext"]
        assert f"{closed['runAsUser']}:{closed['runAsGroup']}" == user


def test_selectors_find_the_gateway_and_nothing_else(manifests: list[dict]):
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(manifests)}

    def found(selector: dict) -> list[str]:
        return [name for name, held in labels.items() if selector.items() <= held.items()]

    gateway = ["Deployment/causeway"]
    (deployment,) = of_kind(manifests, "Deployment")
    assert found(deployment["spec"]["selector"]["matchLabels"]) == gateway
    (service,) = of_kind(manifests, "Service")
    assert found(service["spec"]["selector"]) == gateway
    for one in of_kind(manifests, "PodDisruptionBudget"):
        assert found(one["spec"]["selector"]["matchLabels"]) == gateway
    for one in of_kind(manifests, "ServiceMonitor"):
        assert (
            one["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        )
        assert {end["port"] for end in one["spec"]["endpoints"]} <= {
            port["name"] for port in service["spec"]["ports"]
        }
    governed = [
        name
        for one in of_kind(manifests, "NetworkPolicy")
        for name in found(one["spec"]["podSelector"]["matchLabels"])
    ]
    assert sorted(governed) == (sorted(labels) if governed else [])


def test_ports_and_mounts_are_there_under_the_names_that_are_used(manifests: list[dict]):
    for name, pod in pods(manifests):
        volumes = [volume["name"] for volume in pod["spec"]["volumes"]]
        assert len(volumes) == len(set(volumes))
        mounted = {mount["name"] for one in containers(pod) for mount in one["volumeMounts"]}
        assert mounted == set(volumes), name
        for one in containers(pod):
            ports = {port["name"] for port in one.get("ports", ())}
            probes = [probe for key, probe in one.items() if key.endswith("Probe")]
            assert {probe["httpGet"]["port"] for probe in probes} <= ports
    gateway = container(manifests, "gateway")
    (service,) = of_kind(manifests, "Service")
    assert service["spec"]["ports"][0]["targetPort"] == gateway["ports"][0]["name"] == "http"
    probed = {key: probe["httpGet"]["path"] for key, probe in gateway.items() if "Probe" in key}
    assert probed == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    for one in of_kind(manifests, "Ingress"):
        (rule,) = one["spec"]["rules"]
        backend = rule["http"]["paths"][0]["backend"]["service"]
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]
        assert one["spec"]["tls"][0]["hosts"] == [rule["host"]]


def test_every_variable_is_a_setting_and_every_named_file_is_mounted(manifests: list[dict]):
    for name, pod in pods(manifests):
        kinds = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for one in containers(pod):
            told = settings_of(manifests, one)
            assert not [key for key in told if not is_setting(key)], (name, one["name"])
            mounts = {mount["mountPath"]: kinds[mount["name"]] for mount in one["volumeMounts"]}
            for key, value in told.items():
                if key.endswith("_FILE") or key == "GATEWAY_POLICIES":
                    folder, _, file = value.rpartition("/")
                    held = mounts[folder].get("secret") or mounts[folder]["configMap"]
                    items = {item["path"] for item in held.get("items", ())}
                    assert file in items or folder.endswith("/sources"), (key, value)


def test_the_gateway_reads_the_settings_that_the_chart_makes(
    everything: list[dict], tmp_path: Path
):
    told = settings_of(everything, container(everything, "gateway"))
    secret = tmp_path / "secret"
    secret.write_text("sample")
    environ = {
        name: str(secret) if "SECRET_FILE" in name else value
        for name, value in told.items()
        if not name.endswith("_FILE") or "SECRET" in name
    }
    settings = Settings.parse(environ)
    assert set(settings.sources) == {"population", "tax", "land-register"}
    assert (settings.sources["tax"].timeout, settings.sources["tax"].secret) == (2.5, "sample")
    assert settings.sources["population"].secret is None
    assert len(settings.policy_keys) == 1
    assert settings.drain == 20.0
    assert len(settings.trusted_proxies.members) == 2


def test_the_migrators_credentials_are_in_the_job_alone(everything: list[dict]):
    for name, pod in pods(everything):
        secrets = {
            volume["secret"]["secretName"]: {
                item["key"] for item in volume["secret"].get("items", ())
            }
            for volume in pod["spec"]["volumes"]
            if "secret" in volume
        }
        assert secrets["causeway-runtime"] == RUNTIME
        if name.startswith("Job/"):
            assert secrets["causeway-migrator"] == MIGRATOR
            assert "causeway-keys" not in secrets
        else:
            assert "migrator" not in str(pod).lower()
    (job,) = of_kind(everything, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    needed = {volume["name"] for _, pod in pods([job]) for volume in pod["spec"]["volumes"]}
    assert "configMapRef" not in str(job), "the settings' ConfigMap comes after the hook"
    assert "serviceAccountName" not in str(job), "the account comes after the hook"
    assert needed >= {"migrator", "runtime"}


def test_no_secret_is_made_and_none_is_in_the_environment(manifests: list[dict]):
    assert not of_kind(manifests, "Secret")
    for _, pod in pods(manifests):
        for one in containers(pod):
            assert not [each for each in one.get("env", ()) if "valueFrom" in each]


def test_opa_is_beside_the_gateway_on_loopback_and_outlives_it(manifests: list[dict]):
    gateway, opa = container(manifests, "gateway"), container(manifests, "opa")
    assert opa["restartPolicy"] == "Always"
    address = settings_of(manifests, gateway)["GATEWAY_OPA_URL"].removeprefix("http://")
    assert f"--addr={address}" in opa["args"]
    assert address.startswith("127.0.0.1:")
    assert f"--config-file=/opa/opa-{ACTIVE}.json" in opa["args"]
    assert {mount["name"] for mount in opa["volumeMounts"]} == {"opa", "opa-tmp"}
    written = container(manifests, "opa-config")
    assert written["args"] == ["policy", "opa", "/opa"]
    (deployment,) = of_kind(manifests, "Deployment")
    names = [one["name"] for one in containers(deployment["spec"]["template"])]
    assert names == ["keys-place", "keys", "opa-config", "opa", "gateway"]


def test_a_pod_has_the_time_that_a_graceful_stop_takes(manifests: list[dict]):
    (deployment,) = of_kind(manifests, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    drain = float(settings_of(manifests, container(manifests, "gateway"))["GATEWAY_DRAIN"])
    assert spec["terminationGracePeriodSeconds"] >= drain + 60 + 15


def test_the_gateways_keys_are_copied_as_the_gateway_wants_them(
    everything: list[dict], tmp_path: Path
):
    given, there = tmp_path / "secret", tmp_path / "keys"
    ring = KeyRing.open(given, SystemChance(), SystemClock())
    rotation.make_next(ring, "token", None, SystemChance(), SystemClock().now())
    for file in given.glob("*.json"):  # as a mounted Secret has them
        file.chmod(0o440)
    there.mkdir(mode=0o700)
    command = [
        word.replace("/run/secrets/keys", str(given)).replace("/var/lib/causeway/keys", str(there))
        for word in container(everything, "keys")["command"]
    ]
    subprocess.run(command, check=True)
    assert {path.name for path in there.iterdir()} == {path.name for path in given.glob("*.json")}
    found = KeyRing.open(there, SystemChance(), SystemClock())
    assert found.token_jwks() != ring.token_jwks()
    assert found.token.kid == ring.token.kid


def test_the_network_lets_through_what_is_named_and_nothing_else(everything: list[dict]):
    policies = {
        one["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]: one["spec"]
        for one in of_kind(everything, "NetworkPolicy")
    }
    for spec in policies.values():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        for rule in spec["egress"]:
            assert all(peer for peer in rule["to"])
            assert rule["to"]
            assert rule["ports"]
    ports = {
        name: [port["port"] for rule in spec["egress"] for port in rule["ports"]]
        for name, spec in policies.items()
    }
    assert ports == {
        "gateway": [53, 53, 5432, 5433, 6379, 443, 443],
        "migrate": [53, 53, 5432, 5433],
    }
    assert policies["migrate"]["ingress"] == []
    (way,) = policies["gateway"]["ingress"]
    assert len(way["from"]) == 2
    assert [port["port"] for port in way["ports"]] == ["http"]


def test_nobody_named_means_nobody_let_in():
    smallest = rendered(VALUES[0].parent / "smallest.yaml")
    for one in of_kind(smallest, "NetworkPolicy"):
        assert one["spec"]["ingress"] == []
        assert [port["port"] for rule in one["spec"]["egress"] for port in rule["ports"]] == [
            53,
            53,
        ]


def test_images_are_taken_by_digest_where_there_is_one(everything: list[dict]):
    digest = r"@sha256:[0-9a-f]{64}$"
    for _, pod in pods(everything):
        for one in containers(pod):
            assert re.search(digest, one["image"]), one["name"]
    smallest = rendered(VALUES[0].parent / "smallest.yaml")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert container(smallest, "gateway")["image"] == f"causeway:{chart['appVersion']}"


@pytest.mark.parametrize(
    "given",
    [
        "publicUrl=http://gateway.example",
        "publicUrl=https://gateway.example/path",
        "replica=3",
        "settings.GATEWAY_DATABASE_URL=postgresql://x",
        "settings.GATEWAY_KEY_ENCRYPTION_KEY=x",
        "settings.GATEWAY_MODE=demo",
        "settings.OTHER=x",
        "existingSecrets.runtime=",
        "policies.publicKeys=none",
        "image.digest=sha256:12",
        "sources.tax.secret=true,sources.tax.url=https://tax.example",
        "ingress.enabled=true",
        "trustedProxies={proxy.example}",
        "networkPolicy.dns=",
        "stopSeconds=5",
    ],
)
def test_values_that_are_wrong_make_nothing(given: str):
    told = helm(
        *("template", "causeway", CHART, "--values", VALUES[0].parent / "smallest.yaml"),
        *("--kube-version", KUBERNETES, "--set", given),
    )
    assert told.returncode != 0
    assert told.stdout == ""
