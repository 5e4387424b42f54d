"""A bundle is the policy repository as one document, addressed by its content."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from gateway.policy import bundle as bundles
from gateway.policy.bundle import BadBundle, Bundle
from tests.policies.repository import MANIFEST, POLICIES, bundle, bundle_of


def test_the_repository_is_read_without_its_tests_and_cases() -> None:
    paths = set(bundle().files)
    assert {".manifest", "exchange/decision.rego", "catalogue/scheme.yaml"} <= paths
    assert not any(path.endswith("_test.rego") or path.startswith("cases") for path in paths)


def test_the_same_content_has_the_same_revision_and_a_change_another() -> None:
    one, same, other = bundle_of("a"), bundle_of("a"), bundle_of("b")
    assert (one.revision, one.content) == (same.revision, same.content)
    assert one.revision != other.revision
    assert len(one.revision) == 64


def test_a_stored_bundle_is_the_bundle_again() -> None:
    assert Bundle.from_bytes(bundle().content) == bundle()


def test_the_tarball_for_opa_is_the_same_each_time_and_carries_the_revision() -> None:
    packed = bundle().opa_tarball()
    assert packed == bundle().opa_tarball()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile(".manifest"))
    assert manifest == {"revision": bundle().revision, "roots": ["exchange"], "rego_version": 1}
    assert all(name == ".manifest" or name.endswith(".rego") for name in names)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"files": []}', b'{"files": {}, "more": 1}', b'{"files": {"a.rego": 1}}',
     b'{"files": {"exchange/decision.rego": "a", "exchange/decision.rego": "b"}}'],
)  # fmt: skip
def test_stored_bytes_that_are_no_bundle_are_refused(content: bytes) -> None:
    with pytest.raises(BadBundle):
        Bundle.from_bytes(content)


def test_stored_bytes_in_another_form_are_refused() -> None:
    with pytest.raises(BadBundle, match="canonical"):
        Bundle.from_bytes(bundle().content + b" ")


@pytest.mark.parametrize(
    "path",
    ["../x.rego", "/exchange/x.rego", "exchange/../x.rego", "exchange//x.rego", "./exchange/x.rego",
     "exchange\\x.rego", "exchange/x_test.rego", "other/x.rego", "exchange/x.json", "x.rego",
     "exchange/é.rego", "exchange/\n.rego", "catalogue/x.rego", "exchange/x.rego/"],
)  # fmt: skip
def test_a_path_that_policies_do_not_have_is_refused(path: str) -> None:
    with pytest.raises(BadBundle, match="path"):
        bundle_of("package exchange\n", **{path: ""})


@pytest.mark.parametrize(
    "manifest",
    ["", "{", "{}", '{"roots": [""]}', MANIFEST.replace("exchange", "other"),
     MANIFEST.replace('"revision": ""', '"revision": "1"'), MANIFEST.replace("1}", "0}")],
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_refused(manifest: str) -> None:
    with pytest.raises(BadBundle, match="manifest"):
        Bundle.from_files({".manifest": manifest, "exchange/decision.rego": ""})


def test_policies_without_a_decision_are_refused() -> None:
    with pytest.raises(BadBundle, match=r"decision\.rego is missing"):
        Bundle.from_files({".manifest": MANIFEST})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "exchange").mkdir()
    (tmp_path / ".manifest").write_text(MANIFEST)
    (tmp_path / "exchange/decision.rego").write_text("package exchange\n")
    return tmp_path


def test_other_files_beside_the_policies_are_left_alone(directory: Path) -> None:
    before = Bundle.from_directory(directory).revision
    (directory / "README.md").write_text("words")
    (directory / "exchange/notes.txt").write_bytes(b"\xff")
    assert Bundle.from_directory(directory).revision == before


def test_links_are_refused(directory: Path) -> None:
    (directory / "exchange/more").symlink_to("/etc")
    with pytest.raises(BadBundle, match="exchange/more is a link"):
        Bundle.from_directory(directory)
    (directory / "exchange/more").unlink()
    (directory / "exchange/a.rego").symlink_to("decision.rego")
    with pytest.raises(BadBundle, match=r"exchange/a\.rego is a link"):
        Bundle.from_directory(directory)


def test_what_is_not_a_plain_text_file_is_refused(directory: Path) -> None:
    (directory / "exchange/a.rego").write_bytes(b"\xff")
    with pytest.raises(BadBundle, match=r"exchange/a\.rego is not UTF-8"):
        Bundle.from_directory(directory)
    (directory / "exchange/a.rego").unlink()
    os.mkfifo(directory / "exchange/b.rego")
    with pytest.raises(BadBundle, match="is not a plain file"):
        Bundle.from_directory(directory)


def test_a_file_that_is_too_large_is_refused(directory: Path) -> None:
    (directory / "exchange/a.rego").write_bytes(b"#" * (bundles.MAX_FILE + 1))
    with pytest.raises(BadBundle, match=r"exchange/a\.rego is larger"):
        Bundle.from_directory(directory)
    with pytest.raises(BadBundle, match="larger"):
        bundle_of("#" * (bundles.MAX_FILE + 1))


def test_too_many_files_or_characters_are_refused(directory: Path) -> None:
    for number in range(bundles.MAX_FILES + 1):
        (directory / f"exchange/{number}.rego").write_text("")
    with pytest.raises(BadBundle, match="more than"):
        Bundle.from_directory(directory)
    large = {f"exchange/{n}.rego": "#" * bundles.MAX_FILE for n in range(17)}
    with pytest.raises(BadBundle, match="more than"):
        bundle_of("", **large)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="is not a directory"):
        Bundle.from_directory(tmp_path / "no")


def test_the_repository_itself_is_a_bundle() -> None:
    assert Bundle.from_directory(POLICIES).rules
