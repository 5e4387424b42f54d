"""Production: each thing that a start in production refuses, and the one sentence that mends it."""

from base64 import urlsafe_b64encode

import pytest

from gateway.setup.production import findings, lacking, refuse_unfit
from gateway.setup.settings import BadSettings, Settings
from kernel.clock import Deadline, SystemClock

KEY = urlsafe_b64encode(bytes(range(32))).decode()
VERIFIED = "?sslmode=verify-full&sslrootcert=/etc/ca.pem"
RIGHT = {
    "MODE": "production",
    "PUBLIC_URL": "https://gateway.gov",
    "DATABASE_URL": f"postgresql://writer:hunter2@db.invalid/causeway{VERIFIED}",
    "MIGRATOR_URL": f"postgresql://migrator:hunter2@db.invalid/causeway{VERIFIED}",
    "ERASER_URL": f"postgresql://eraser:hunter2@db.invalid/causeway{VERIFIED}",
    "GUARD_URL": f"postgresql://guard:hunter2@other.invalid/guard{VERIFIED}",
    "GUARD_MIGRATOR_URL": f"postgresql://owner:hunter2@other.invalid/guard{VERIFIED}",
    "REDIS_URL": "rediss://redis.invalid",
    "OPA_URL": "http://127.0.0.1:8181",
    "KEY_ENCRYPTION_KEY": KEY,
    "OIDC_ISSUER": "https://login.gov",
    "OIDC_CLIENT_ID": "gateway",
    "OFFICER_OIDC_CLIENT_ID": "gateway-officers",
}


def said(**changed: str | None):
    given = {name: value for name, value in (RIGHT | changed).items() if value is not None}
    return [*lacking(Settings.parse({f"GATEWAY_{name}": text for name, text in given.items()}))]


def test_a_right_configuration_lacks_nothing():
    assert said() == []


@pytest.mark.parametrize(
    ("changed", "what", "fix"),
    [
        ({"KEY_ENCRYPTION_KEY": None}, "keys lie unencrypted", "GATEWAY_KEY_ENCRYPTION_KEY_FILE"),
        ({"DATABASE_URL": None}, "SQLite serves one machine", "GATEWAY_DATABASE_URL"),
        ({"OPA_URL": None}, "embedded policy engine", "GATEWAY_OPA_URL"),
        ({"REDIS_URL": None}, "files of this machine", "GATEWAY_REDIS_URL"),
        ({"REDIS_URL": "redis://redis.invalid"}, "Redis is reached without TLS", "rediss://"),
        ({"PUBLIC_URL": "http://127.0.0.1:8080"}, "GATEWAY_PUBLIC_URL is not https", "TLS"),
        ({"OIDC_ISSUER": "http://127.0.0.1:9000"}, "residents sign in on this", "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "https://login.localhost"}, "officers sign in on this", "OIDC_ISSUER"),
        ({"GUARD_URL": None, "GUARD_MIGRATOR_URL": None}, "state directory", "GATEWAY_GUARD_URL"),
        ({"GUARD_URL": "file:///srv/state/in", "STATE_DIR": "/srv/state"}, "state dir", "file://"),
        (
            {"DATABASE_URL": "postgresql://writer@db.invalid/causeway"},
            "the database is reached without TLS",
            "sslmode=verify-full",
        ),
        (
            {"GUARD_URL": "postgresql://guard@other.invalid/guard?sslmode=prefer"},
            "the guard is reached without TLS",
            "sslmode=verify-full",
        ),
        (
            {"MIGRATOR_URL": RIGHT["DATABASE_URL"]},
            "GATEWAY_MIGRATOR_URL and GATEWAY_DATABASE_URL name the same role",
            "a role of its own",
        ),
        (
            {"ERASER_URL": RIGHT["DATABASE_URL"]},
            "GATEWAY_ERASER_URL and GATEWAY_DATABASE_URL name the same role",
            "a role of its own",
        ),
        (
            {"GUARD_MIGRATOR_URL": RIGHT["GUARD_URL"]},
            "GATEWAY_GUARD_MIGRATOR_URL and GATEWAY_GUARD_URL name the same role",
            "an owner of its own",
        ),
    ],
)
def test_each_lack_is_refused_with_its_fix(changed, what, fix):
    told = [one for one in said(**changed) if what in one.what]
    assert len(told) == 1
    assert told[0].refuses
    assert fix in told[0].fix


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:6379"}, "Redis is reached without TLS"),
        ({"DATABASE_URL": "postgresql://w@127.0.0.1:1/d"}, "the database is reached without TLS"),
        ({"DATABASE_URL": "postgresql://w@/d?host=/run/none"}, "the database is reached without"),
        ({"GUARD_URL": "postgresql://g@[::1]:1/guard"}, "the guard is reached without TLS"),
        (
            {"DATABASE_URL": "postgresql://w@db.invalid/d?sslmode=require"},
            "the database is reached unverified",
        ),
        (
            {"OIDC_ISSUER": None, "OIDC_CLIENT_ID": None, "OFFICER_OIDC_CLIENT_ID": None},
            "no resident can sign in",
        ),
    ],
)
def test_what_may_be_so_is_a_warning(changed, what):
    told = [one for one in said(**changed) if what in one.what]
    assert len(told) == 1
    assert not told[0].refuses


def test_a_guard_on_a_volume_of_its_own_will_do():
    assert said(GUARD_URL="file:///mnt/guard", GUARD_MIGRATOR_URL=None) == []


def test_a_start_names_everything_at_once_and_no_password():
    given = {"MODE": "production", "REDIS_URL": "redis://writer:hunter2@redis.gov"}
    settings = Settings.parse({f"GATEWAY_{name}": value for name, value in given.items()})
    with pytest.raises(BadSettings) as refused:
        refuse_unfit(settings, Deadline.within(2, SystemClock()))
    text = str(refused.value)
    for what in ("embedded policy engine", "unencrypted", "https", "state directory", "SQLite"):
        assert what in text
    assert text.count("fix: ") >= 6
    assert "hunter2" not in text + repr(settings)


def test_a_demo_is_refused_nothing():
    refuse_unfit(Settings.parse({}), Deadline.within(2, SystemClock()))
    assert findings(Settings.parse({}), Deadline.within(2, SystemClock())) != ()
