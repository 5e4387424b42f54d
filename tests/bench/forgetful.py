"""`python -m tests.bench.forgetful`: the gateway, except that it remembers no decision."""

from functools import partial

from gateway import rooms
from gateway.cli import main
from gateway.policy.remembered import RememberingEngine

rooms.RememberingEngine = partial(RememberingEngine, most=0)

if __name__ == "__main__":
    main(prog_name="python -m gateway")
