"""Collector: spans go to an address that keeps what they say to itself, or nowhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.observing import tracing
from gateway.setup.collector import collector, share
from gateway.setup.given import BadSettings

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("", None),
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://spans.gov/", "https://spans.gov/v1/traces"),
        ("https://spans.gov/intake/v1/traces", "https://spans.gov/intake/v1/traces"),
    ],
)
def test_an_address_without_a_path_gets_the_one_of_the_protocol(given, taken):
    assert collector(given) == taken


@pytest.mark.parametrize(
    "given",
    [
        "http://spans.gov:4318",
        "spans.gov",
        "ftp://spans.gov",
        "https://user:secret@spans.gov",
        "https://spans.gov/?key=secret",
        "https://[::1",
        "https://spans.gov:port",
    ],
)
def test_an_address_that_others_could_read_along_or_nobody_understands_is_none(given):
    with pytest.raises(ValueError, match=r"^is "):
        collector(given)


@pytest.mark.parametrize("given", ["", "-0.1", "1.1", "nan", "inf", "half"])
def test_a_share_is_between_nothing_and_all(given):
    with pytest.raises(ValueError, match="from 0 to 1"):
        share(given)
    assert (share("0"), share("0.05"), share("1")) == (0.0, 0.05, 1.0)


def test_without_the_packages_the_start_says_what_to_install(monkeypatch):
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)
    with pytest.raises(BadSettings, match="pip install --require-hashes -r tracing-requirements"):
        tracing.check("https://spans.gov/v1/traces")
    tracing.check(None)


def test_where_no_collector_is_set_nothing_of_opentelemetry_is_loaded():
    # redis-py loads a part of it by itself, where it is installed.
    ours = "{'gateway.observing.spans', 'opentelemetry.exporter', 'opentelemetry.proto'}"
    loaded = (
        f"import gateway.app, gateway.serving.main, sys; print(bool({ours} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "False\n"
