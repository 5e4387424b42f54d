"""Network namespaces: hosts with networks of their own on one machine, whose links can be cut."""

import ipaddress
import itertools
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

BLOCKS = ipaddress.ip_network("198.18.0.0/15")
"""Addresses for trying networks out (RFC 2544), four for each link."""
NUMBERS = itertools.count()


def ip(*arguments: str) -> None:
    """Run `ip`, or fail the test with one sentence where this machine does not allow that."""
    try:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.fail("the tests need ip: install the Debian package iproute2.", pytrace=False)
    if done.returncode:
        told = done.stderr.strip()
        pytest.fail(f"the tests need network namespaces, as root: ip said {told!r}.", pytrace=False)


@dataclass(frozen=True)
class Link:
    """A cable from this network into a namespace: the address at each of its ends."""

    device: str
    here: str
    there: str

    def cut(self) -> None:
        """Pull it out, in the middle of whatever it carries."""
        ip("link", "set", self.device, "down")

    def mend(self) -> None:
        """Put it back."""
        ip("link", "set", self.device, "up")


@dataclass(frozen=True)
class Namespace:
    """A network of its own."""

    name: str

    @property
    def around(self) -> tuple[str, ...]:
        """Return what stands before a command that runs here."""
        return ("ip", "netns", "exec", self.name)

    @contextmanager
    def linked(self) -> Iterator[Link]:
        """Lead a cable into it."""
        first = int(BLOCKS[4 * random.SystemRandom().randrange(BLOCKS.num_addresses // 4)])
        here, there = (str(ipaddress.ip_address(first + place)) for place in (1, 2))
        device = f"cw{os.getpid()}x{next(NUMBERS)}"
        ip("link", "add", device, "type", "veth", "peer", "name", "up0", "netns", self.name)
        try:
            # What another link brings up is called `up0` too: each gets a name of its own.
            ip("-n", self.name, "link", "set", "up0", "name", device)
            ip("addr", "add", f"{here}/30", "dev", device)
            ip("-n", self.name, "addr", "add", f"{there}/30", "dev", device)
            ip("-n", self.name, "link", "set", device, "up")
            ip("link", "set", device, "up")
            yield Link(device, here, there)
        finally:
            ip("link", "del", device)


@contextmanager
def namespaces(count: int) -> Iterator[list[Namespace]]:
    """Make so many namespaces, each with a loopback."""
    with ExitStack() as made:
        spaces = []
        for _ in range(count):
            space = Namespace(f"cw{os.getpid()}n{next(NUMBERS)}")
            ip("netns", "add", space.name)
            made.callback(ip, "netns", "del", space.name)
            ip("-n", space.name, "link", "set", "lo", "up")
            spaces.append(space)
        yield spaces
