"""Peers: to which resolved addresses a source's host may lead (no server-side request forgery)."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_METADATA = frozenset(
    ip_address(text)
    # Where clouds answer with the machine's own credentials: AWS (IPv6), Alibaba, Azure.
    for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
)


@dataclass(frozen=True, slots=True)
class Peers:
    """Loopback only when the configured host is loopback; else anything but traps, or the
    networks that were named."""

    loopback: bool
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, host: str, allow: tuple[str, ...]) -> "Peers":
        """Return the rule for a configured host; raises `ValueError` for a bad network."""
        return cls(is_loopback(host), tuple(ip_network(text) for text in allow))

    def admit(self, text: str) -> bool:
        """Return whether a connection to this resolved address may be opened."""
        address = _plain(ip_address(text.partition("%")[0]))
        if self.loopback or address.is_loopback:
            return self.loopback and address.is_loopback
        if address in _METADATA or address.is_link_local or address.is_multicast:
            return False
        if address.is_unspecified or address.is_reserved:
            return False
        return not self.networks or any(address in network for network in self.networks)


def is_loopback(host: str) -> bool:
    """Return whether a host, as it was configured, is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 form of it leads to (mapped, 6to4, NAT64)."""
    if isinstance(address, IPv4Address):
        return address
    if address in IPv6Network("64:ff9b::/96"):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
