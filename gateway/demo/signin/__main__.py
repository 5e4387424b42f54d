"""The try-out provider as a process: `python -m gateway.demo.signin --port 8081 --data FILE`."""

import argparse
import sys
from pathlib import Path

from crypto.keyfile import KeyRefused
from gateway.demo.signin.grants import Grants
from gateway.demo.signin.provider import Provider
from gateway.demo.signin.register import Register
from gateway.demo.signin.service import Service
from gateway.demo.signin.tokens import Assertions, Key, Tokens
from gateway.setup.settings import BadSettings, Mode, Settings
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from kernel.loopback import on_this_machine


def main(arguments: list[str]) -> int:
    """Serve until the process is ended; the first line printed names the issuer."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.signin",
        description="The demo's sign-in provider, for the gateway of the GATEWAY_ settings.",
        epilog="example: python -m gateway.demo.signin --port 8081 --data people.json",
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    chosen = parser.parse_args(arguments)
    try:
        service = Service(chosen.port, provider(chosen.port, chosen.data, _gateway()))
    except (OSError, ValueError, KeyError, KeyRefused) as error:
        sys.stderr.write(f"The try-out sign-in cannot start: {error}\n")
        return 1
    with service:
        sys.stdout.write(f"{service.provider.tokens.issuer}\n")
        sys.stdout.flush()
        service.serve_forever()
    return 0


def provider(port: int, data: Path, gateway: str) -> Provider:
    """Return the provider of a gateway, with the people in a file and its key beside them."""
    clock, chance = SystemClock(), SystemChance()
    issuer, register = f"http://127.0.0.1:{port}", Register.load(data, gateway)
    grants = Grants(clock, chance)
    key = Key.open(data.with_name("key.json"), chance, clock.now())
    assertions = Assertions(issuer, f"{gateway}/login/keys", grants, clock)
    return Provider(register, grants, Tokens(issuer, key, clock, chance), assertions)


def _gateway() -> str:
    """Return the gateway's address when it may be tried out, or raise `BadSettings`."""
    settings = Settings.from_environ()
    if settings.mode is not Mode.DEMO or not on_this_machine(settings.public_url):
        raise BadSettings(
            "it is for demo mode and for a GATEWAY_PUBLIC_URL on this machine, and for nothing else"
        )
    return settings.public_url


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
