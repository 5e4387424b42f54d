"""Forwarded: whose request is it, where a proxy stands before the gateway?"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Address = IPv4Address | IPv6Address
MAX_NETWORKS = 64
MAX_HOPS = 16


@dataclass(frozen=True, slots=True)
class Networks:
    """Addresses, as an operator lists them."""

    members: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, value: str) -> "Networks":
        """Return the addresses and networks in a text, or raise `ValueError` with what is wrong."""
        words = value.replace(",", " ").split()
        if len(words) > MAX_NETWORKS:
            raise ValueError(f"lists at most {MAX_NETWORKS} addresses and networks")
        try:
            return cls(tuple(ip_network(word) for word in words))
        except ValueError:
            raise ValueError("lists addresses and networks, as in 10.0.0.7 10.1.0.0/16") from None

    def __contains__(self, address: Address) -> bool:
        """Say whether the address is in one of the networks."""
        return any(address in network for network in self.members)


def client_address(environ: "WSGIEnvironment", proxies: Networks) -> Address | None:
    """Return who sent a request, or None where nobody can be believed about it.

    What stands in `X-Forwarded-For` counts from the right, as far as trusted proxies wrote it. From
    anybody else the field is no address of theirs, and no address of ours either.
    """
    if "HTTP_FORWARDED" in environ:
        return None  # RFC 7239: our proxies do not write it, so that somebody else did
    address = _address(environ.get("REMOTE_ADDR", ""))
    written = environ.get("HTTP_X_FORWARDED_FOR")
    if written is None or address is None:
        return address
    hops = written.split(",")
    if len(hops) > MAX_HOPS or address not in proxies:
        return None
    while address in proxies and hops:
        if (address := _address(hops.pop())) is None:
            return None
    return address


def _address(hop: str) -> Address | None:
    try:
        address = ip_address(hop.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@dataclass(frozen=True, slots=True)
class Operators:
    """Who may read the gateway's figures: this machine, and the networks of the settings."""

    proxies: Networks = Networks()
    networks: Networks = Networks()

    def include(self, environ: "WSGIEnvironment") -> bool:
        """Say whether a request is an operator's."""
        address = client_address(environ, self.proxies)
        return address is not None and (address.is_loopback or address in self.networks)
