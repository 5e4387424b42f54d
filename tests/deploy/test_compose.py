"""The compose file: by the rules of its format, closed, and with parts that start as it says."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gateway.http.bundles import ACTIVE
from gateway.policy.bundle import Bundle
from gateway.policy.signed import read_signed
from gateway.setup.settings import Settings
from kernel.clock import SystemClock
from kernel.redis_address import RedisAddress
from kernel.redis_store import RedisStore
from tests.deploy.image import ROOT
from tests.deploy.names import is_setting
from tests.ports import free_port

HERE = ROOT / "docker"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "causeway" / "bin"
ONE_SHOT = {"migrate", "prepare"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the folder, in which an operator made the secrets and the officers signed
    the policies."""
    copy = tmp_path_factory.mktemp("product") / "docker"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run([copy / "make-secrets"], check=True, capture_output=True)
    signed, key = copy / "secrets/policies.tar.gz", copy / "secrets/officers.pem"
    command = [sys.executable, "-m", "gateway", "policy", "bundle", signed]
    subprocess.run(
        [*command, ROOT / "policies", "--key", key], cwd=ROOT, check=True, capture_output=True
    )
    return copy


@pytest.fixture(scope="module")
def secrets(place: Path) -> Path:
    return place / "secrets"


def loaded(place: Path, profile: str) -> dict:
    """Return the project of a profile as the format's own reference implementation reads it."""
    told = subprocess.run(
        [CACHE / "compose-spec", "-format", "json", "compose.yaml"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    project = json.loads(told.stdout)
    project["services"] = {
        name: one for name, one in project["services"].items() if profile in one["profiles"]
    }
    return project


@pytest.fixture(scope="module")
def production(place: Path) -> dict:
    return loaded(place, "production")


@pytest.fixture(scope="module")
def demo(place: Path) -> dict:
    return loaded(place, "demo")


def every(*projects: dict) -> Iterator[tuple[str, dict]]:
    for project in projects:
        yield from project["services"].items()


def test_the_two_profiles_are_a_demo_and_a_deployment(demo: dict, production: dict):
    assert set(demo["services"]) == {"demo"}
    assert set(production["services"]) == {
        *("proxy", "gateway-a", "gateway-b", "opa-a", "opa-b", "migrate", "prepare"),
        *("database", "guard", "redis"),
    }


def test_every_service_is_closed_and_bounded(demo: dict, production: dict):
    for name, one in every(demo, production):
        assert one["read_only"], name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert not one.get("privileged"), name
        assert {"cpus", "memory", "pids"} <= one["deploy"]["resources"]["limits"].keys(), name
        if one["image"] != "causeway":  # whose own user is a number
            assert int(one["user"].partition(":")[0]) > 0, name


def test_every_image_is_pinned_or_built_here_and_may_be_given_by_digest(
    production: dict, place: Path
):
    text = (HERE / "compose.yaml").read_text(encoding="utf-8")
    for name, one in every(production):
        if "build" in one:
            assert one["build"]["context"] == str(place.parent)
            assert (place.parent / one["build"]["dockerfile"]).is_file()
            continue
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", one["image"]), name
        assert re.search(r"\$\{[A-Z]+_IMAGE:-" + re.escape(one["image"]), text), name


def test_every_file_that_is_mounted_is_there(production: dict):
    for name, one in every(production):
        for volume in one.get("volumes", ()):
            if volume["type"] == "bind":
                assert Path(volume["source"]).is_file(), (name, volume)
                assert volume["read_only"], (name, volume)
        for file in one.get("env_file", ()):
            assert Path(file["path"]).is_file()
    for name, secret in production["secrets"].items():
        assert Path(secret["file"]).stat().st_size > 0, name


def test_secrets_are_files_in_a_directory_for_their_owner_alone(secrets: Path):
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert (secrets / "officers.pem").stat().st_mode & 0o777 == 0o400
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    subprocess.run([HERE / "make-secrets", secrets], check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_each_service_sees_the_secrets_that_it_names_and_no_other(production: dict):
    for name, one in every(production):
        mounted = {secret["source"] for secret in one.get("secrets", ())}
        text = json.dumps(one.get("environment", {})) + json.dumps(one.get("volumes", ()))
        named = set(re.findall(r"/run/secrets/(\w+)", text))
        for volume in one.get("volumes", ()):
            if volume["type"] == "bind":
                named |= set(re.findall(r"/run/secrets/(\w+)", Path(volume["source"]).read_text()))
        assert mounted == named, name
        holds = {"migrator_url", "eraser_url", "migrator_password", "superuser_password"} & mounted
        assert not holds or name in {"migrate", "database", "guard"}
        for variable, value in one.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|_KEY|_URL", variable) and "OPA" not in variable:
                public = variable.endswith("_FILE") or str(value).startswith("https://")
                assert public, f"{name}: {variable} is in the environment"


def test_every_setting_is_a_setting_and_the_gateways_read_them(production: dict, secrets: Path):
    for name, one in every(production):
        told = one.get("environment", {})
        assert all(map(is_setting, (key for key in told if key.startswith("GATEWAY_")))), name
    environ = {
        name: value.replace("/run/secrets/policies", f"{secrets}/policies.tar.gz").replace(
            "/run/secrets", str(secrets)
        )
        for name, value in settings_of(production["services"]["gateway-a"]).items()
        if "GUARD" not in name and "DATABASE" not in name
    }
    settings = Settings.parse(environ)
    signed = read_signed(settings.policies, settings.policy_keys)
    assert signed.revision == Bundle.from_directory(ROOT / "policies").revision
    assert settings.mode.value == "production"


def settings_of(service: dict) -> dict[str, str]:
    """Return a service's settings, those of its files too."""
    told = {}
    for file in service["env_file"]:
        lines = Path(file["path"]).read_text(encoding="utf-8").splitlines()
        told |= dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    return told | service["environment"]


def test_only_the_proxy_is_reached_from_outside(production: dict):
    services, networks = production["services"], production["networks"]
    assert [name for name, one in services.items() if one.get("ports")] == ["proxy"]
    assert {name for name, one in services.items() if "outside" in (one.get("networks") or ())} == {
        "proxy"
    }
    assert networks["front"]["internal"]
    assert networks["back"]["internal"]
    assert set(services["proxy"]["networks"]) == {"outside", "front"}
    for name in ("database", "guard", "redis", *ONE_SHOT):
        assert set(services[name]["networks"]) == {"back"}, name
    (subnet,) = networks["front"]["ipam"]["config"]
    trusted = services["gateway-a"]["environment"]["GATEWAY_TRUSTED_PROXIES"]
    assert subnet["subnet"] == trusted


def test_each_gateway_has_an_opa_of_its_own_on_loopback(production: dict):
    for letter in "ab":
        gateway, opa = (production["services"][f"{part}-{letter}"] for part in ("gateway", "opa"))
        assert opa["network_mode"] == f"service:gateway-{letter}"
        address = gateway["environment"]["GATEWAY_OPA_URL"].removeprefix("http://")
        assert f"--addr={address}" in opa["command"]
        assert f"--config-file=/opa/opa-{ACTIVE}.json" in opa["command"]
        conf = (HERE / "nginx.conf").read_text(encoding="utf-8")
        assert f"server gateway-{letter}:8080 " in conf


def test_the_gateways_wait_for_the_schema_and_the_keys(production: dict):
    services = production["services"]
    done = "service_completed_successfully"
    assert services["prepare"]["depends_on"]["migrate"]["condition"] == done
    for name in ("gateway-a", "gateway-b"):
        assert services[name]["depends_on"]["prepare"]["condition"] == done
        assert services["proxy"]["depends_on"][name]["condition"] == "service_healthy"
    for name in ONE_SHOT:
        assert services[name]["restart"] == "no"
    assert services["migrate"]["command"] == ["migrate"]


@pytest.fixture
def redis_port(secrets: Path, tmp_path: Path) -> Iterator[int]:
    """Run a redis-server with the product's own configuration."""
    conf, port = tmp_path / "redis.conf", free_port()
    text = (HERE / "redis.conf").read_text(encoding="utf-8")
    conf.write_text(text.replace("/run/secrets", str(secrets)))
    here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        command = ["redis-server", str(conf), *here]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.kill()
        process.wait(60)


def test_the_gateway_finds_no_fault_with_redis_as_it_is_set_up(redis_port: int, secrets: Path):
    url = (
        (secrets / "redis_url").read_text().strip().replace("redis:6379", f"127.0.0.1:{redis_port}")
    )
    store = RedisStore(RedisAddress.parse(url), SystemClock())
    until = time.monotonic() + 60
    while (fault := store.fault()) is not None and time.monotonic() < until:
        time.sleep(0.05)
    store.close()
    assert fault is None
    with redis.Redis(port=redis_port) as anybody, pytest.raises(redis.AuthenticationError):
        anybody.ping()
    with redis.Redis(port=redis_port, username="health", password="none") as health:
        assert health.ping()
        with pytest.raises(redis.ResponseError, match="no permissions"):
            health.get("causeway:memory")
    asked = redis.Redis.from_url(url)
    with asked, pytest.raises(redis.ResponseError, match="no permissions"):
        asked.get("others")
