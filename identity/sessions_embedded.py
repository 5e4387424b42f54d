"""Sessions on one machine: the port on a SQLite file of this boot, which holds no name of anybody.

A row is named by a digest of the cookie, its payload is sealed under a key that only the cookie
yields, and what finds it again is a keyed digest: whoever reads the file learns how many are
signed in.
"""

import sqlite3
from pathlib import Path

from identity.model import Realm, Session, SignedIn
from identity.sessions import AT_MOST, IDLE, PER_PERSON, Labels, Secret
from kernel.bootfile import BootFile, unavailable
from kernel.chance import Chance
from kernel.clock import SECOND, Clock

_FIND = "SELECT sealed, min(idle, ends), min(wall_idle, wall_ends) FROM session WHERE id = ?"
_END = "DELETE FROM session WHERE id = ?"
_INSERT = "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_TOUCH = "UPDATE session SET idle = ?, wall_idle = ? WHERE id = ?"
_OLDEST = """
DELETE FROM session WHERE id IN
    (SELECT id FROM session WHERE sub = ? ORDER BY ends DESC LIMIT -1 OFFSET ?)
"""


class SessionFile(BootFile):
    """The file; `idle` and `ends` count the machine's monotonic seconds, the other two the wall's:
    a session ends with the first of them, so a clock that is set back keeps nobody signed in."""

    SCHEMA = """
CREATE TABLE IF NOT EXISTS session (id BLOB PRIMARY KEY, sub BLOB NOT NULL, sid BLOB,
    sealed BLOB NOT NULL, idle REAL NOT NULL, ends REAL NOT NULL, wall_idle INTEGER NOT NULL,
    wall_ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_sub ON session (sub);
CREATE INDEX IF NOT EXISTS session_sid ON session (sid);
"""

    @classmethod
    def open(cls, directory: Path, clock: Clock, boot: str) -> "SessionFile":
        """Return the file of this boot in a directory of its own, or raise `state.unavailable`."""
        try:
            file = cls(cls.place(directory, boot), clock)
            file.start()
        except (OSError, sqlite3.Error) as error:
            raise unavailable("cannot be opened") from error
        return file

    def _begin(self) -> None:
        # What ended is gone from the file's pages too, not only from its tables.
        self._connection.execute("PRAGMA secure_delete=ON")


class EmbeddedSessions:
    """The port `identity.sessions.Sessions` for one machine."""

    def __init__(
        self, file: SessionFile, root: bytes, clock: Clock, chance: Chance, cap: int = 100_000
    ) -> None:
        """Keep the file, and the root secret under which rows are found again."""
        self._file = file
        self._labels = Labels(root)
        self._clock = clock
        self._chance = chance
        self._cap = cap

    def begin(self, who: SignedIn, old: str = "") -> str:
        """Start a session in place of the one of an old cookie, where there is one, and return
        the new cookie's value, which is kept nowhere."""
        secret, before = Secret.fresh(self._chance), Secret.of(old)
        now, wall = self._instants()
        sub = self._labels.sub(who.issuer, who.sub)
        sid = self._labels.sid(who.issuer, who.sid)
        row = (secret.id, sub, sid, secret.seal(who, self._chance), now + IDLE, now + AT_MOST)
        with self._file.held() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if before is not None:
                connection.execute(_END, (before.id,))
            self._make_room(connection, now, wall)
            connection.execute(_INSERT, (*row, wall + IDLE, wall + AT_MOST))
            connection.execute(_OLDEST, (sub, PER_PERSON))
        return secret.cookie

    def find(self, realm: Realm, cookie: str) -> Session | None:
        """Return the session of a cookie of this realm and push its idle end back, or None."""
        secret = Secret.of(cookie)
        if secret is None:
            return None
        now, wall = self._instants()
        with self._file.held() as connection:
            who = self._who(connection, realm, secret)
            if who is None:
                return None
            connection.execute(_TOUCH, (now + IDLE, wall + IDLE, secret.id))
        return Session(who, secret.csrf)

    def end(self, realm: Realm, cookie: str) -> None:
        """End the session of the cookie, where there is one."""
        secret = Secret.of(cookie)
        if secret is None:
            return
        with self._file.held() as connection:
            if self._who(connection, realm, secret) is not None:
                connection.execute(_END, (secret.id,))

    def end_all(self, issuer: str, sub: str | None, sid: str | None) -> int:
        """End what the provider's session `sid` began, or without one everything of `sub`, and
        return how many sessions that were (OIDC Back-Channel Logout §2.7)."""
        label = self._labels.sid(issuer, sid)
        statement = "DELETE FROM session WHERE sid = ?"
        if label is None:
            if sub is None:
                return 0
            label, statement = self._labels.sub(issuer, sub), "DELETE FROM session WHERE sub = ?"
        with self._file.held() as connection:
            return connection.execute(statement, (label,)).rowcount

    def _who(self, connection: sqlite3.Connection, realm: Realm, secret: Secret) -> SignedIn | None:
        """Return whose session this is; what has ended goes at once."""
        now, wall = self._instants()
        row = connection.execute(_FIND, (secret.id,)).fetchone()
        if row is None:
            return None
        sealed, ends, wall_ends = row
        if ends <= now or wall_ends <= wall:
            connection.execute(_END, (secret.id,))  # a clock that runs back must not revive it
            return None
        return secret.open(sealed, realm)

    def _make_room(self, connection: sqlite3.Connection, now: float, wall: int) -> None:
        """Delete what has ended, and refuse to grow beyond the cap."""
        connection.execute(
            "DELETE FROM session WHERE idle <= ? OR ends <= ? OR wall_idle <= ? OR wall_ends <= ?",
            (now, now, wall, wall),
        )
        (held,) = connection.execute("SELECT count(*) FROM session").fetchone()
        if held >= self._cap:
            raise unavailable(f"holds its {self._cap} sessions")

    def _instants(self) -> tuple[float, int]:
        return self._clock.monotonic(), self._clock.now() // SECOND
