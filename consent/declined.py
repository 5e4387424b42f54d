"""Declined: what the consent rules say no to, and what another act overtook."""

from kernel.errors import Reason, Refusal


class Declined(Refusal):
    """The consent rules say no to an act; the text says why in plain words."""

    def __init__(self, why: str) -> None:
        """Keep the words for the person."""
        super().__init__(Reason.POLICY_DENIED, why)


class Overtaken(Declined):
    """Another answer came in between: the person spoke about a record that is no longer so."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("Another answer came first.")


class Stale(Refusal):
    """The record changed between reading and writing; reading again settles it."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Reason.LEDGER_UNAVAILABLE, "The consent changed a moment ago.")
