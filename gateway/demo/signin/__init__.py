"""Sign-in: the try-out provider, a process of its own on this machine, for demo mode alone.

It asks nobody for a proof: whoever sees its page picks a made-up resident. To the gateway it is a
provider like any other: discovery, keys, code flow, logout, through the same code path.
"""

from gateway.demo.signin.register import environment, prepare

__all__ = ["environment", "prepare"]
