"""Writing: the rows of a batch, table by table, and the head that they lead to."""

from audit import store
from audit.batch import Batch
from audit.model import Head
from kernel.database_model import Sequencer


def write(connection: Sequencer, batch: Batch) -> Head:
    """Write what a batch holds, within the transaction that is open, and return its head."""
    head = batch.after()
    for table, rows in batch.changed.items():
        store.write(connection, table, list(rows.values()), replace=True)
    store.write(connection, "ledger_leaf", batch.leaves, replace=False)
    store.write(connection, "ledger_body", batch.bodies, replace=False)
    store.write(connection, "ledger_tile", batch.tiles(), replace=False)
    restrictions = [(restriction.index,) for restriction in batch.restrictions]
    store.write(connection, "ledger_restriction", restrictions, replace=False)
    store.write_head(connection, head, batch.head.size)
    return head
