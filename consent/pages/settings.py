"""Settings: the language, and the lock that stops everything about a person."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from consent.model import Declined
from consent.offer import Level
from consent.pages.form import malformed
from consent.pages.frame import Visit
from consent.pages.matter import means
from consent.store import ConsentStore

LOCK_PAGE = "/settings/lock"


@dataclass(frozen=True, slots=True)
class SettingsPages:
    """What a person can set."""

    store: ConsentStore

    def settings_page(self, visit: Visit) -> Response:
        """GET /settings: language, and whether the data is locked."""
        return visit.page("settings.html", blocks=self.store.blocks(visit.person.ref))

    def lock_page(self, visit: Visit) -> Response:
        """GET /settings/lock: what locking means, or unlocking."""
        return visit.page("lock.html", locked="self" in self.store.blocks(visit.person.ref))

    def lock(self, visit: Visit) -> Response:
        """POST /settings/lock: lock at once; unlocking is giving, and wants its sign-in."""
        act = visit.form.take("act").one("act")
        if act not in {"lock", "unlock"}:
            raise malformed("The form holds nothing that the page offers.")
        if act == "unlock" and not visit.allows(Level.SUBSTANTIAL):
            return visit.sign_in(Level.SUBSTANTIAL, LOCK_PAGE)
        change = self.store.lock if act == "lock" else self.store.unlock
        try:
            change(visit.person, means(visit))
        except Declined:  # done already, a moment ago
            return visit.go("/settings")
        return visit.go("/settings")
