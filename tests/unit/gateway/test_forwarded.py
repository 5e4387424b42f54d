"""A forwarded address counts as far as trusted proxies wrote it, and from nobody else."""

import pytest

from gateway.setup.forwarded import MAX_HOPS, MAX_NETWORKS, Networks, Operators, client_address
from gateway.setup.settings import BadSettings, Settings

PROXIES = Networks.parse("10.0.0.7, 10.1.0.0/16 2001:db8::/32")


def environ(peer: str, forwarded: str | None = None, **more: str) -> dict:
    said = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return {"REMOTE_ADDR": peer, **said, **more}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("10.0.0.7", None, "10.0.0.7"),
        ("10.0.0.7", "192.0.2.9", "192.0.2.9"),
        ("::ffff:10.0.0.7", "192.0.2.9", "192.0.2.9"),
        ("10.0.0.7", "127.0.0.1, 192.0.2.9", "192.0.2.9"),
        ("10.0.0.7", "127.0.0.1,192.0.2.9 , 10.1.2.3,2001:db8::1", "192.0.2.9"),
        ("10.0.0.7", "10.1.2.3", "10.1.2.3"),
        ("10.0.0.7", "", None),
        ("10.0.0.7", "unknown", None),
        ("10.0.0.7", "192.0.2.9:4711", None),
        ("10.0.0.7", ",192.0.2.9,", None),
        ("10.0.0.7", ",".join(["10.1.2.3"] * (MAX_HOPS + 1)), None),
        ("10.0.0.8", "192.0.2.9", None),
        ("127.0.0.1", "127.0.0.1", None),
        ("", None, None),
        ("unix", "192.0.2.9", None),
    ],
)
def test_the_client_is_the_nearest_that_no_trusted_proxy_vouches_for(
    peer: str, forwarded: str | None, client: str | None
):
    address = client_address(environ(peer, forwarded), PROXIES)
    assert (None if address is None else str(address)) == client


def test_a_field_that_no_proxy_of_ours_writes_makes_the_sender_nobody():
    said = environ("10.0.0.7", "192.0.2.9", HTTP_FORWARDED="for=192.0.2.9")
    assert client_address(said, PROXIES) is None


def test_operators_are_this_machine_and_the_networks_of_the_settings():
    settings = Settings.parse(
        {"GATEWAY_TRUSTED_PROXIES": "10.0.0.7", "GATEWAY_METRICS_FROM": "10.9.0.0/24"}
    )
    operators = Operators(settings.trusted_proxies, settings.metrics_from)
    assert operators.include(environ("127.0.0.1"))
    assert operators.include(environ("10.9.0.4"))
    assert operators.include(environ("10.0.0.7", "10.9.0.4"))
    assert not operators.include(environ("10.0.0.7"))
    assert not operators.include(environ("10.0.0.7", "10.9.0.4, 192.0.2.9"))
    assert not operators.include(environ("192.0.2.9", "10.9.0.4"))


def test_this_machine_is_not_believed_about_others_unless_it_is_a_trusted_proxy():
    assert not Operators().include(environ("127.0.0.1", "127.0.0.1"))
    proxy = Operators(proxies=Networks.parse("127.0.0.1"))
    assert not proxy.include(environ("127.0.0.1", "192.0.2.9"))


@pytest.mark.parametrize(
    "value", ["gateway.example", "10.0.0.7/8", "10.0.0.0/33", "10.0.0.1 " * (MAX_NETWORKS + 1)]
)
@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "METRICS_FROM"])
def test_what_is_no_list_of_networks_stops_the_start(name: str, value: str):
    with pytest.raises(BadSettings, match=f"GATEWAY_{name} lists"):
        Settings.parse({f"GATEWAY_{name}": value})
