"""What tests in a browser share: Debian's Chromium, one for each file of tests."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start Chromium for the tests of one module; its event loop is nobody else's after them."""
    executable = shutil.which("chromium")
    assert executable is not None, "the tests need chromium: run tests/setup."
    # Chromium's own sandbox does not start as root, as in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()
