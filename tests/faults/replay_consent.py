"""Replay of consent: what requests, acts, blocks and cases must have left in the tables."""

from tests.faults.replay_entry import DAY, Contradiction, Entry, Row, Tables

KEYS = {
    "consent": ("id",),
    "consent_slot": ("subject_ref", "agreement"),
    "consent_event": ("consent", "epoch"),
    "consent_receipt": ("id",),
    "consent_request": ("id",),
    "consent_asked": ("subject_ref", "agreement"),
    "consent_asking": ("agreement",),
    "notice": ("digest",),
    "block": ("subject_ref",),
    "resident_case": ("id",),
    "resident_cases": ("subject_ref",),
}
PERMITS = {"ConsentGiven", "RenewedConsentGiven"}
HOLDS = PERMITS | {"ConsentSuspended"}
WAITS = {"ConsentRequested", "ConsentRequestDeferred"}
OVER = {
    "consent.withdrawn": "ConsentWithdrawn",
    "consent.revoked": "ConsentRevoked",
    "consent.invalidated": "ConsentInvalidated",
}
BESIDE = {
    "consent.requested": "ConsentRequested",
    "consent.deferred": "ConsentRequestDeferred",
    "consent.refused": "ConsentRefused",
}
"""What leaves a consent that stands as it is, and otherwise makes this of the record."""
ANEW = {"consent.given": "ConsentGiven", "consent.renewed": "RenewedConsentGiven"}
BEFORE = {
    "consent.requested": {None, "ConsentRefused"} | WAITS | HOLDS,
    "consent.deferred": {None, "ConsentRequested"} | HOLDS,
    "consent.refused": {None} | WAITS | HOLDS,
    "consent.given": {None, "ConsentRefused"} | WAITS,
    "consent.renewed": HOLDS,
    "consent.suspended": PERMITS,
    "consent.resumed": {"ConsentSuspended"},
    "consent.narrowed": HOLDS,
    "consent.withdrawn": HOLDS,
    "consent.revoked": HOLDS,
    "consent.invalidated": HOLDS,
}


class ConsentReplay:
    """What entries about consent, blocks and cases make of their tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def take(self, entry: Entry) -> None:
        room, _, kind = entry.leaf["type"].partition(".")
        if room == "block":
            self._block(entry, lift=kind == "lifted")
        elif room == "case":
            self._case(entry) if kind == "opened" else self._answer(entry)
        else:
            self._consent(entry)

    def _consent(self, entry: Entry) -> None:
        leaf, said = entry.leaf, entry.told["request"]
        kind, name = leaf["type"], leaf["consent"]
        held = self.tables["consent"].get((name,))
        before = held["state"] if held else None
        waiting = self._waiting(entry)
        if before not in BEFORE[kind]:
            raise Contradiction(f"the consent of entry {entry.index} cannot become {kind}")
        answers = kind == "consent.deferred" or (kind == "consent.refused" and before in HOLDS)
        if answers and (waiting is None or waiting["state"] == kind.removeprefix("consent.")):
            raise Contradiction(f"nobody asked for the answer of entry {entry.index}")
        row = self._record(entry, held, waiting)
        if kind == "consent.narrowed":
            row["granted"] = self._narrowed(entry, held)
        self.tables["consent"][name,] = row
        self._slot(entry, new=held is None)
        self._event(entry, row)
        if kind == "consent.requested":
            self._request(entry, waiting)
        elif kind in {"consent.given", "consent.renewed", "consent.refused"}:
            self._answered(entry, waiting)
        elif kind == "consent.deferred":
            waiting["state"] = "deferred"
        if "notice" in said:
            self.tables["notice"].setdefault(
                (said["notice"]["digest"],), {"language": said["notice"]["language"]}
            )

    def _record(self, entry: Entry, held: Row | None, waiting: Row | None) -> Row:
        """Return the record after the entry."""
        leaf, said = entry.leaf, entry.told["request"]
        kind, before = leaf["type"], held["state"] if held else None
        row = dict(held or {"term": 0, "epoch": 0, "since": entry.at, "notice": None})
        row["epoch"] += 1
        row.setdefault("language", None)
        if kind in BESIDE and before in HOLDS:
            return row
        seen = said.get("notice", {"digest": None, "language": None})
        if "notice" in said or kind in ANEW:
            row |= {"notice": seen["digest"], "language": seen["language"]}
        later = {"consent.suspended": "ConsentSuspended", "consent.resumed": "ConsentGiven"}
        row["state"] = (later | OVER | BESIDE | ANEW).get(kind, before)
        if kind not in BESIDE and kind not in ANEW:
            return row
        given = said if kind in ANEW else {}
        until = entry.at + (given.get("valid_days", 0) + said.get("open_days", 0)) * DAY
        return row | {
            "subject_ref": entry.person,
            "agreement": leaf["agreement"],
            "revision": leaf["agreement_revision"],
            "agency": leaf["consumer"],
            "purpose": leaf["purpose"],
            "granted": given.get("fields", {}),
            "valid_from": entry.at,
            "valid_until": waiting["expires"] if kind == "consent.deferred" else until,
            "use_limit": given.get("uses"),
            "term": row["term"] + (kind in ANEW),
        }

    def _narrowed(self, entry: Entry, held: Row) -> Row:
        def facts(granted: Row) -> set[tuple[str, str]]:
            return {(service, field) for service, fields in granted.items() for field in fields}

        remaining = entry.told["request"]["fields"]
        if not facts(remaining) or not facts(remaining) < facts(held["granted"]):
            raise Contradiction(f"entry {entry.index} does not narrow its consent")
        return remaining

    def _slot(self, entry: Entry, *, new: bool) -> None:
        place = entry.person, entry.leaf["agreement"]
        slot = self.tables["consent_slot"].get(place)
        if new and slot and self.tables["consent"][slot["consent"],]["state"] not in OVER.values():
            raise Contradiction(f"entry {entry.index} makes a second consent beside the first")
        self.tables["consent_slot"][place] = {"consent": entry.leaf["consent"]}

    def _event(self, entry: Entry, row: Row) -> None:
        actor, name = entry.told["actor"], entry.leaf["consent"]
        seen = entry.told["request"].get("notice", {})
        receipt = entry.told["response"]["receipt"]
        same = ("revision", "agency", "purpose", "granted", "valid_from", "valid_until")
        self.tables["consent_event"][name, row["epoch"]] = {
            "event_time": entry.at,
            "event_state": row["state"],
            "event_type": entry.leaf["type"],
            "method": actor["method"],
            "level": actor.get("level"),
            "index": entry.index,
            "use_limit": row["use_limit"],
            "notice": seen.get("digest", row["notice"]),
            "language": seen.get("language", row["language"]),
            "receipt": receipt,
            **{member: row[member] for member in same},
        }
        self.tables["consent_receipt"][receipt,] = {"consent": name, "epoch": row["epoch"]}

    def _waiting(self, entry: Entry) -> Row | None:
        """Return the request that waits for this person's answer, if there is one."""
        asked = self.tables["consent_asked"].get((entry.person, entry.leaf["agreement"]))
        row = self.tables["consent_request"].get((asked["request"],)) if asked else None
        waits = row is not None and row["state"] != "answered" and entry.at < row["expires"]
        return row if waits else None

    def _request(self, entry: Entry, waiting: Row | None) -> None:
        leaf, said = entry.leaf, entry.told["request"]
        if waiting is not None:
            raise Contradiction(f"entry {entry.index} asks again while it waits for an answer")
        self.tables["consent_request"][said["request"],] = {
            "consent": leaf["consent"],
            "subject_ref": entry.person,
            "agreement": leaf["agreement"],
            "revision": leaf["agreement_revision"],
            "agency": leaf["consumer"],
            "client": said["client"],
            "fields": said["fields"],
            "state": "open",
            "opened": entry.at,
            "expires": entry.at + said["open_days"] * DAY,
            "index": entry.index,
        }
        self._rest(entry, said["request"])
        counter = self.tables["consent_asking"].setdefault(
            (leaf["agreement"],), {"day": 0, "count": 0}
        )
        today = entry.at // DAY
        count = counter["count"] if counter["day"] == today else 0
        counter |= {"day": today, "count": count + 1}

    def _answered(self, entry: Entry, waiting: Row | None) -> None:
        if waiting is not None:
            waiting["state"] = "answered"
        if waiting is not None or entry.leaf["type"] == "consent.refused":
            self._rest(entry, None)

    def _rest(self, entry: Entry, request: str | None) -> None:
        row = self.tables["consent_asked"].setdefault(
            (entry.person, entry.leaf["agreement"]), {"request": ""}
        )
        row["at"] = entry.at
        if request is not None:
            row["request"] = request

    def _block(self, entry: Entry, *, lift: bool) -> None:
        row = self.tables["block"].setdefault((entry.person,), {"kinds": ""})
        held, kind = set(row["kinds"].split()), entry.told["request"]["kind"]
        if (kind in held) is not lift:
            raise Contradiction(f"entry {entry.index} blocks or frees what is so already")
        row |= {"kinds": " ".join(sorted(held ^ {kind})), "since": entry.at}

    def _case(self, entry: Entry) -> None:
        said = entry.told["request"]
        self.tables["resident_case"][entry.leaf["case"],] = {
            "subject_ref": entry.person,
            "kind": said["kind"],
            "about": said["about"],
            "agency": said["agency"],
            "state": "open",
            "opened": entry.at,
            "opening": entry.index,
            "closed": None,
            "closing": None,
        }
        self.tables["resident_cases"].setdefault((entry.person,), {"open": 0})["open"] += 1

    def _answer(self, entry: Entry) -> None:
        row = self.tables["resident_case"].get((entry.leaf["case"],))
        if row is None or row["state"] != "open" or row["subject_ref"] != entry.person:
            raise Contradiction(f"entry {entry.index} answers a case that is not open")
        outcome = entry.told["response"]["outcome"]
        row |= {"state": outcome, "closed": entry.at, "closing": entry.index}
        self.tables["resident_cases"][entry.person,]["open"] -= 1
