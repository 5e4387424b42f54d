"""The small parts of the sign-in: where one may be led back to, and what a browser keeps."""

from pathlib import Path

import pytest

from crypto import base64url
from identity.model import Level, Realm
from identity.oidc_attempt import LIFE, Attempts, cookie_name
from identity.oidc_kept import AFTER_FAILURE, KEEP, NOT_BEFORE, Kept
from identity.oidc_model import Attempt, level_named, own_path, unreachable
from identity.replay import AHEAD, TOLERANCE, EmbeddedReplay
from kernel.chance import SystemChance
from kernel.errors import Reason, Refusal
from kernel.keyvalue import KeyValue
from tests.unit.identity.parts import SetClock

ROOT = bytes(range(32))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home",
        "/requests/rq_abc234",
        "/activity?page=2&lang=ar",
        "/activity/12/evidence",
        "/verify?r=eyJ.a-b_c",
        "/?a=%2F%2Fevil.example",
        "/~a/b.c",
        "/officers",
        "/loginx",
        "/" + "a" * 511,
    ],
)
def test_a_page_of_ours_is_a_place_to_go_back_to(path: str) -> None:
    assert own_path(path, Realm.RESIDENT) == path


@pytest.mark.parametrize("path", ["/officer", "/officer/cases/ca_1?state=open"])
def test_an_officer_goes_back_to_officers_pages(path: str) -> None:
    assert own_path(path, Realm.OFFICER) == path


@pytest.mark.parametrize(
    ("path", "realm"),
    [
        ("/home", Realm.OFFICER),
        ("/officers", Realm.OFFICER),
        ("/officer/login", Realm.OFFICER),
        ("/officer/logout", Realm.OFFICER),
        ("/officer/login/callback?code=a", Realm.OFFICER),
        ("/officer", Realm.RESIDENT),
        ("/officer/cases", Realm.RESIDENT),
        ("/login/keys", Realm.RESIDENT),
        ("/backchannel-logout", Realm.RESIDENT),
        ("/.well-known/a", Realm.RESIDENT),
        ("/a/..", Realm.RESIDENT),
        ("/home\n", Realm.RESIDENT),
        ("/" + "a" * 512, Realm.RESIDENT),
    ],
)
def test_everything_else_is_not(path: str, realm: Realm) -> None:
    with pytest.raises(Refusal) as refused:
        own_path(path, realm)
    assert refused.value.reason is Reason.REQUEST_MALFORMED
    assert path not in refused.value.detail


def test_levels_have_names_and_no_numbers() -> None:
    assert [level_named(name) for name in ("low", "substantial", "high")] == list(Level)
    for name in ("", "LOW", "1", "highest"):
        with pytest.raises(Refusal):
            level_named(name)


class Browsers:
    """Attempts of one gateway, and a clock to set."""

    def __init__(self, directory: Path) -> None:
        self.clock = SetClock()
        self.store = KeyValue.open(directory / "replay", self.clock, "boot-1", lambda: True)
        self.replay = EmbeddedReplay(self.store)

    def attempts(self, realm: Realm = Realm.RESIDENT, root: bytes = ROOT) -> Attempts:
        return Attempts(realm, root, self.replay, self.clock, SystemChance())


@pytest.fixture
def browsers(tmp_path: Path) -> Browsers:
    return Browsers(tmp_path)


def begun(attempts: Attempts) -> tuple[Attempt, str]:
    attempt = attempts.begin("/home", Level.HIGH, 240)
    return attempt, attempts.seal(attempt)


def test_what_the_browser_keeps_comes_back_as_it_was(browsers: Browsers) -> None:
    attempts = browsers.attempts()
    attempt, cookie = begun(attempts)
    assert attempts.open(attempt.state, cookie) == attempt


def test_what_the_browser_keeps_shows_it_nothing(browsers: Browsers) -> None:
    attempt, cookie = begun(browsers.attempts())
    kept = base64url.decode(cookie)
    for secret in (attempt.state, attempt.nonce, attempt.verifier, attempt.to):
        assert secret.encode() not in kept
        assert secret not in cookie
    assert attempt.verifier not in repr(attempt)


def test_an_attempt_counts_once_and_on_every_worker(browsers: Browsers) -> None:
    one, other = browsers.attempts(), browsers.attempts()
    attempt, _ = begun(one)
    other.claim(attempt)
    for attempts in (one, other):
        with pytest.raises(Refusal) as refused:
            attempts.claim(attempt)
        assert refused.value.reason is Reason.SIGNIN_FAILED


def test_an_attempt_ends_after_ten_minutes(browsers: Browsers) -> None:
    attempts = browsers.attempts()
    (late, _), (in_time, _) = begun(attempts), begun(attempts)
    browsers.clock.seconds += LIFE - 1
    attempts.claim(in_time)
    browsers.clock.seconds += 1
    with pytest.raises(Refusal):
        attempts.claim(late)


def test_an_attempt_of_before_a_reboot_cannot_be_known_to_be_unused(
    browsers: Browsers, tmp_path: Path
) -> None:
    attempt, _ = begun(browsers.attempts())
    browsers.clock.seconds += AHEAD
    browsers.replay = EmbeddedReplay(KeyValue.open(tmp_path / "new", browsers.clock, "boot-2"))
    with pytest.raises(Refusal) as refused:
        browsers.attempts().claim(attempt)
    assert refused.value.reason is Reason.STATE_UNAVAILABLE
    browsers.clock.seconds += AHEAD + TOLERANCE
    fresh, _ = begun(browsers.attempts())
    browsers.attempts().claim(fresh)


def test_an_attempt_opens_for_its_own_realm_state_and_gateway_alone(browsers: Browsers) -> None:
    attempt, cookie = begun(browsers.attempts())
    other, _ = begun(browsers.attempts())
    for attempts, state in (
        (browsers.attempts(Realm.OFFICER), attempt.state),
        (browsers.attempts(root=bytes(32)), attempt.state),
        (browsers.attempts(), other.state),
        (browsers.attempts(), attempt.state[:16] + other.state[16:]),
    ):
        with pytest.raises(Refusal) as refused:
            attempts.open(state, cookie)
        assert refused.value.reason is Reason.SIGNIN_FAILED


@pytest.mark.parametrize("cookie", ["", "x", "A" * 16, "é", "A" * 10_000])
def test_what_is_no_cookie_of_ours_opens_nothing(browsers: Browsers, cookie: str) -> None:
    with pytest.raises(Refusal):
        browsers.attempts().open("s" * 43, cookie)


def test_each_attempt_has_a_cookie_of_its_own(browsers: Browsers) -> None:
    names = {cookie_name(begun(browsers.attempts())[0].state) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("__Host-signin-") for name in names)


class Shelf:
    """Something to fetch that counts how often it was, and fails when told to."""

    def __init__(self) -> None:
        self.clock, self.times, self.broken = SetClock(), 0, False
        self.kept = Kept(self.read, self.clock)

    def read(self) -> int:
        self.times += 1
        if self.broken:
            raise unreachable("It does not answer.")
        return self.times


def test_what_was_fetched_is_believed_for_a_while() -> None:
    shelf = Shelf()
    shelf.clock.seconds += KEEP - 1 if shelf.kept.get() == 1 else 0
    assert shelf.kept.get() == 1
    shelf.clock.seconds += 1
    assert shelf.kept.get() == 2


def test_a_newer_one_is_fetched_once_a_minute() -> None:
    shelf = Shelf()
    assert [shelf.kept.get(newer=True) for _ in range(3)] == [1, 1, 1]
    shelf.clock.seconds += NOT_BEFORE
    assert [shelf.kept.get(newer=True) for _ in range(3)] == [2, 2, 2]


def test_a_newer_one_that_fails_leaves_the_old_one_for_its_time() -> None:
    shelf = Shelf()
    shelf.kept.get()
    shelf.broken = True
    shelf.clock.seconds += NOT_BEFORE
    assert [shelf.kept.get(newer=True) for _ in range(3)] == [1, 1, 1]
    assert shelf.times == 2
    shelf.clock.seconds += KEEP - NOT_BEFORE
    with pytest.raises(Refusal):
        shelf.kept.get()


def test_who_fails_is_left_in_peace_for_a_moment() -> None:
    shelf = Shelf()
    shelf.broken = True
    for _ in range(5):
        with pytest.raises(Refusal) as refused:
            shelf.kept.get()
        assert refused.value.reason is Reason.SIGNIN_UNAVAILABLE
    assert shelf.times == 1
    shelf.broken = False
    shelf.clock.seconds += AFTER_FAILURE
    assert shelf.kept.get() == 2
