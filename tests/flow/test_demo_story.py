"""The demo's story: by itself with `--exit`, and with a person's own clicks on Amina's pages."""

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.demo.browser import Browser, Page
from gateway.demo.country import ROOT
from tests.ports import free_port

WITHIN = 600.0
HER_PAGE = re.compile(r"Her page: (http://127\.0\.0\.1:\d+/requests/rq_[a-z2-7]{26})")
NUMBER = re.compile(r"you are .+, (RN-\d{7})\.")


def command(state: Path, *options: str) -> list[str]:
    port = str(free_port())
    return [
        *(sys.executable, "-m", "gateway", "demo", "--state", str(state), "--port", port),
        *options,
    ]


class Terminal:
    """The demo before somebody at a keyboard."""

    def __init__(self, process: subprocess.Popen, keyboard: int) -> None:
        self.process = process
        self.keyboard = keyboard
        self.said = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, wanted: re.Pattern[str]) -> re.Match[str]:
        """Return the first match in what the demo says, once it has said it."""
        until = time.monotonic() + WITHIN
        while (found := wanted.search(self.said)) is None:
            assert time.monotonic() < until, self.said
            assert self.process.poll() is None, self.said
            if select.select([self.keyboard], [], [], 0.5)[0]:
                self.said += self._read().replace("\r\n", "\n")
        return found

    def _read(self) -> str:
        return self._decoder.decode(os.read(self.keyboard, 65536))  # a letter may come in halves

    def press_enter(self) -> None:
        os.write(self.keyboard, b"\n")


@contextmanager
def terminal(state: Path) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command(state), cwd=ROOT, stdin=theirs, stdout=theirs)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        os.close(ours)


def signed_in(page: Page, browser: Browser, number: str) -> Page:
    if "/authorize" not in page.url:
        return page
    return browser.press(page, page.form("answer"), ("person", number), ("answer", "yes"))


def test_by_itself_every_step_holds_and_the_command_ends_with_zero(tmp_path: Path) -> None:
    state = tmp_path / "demo"
    told = subprocess.run(
        command(state, "--exit"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert re.findall(r"^(\d)\. ", told.stdout, re.MULTILINE) == list("123456")
    for promise in range(1, 9):
        assert f"P{promise} " in told.stdout
    travelled, held = re.findall(r"(\d+) of (\d+) facts travelled", told.stdout)[0]
    given, asked = re.findall(r"(\d+) of the (\d+) facts asked for", told.stdout)[0]
    assert int(travelled) == int(given) == int(asked) - 1 < int(held)
    assert re.search(
        r"Stopped at \d\d:\d\d:\d\d UTC; before that it was used 4 times\.", told.stdout
    )
    assert "Every step held." in told.stdout
    document = json.loads((state / "demo.json").read_text())
    assert document["signin"].startswith("http://127.0.0.1:")
    assert set(document["processes"]) == {"gateway", "signin", "tax"}
    assert all(one["signin"] == one["value"] for one in document["residents"])


def test_it_waits_for_your_click_and_goes_on_when_you_press_enter(tmp_path: Path) -> None:
    with terminal(tmp_path / "demo") as demo:
        url = demo.read_until(HER_PAGE)[1]
        number = demo.read_until(NUMBER)[1]
        browser = Browser()
        page = signed_in(browser.open(url), browser, number)
        assert page.url == url
        check = browser.press(page, page.form("answer", action=page.path), ("answer", "yes"))
        again = signed_in(browser.press(check, check.form(action=check.path)), browser, number)
        assert again.url == check.url  # a yes wants a stronger sign-in, and leads back here
        done = browser.press(again, again.form(action=again.path))
        assert done.path.endswith("/answered")
        given, asked = demo.read_until(re.compile(r"(\d+) of the (\d+) facts asked for")).groups()
        assert given == asked
        demo.read_until(re.compile(r"5\. She stops it.+press Enter", re.DOTALL))
        assert "Stopped at" not in demo.said
        demo.press_enter()
        demo.read_until(re.compile(r"Every step held\.(.|\n)+Ctrl-C ends it"))
        assert "it was used 4 times" in demo.said
    assert demo.process.returncode == 0


def test_when_you_say_no_nothing_travels_and_the_story_says_so(tmp_path: Path) -> None:
    with terminal(tmp_path / "demo") as demo:
        url = demo.read_until(HER_PAGE)[1]
        number = demo.read_until(NUMBER)[1]
        browser = Browser()
        page = signed_in(browser.open(url), browser, number)
        browser.press(page, page.form("answer", action=page.path), ("answer", "no"))
        demo.read_until(re.compile(r"Every step held\."))
        assert "You said no: nothing travels" in demo.said
        assert "3. " not in demo.said
