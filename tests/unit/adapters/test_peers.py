"""Whom a source's host may turn out to be."""

import pytest

from adapters.peers import Peers, is_loopback

TRAPS = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
]
FINE = ["10.1.2.3", "192.168.0.9", "93.184.216.34", "2606:2800:220:1::1", "fd12:3456::1"]


@pytest.mark.parametrize("address", TRAPS)
def test_a_trap_is_never_admitted_even_where_all_networks_are(address: str) -> None:
    assert not Peers.of("tax.example.org", ()).admit(address)
    assert not Peers.of("tax.example.org", ("0.0.0.0/0", "::/0")).admit(address)


@pytest.mark.parametrize("address", FINE)
def test_an_ordinary_address_is_admitted(address: str) -> None:
    assert Peers.of("tax.example.org", ()).admit(address)
    assert Peers.of("tax.example.org", ("0.0.0.0/0", "::/0")).admit(address)


def test_named_networks_are_the_only_ones() -> None:
    peers = Peers.of("tax.example.org", ("10.1.0.0/16", "fd12:3456::/32"))
    assert peers.admit("10.1.255.255")
    assert peers.admit("::ffff:10.1.0.1")
    assert peers.admit("fd12:3456::9")
    assert not peers.admit("10.2.0.1")
    assert not peers.admit("93.184.216.34")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_source_on_this_machine_stays_on_it(host: str) -> None:
    peers = Peers.of(host, ())
    assert peers.admit("127.0.0.1")
    assert peers.admit("::1")
    assert not any(peers.admit(address) for address in [*FINE, "169.254.169.254", "0.0.0.0"])


@pytest.mark.parametrize("host", ["localhost.example.org", "0.0.0.0", "2130706433", "", "127.1"])
def test_only_plain_names_of_this_machine_count_as_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.1\.2\.3/8"):
        Peers.of("tax.example.org", ("10.1.2.3/8",))
