"""What tests in a browser share: Debian's Chromium, one for each file of tests."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.country import RunningCountry, running


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    """Run a country whose residents are for the browsers alone: they need many."""
    with running(tmp_path_factory.mktemp("browsed") / "demo") as started:
        yield started


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
