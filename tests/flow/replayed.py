"""Replayed: what a country's tables hold, against what its entries alone say that they must."""

from gateway.rooms import opened
from gateway.setup.settings import Settings
from tests.country import RunningCountry
from tests.faults.replay import Replay, differences
from tests.faults.replay import opened as entries


def replayed(country: RunningCountry) -> list[str]:
    """Return where the tables are not what the ledger says."""
    replay, leaves = Replay(), []
    with opened(Settings.parse(country.country.settings)) as rooms:
        connection = rooms.database.read()
        leaves = [rooms.ledger.entry(index) for index in range(rooms.ledger.size)]
        for entry in entries(connection, rooms.root, rooms.signer.name, leaves):
            replay.take(entry)
        return list(differences(connection, replay))
