"""The documents say what is there: settings, addresses, reasons, commands, links, and no more."""

import ast
import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.http.problems import EXPLANATIONS
from kernel.errors import Reason
from tests.architecture.source import PACKAGES, ROOT, modules
from tests.country import STANDING, RunningCountry

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISES = {
    "P1": "no data without a trace",
    "P2": "withdrawal is final",
    "P3": "never wider than permitted",
    "P4": "sealed for the asker",
    "P5": "history cannot be rewritten",
    "P6": "closed by default",
    "P7": "the agreement decides the basis",
    "P8": "you see everything",
}
OURS = ("deploy/", "docker/", "docs/", "policies/", "tests/")


def documents() -> list[Path]:
    """Return every Markdown file that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(path for name in listed.stdout.splitlines() if (path := ROOT / name).exists())


def prose(document: Path) -> str:
    """Return a document without its code blocks."""
    return re.sub(
        r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def settings() -> set[str]:
    """Return the names that the settings' own code takes from the environment."""
    files = (ROOT / "gateway/setup").glob("settings*.py")
    return {
        f"GATEWAY_{_text(node.args[0])}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "take"
    }


def _text(name: ast.expr) -> str:
    match name:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.FormattedValue(value=ast.Name(id="SOURCE")):
            return "SOURCE_"
    return "<NAME>"


def test_every_setting_is_documented_and_no_other_is():
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(GATEWAY_[A-Z_<>]+)` \|", page, flags=re.MULTILINE)
    assert len(settings()) > 5
    assert sorted(documented) == sorted(settings())


def test_every_setting_that_a_document_or_the_compose_file_names_exists():
    named = settings()
    known = re.compile("|".join(name.replace("<NAME>", "[A-Z_<>]+") for name in named))
    for document in (*documents(), *filter(Path.is_file, (ROOT / "docker").iterdir())):
        for name in re.findall(r"GATEWAY_[A-Z][A-Z_<>]*[A-Z>]", document.read_text()):
            assert known.match(name.removesuffix("_FILE")), f"{document.name} names {name}"


def test_every_promise_is_in_the_readme_with_a_test_that_shows_it():
    lines = [line for line in README.splitlines() if line.startswith("| **P")]
    assert [line.split("**")[1] for line in lines] == [
        f"{number} {name}" for number, name in PROMISES.items()
    ]
    for line, number in zip(lines, PROMISES, strict=True):
        links = re.findall(r"\[`(test_\w+)…?`\]\(([^)]+)\)", line)
        assert links, number
        for name, target in links:
            assert name.startswith(f"test_{number.lower()}_")
            tree = ast.parse((ROOT / target).read_text(encoding="utf-8"))
            tests = [one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
            assert any(test.startswith(name) for test in tests), f"{target} has no {name}"


def test_the_readme_shows_the_commands_as_help_does():
    told = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"```text\n{told.stdout.rstrip()}\n```" in README


def test_every_command_that_the_readme_tells_to_run_exists():
    for words in re.findall(
        r"^python -m gateway ([a-z -]+?)(?: --| [a-z]+$|$)", README, re.MULTILINE
    ):
        told = CliRunner().invoke(main, [*words.split(), "--help"])
        assert told.exit_code == 0, words


def test_the_readme_tells_the_story_that_the_demo_tells():
    shown = README.partition("A family allowance for a new child")[2].partition("```")[0]
    story = (ROOT / "gateway/demo/story.py").read_text(encoding="utf-8")
    steps = re.findall(r"^\d\. (.+)$", shown, flags=re.MULTILINE)
    told = re.findall(r'self\._step\(\d, f?"([^"]+)"', story)
    for step, said in zip(steps, told, strict=True):
        assert re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(said)), step)
    assert "Every step held." in shown
    assert "Every step held." in story


def test_the_readmes_steps_are_the_pipelines():
    plan = (ROOT / "gateway/pipeline.py").read_text(encoding="utf-8")
    steps = [line for line in plan.splitlines() if re.match(r" ?\d+ \w+", line)]
    assert len(steps) == 10
    assert "\n".join(steps) in README


def test_the_readmes_resident_has_a_standing_consent(country: RunningCountry):
    consenting = {one.number for one in country.country.sources.people[1 : STANDING + 1]}
    assert set(re.findall(r"resident-number:(RN-\d+)", README)) <= consenting


def test_the_request_flow_names_every_file_of_the_product_once():
    page = (ROOT / "docs/request-flow.md").read_text(encoding="utf-8")
    named = Counter(re.findall(r"`([a-z_]+(?:/\w+)*\.py)`", page))
    files = {one.path.relative_to(ROOT).as_posix() for one in modules()}
    inits = {file for file in files if file.endswith("__init__.py")}
    assert {
        "gone": sorted(named.keys() - files),
        "not named": sorted(files - inits - named.keys()),
        "named twice": sorted(file for file, times in named.items() if times > 1),
    } == {"gone": [], "not named": [], "named twice": []}


@pytest.mark.parametrize(
    "document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_every_link_and_every_named_path_leads_somewhere(document: Path):
    text = prose(document)
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://", "#")):
            path = document.parent / unquote(target.partition("#")[0])
            assert path.exists(), f"{target} leads nowhere"
    for name in re.findall(r"`([a-z_]+/[\w./-]+)`", text):
        if name.startswith((*OURS, *(f"{package}/" for package in PACKAGES))):
            assert (ROOT / name).exists(), f"{name} is not there"


def test_every_word_of_the_glossary_is_used_where_it_says():
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| `([^`|]+)` \|$", page, flags=re.MULTILINE)
    assert len(rows) > 50
    for words, place in rows:
        source = (ROOT / place).read_text(encoding="utf-8").lower().replace("_", " ")
        used = [
            word for word in re.split(r", | and ", words.lower()) if word.split()[-1][:6] in source
        ]
        assert used, f"{place} says nothing of {words}"


def test_every_required_library_has_its_reason():
    adr = (ROOT / "docs/adr/0004-libraries.md").read_text(encoding="utf-8")
    required = re.findall(
        r"^([a-z][a-z0-9-]*)", (ROOT / "requirements.in").read_text(), re.MULTILINE
    )
    reasons = re.findall(
        r"^\| ([a-z][a-z0-9-]*) \|", adr.partition("## Left aside")[0], re.MULTILINE
    )
    assert set(required) <= set(reasons)


def test_the_image_holds_every_package_of_the_product():
    lines = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {line.split()[1].rstrip("/") for line in lines if line.startswith("COPY ")}
    assert {*PACKAGES, "policies", "wsgi.py", "requirements.txt"} <= copied


def test_the_image_installs_by_hash_and_runs_as_nobody_special():
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes" in text
    assert re.search(r"^ARG BASE_IMAGE", text, re.MULTILINE)
    *_, user = re.findall(r"^USER (\d+)", text, re.MULTILINE)
    assert int(user) > 0


def test_no_document_has_a_path_of_somebodys_machine():
    for document in documents():
        found = re.findall(r"(?<![\w.])/(?:work|tmp|home|root|Users)/", document.read_text())
        assert found == [], document.name


def test_every_reason_has_an_explanation_that_says_what_to_do():
    assert set(EXPLANATIONS) == set(Reason)
    for told in itertools.chain.from_iterable(
        (one.title, one.meaning, one.remedy) for one in EXPLANATIONS.values()
    ):
        assert told.strip()
