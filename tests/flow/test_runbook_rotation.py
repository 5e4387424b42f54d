"""The runbook's commands for another key-encryption key work as they stand there."""

import base64
import os
from pathlib import Path

from tests import runbook

CLEAN = {name: value for name, value in os.environ.items() if "GATEWAY_" not in name}


def keys(environ: dict[str, str]) -> str:
    told = runbook.run("python -m gateway keys list", environ)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_the_keys_are_the_same_under_the_new_key_and_do_not_open_under_none(tmp_path: Path):
    new = tmp_path / "new-key"
    new.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
    environ = {**CLEAN, "GATEWAY_STATE_DIR": str(tmp_path / "state"), "NEW": str(new)}
    before = keys(environ)
    [block] = runbook.blocks("Rotate")
    told = runbook.run(block, environ)
    assert told.returncode == 0, told.stderr
    assert keys({**environ, "GATEWAY_KEY_ENCRYPTION_KEY_FILE": str(new)}) == before
    refused = runbook.run("python -m gateway keys list", environ)
    assert refused.returncode == 1
    assert "is encrypted" in refused.stderr
    clear = (tmp_path / "state" / "keys" / "disclosure.json").read_text()
    assert '"private"' not in clear
