"""The bill of materials names everything that is installed, and is the same each time."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.image import ROOT

PINNED = re.compile(
    r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)((?: \\\n +--hash=sha256:\w+)+)", re.MULTILINE
)


def made(directory: Path, *, validated: bool) -> Path:
    """Run what `make sbom` runs, into another file."""
    told = subprocess.run(
        ["make", "--dry-run", "sbom"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = [one for one in told.stdout.splitlines() if "cyclonedx-py" in one]
    words = line.split()
    assert "--validate" in words
    if not validated:
        words.remove("--validate")
    file = directory / "sbom.json"
    words[words.index("--output-file") + 1] = str(file)
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return file


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sbom"), validated=True)


def test_the_bill_of_materials_names_every_pinned_requirement_with_its_hashes(sbom: Path):
    document = json.loads(sbom.read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "causeway"
    told = {
        one["purl"]: {
            each["content"]
            for reference in one["externalReferences"]
            for each in reference.get("hashes", ())
            if each["alg"] == "SHA-256"
        }
        for one in document["components"]
    }
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = {
        f"pkg:pypi/{name}@{version}": set(re.findall(r"sha256:(\w+)", hashes))
        for name, version, hashes in PINNED.findall(text)
    }
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 30
    assert told == pinned


def test_the_bill_of_materials_is_the_same_each_time(sbom: Path, tmp_path: Path):
    assert made(tmp_path, validated=False).read_bytes() == sbom.read_bytes()
