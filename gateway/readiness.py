"""Readiness: what keeps the gateway from serving, and whom it does not ask for a while."""

from collections.abc import Callable

from gateway.load.circuit import State
from gateway.load.gates import Gates
from gateway.policy.waiting import WaitingEngine
from gateway.rooms import Rooms
from kernel.database import StorageError
from kernel.errors import Refusal
from kernel.names import Revision

STAYS_BEHIND = (
    "policies: the engine has others than those in force; if that lasts, OPA does not reach "
    "/policies/bundle here, or does not take our signature"
)


def unasked(gates: Gates) -> dict[str, str]:
    """Name the sources that are left alone for a while, and the state of their circuit."""
    return {
        name: state.value for name, state in gates.states().items() if state is not State.CLOSED
    }


def unready(
    rooms: Rooms, state: Callable[[], str | None], leaving: Callable[[], bool] = lambda: False
) -> list[str]:
    """Name what keeps the gateway from serving, the part first; `state` does for the short-lived
    state, and `leaving` says whether this worker is being stopped."""
    missing, in_force = [], None
    if rooms.ledger.fault is not None:
        missing.append(f"ledger: {rooms.ledger.fault}")
    try:
        in_force = rooms.control.now().revision
    except StorageError:
        missing.append("database: it cannot be read")
    except Refusal as refusal:
        missing.append(f"policies: {refusal.detail}")
    missing += unready_policies(rooms.engine, in_force)
    if (lost := state()) is not None:
        missing.append(f"state: {lost}")
    if leaving():
        missing.append("stopping: no new requests")
    return missing


def unready_policies(engine: WaitingEngine, in_force: Revision | None) -> list[str]:
    """Name what keeps the engine from deciding under the policies in force."""
    if not engine.healthy():
        return ["policies: the engine does not answer, or has loaded none"]
    if in_force is not None and not engine.ready(in_force):
        return [STAYS_BEHIND]
    return []
