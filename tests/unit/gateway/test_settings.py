"""Settings: what the environment may say, and the sentence that a slip gets."""

from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from gateway.load.rates import Limit
from gateway.setup.settings import MAX_FILE, BadSettings, Mode, Settings

KEY = urlsafe_b64encode(bytes(range(32))).decode()


def parse(**names):
    return Settings.parse({f"GATEWAY_{name}": value for name, value in names.items()})


def test_nothing_set_is_a_demo_on_loopback():
    settings = Settings.parse({"PATH": "/bin", "HOME": "/root"})
    assert settings == Settings(
        mode=Mode.DEMO,
        public_url="http://127.0.0.1:8080",
        state_dir=Path("var/gateway"),
        database="sqlite:///var/gateway/causeway.db",
        policies=Path("policies"),
        sources={},
    )
    assert (settings.opa_url, settings.key_encryption_key, settings.log_level) == (
        None,
        None,
        "info",
    )


def test_every_setting_is_taken_at_its_word():
    settings = parse(
        MODE="production",
        PUBLIC_URL="https://Gateway.GOV:8443/",
        STATE_DIR="/srv/state",
        DATABASE_URL="sqlite:////srv/ledger.db",
        POLICIES="/srv/policies",
        OPA_URL="http://127.0.0.1:8181",
        KEY_ENCRYPTION_KEY=KEY,
        LOG_LEVEL="warning",
    )
    assert settings == Settings(
        mode=Mode.PRODUCTION,
        public_url="https://gateway.gov:8443",
        state_dir=Path("/srv/state"),
        database="sqlite:////srv/ledger.db",
        policies=Path("/srv/policies"),
        sources={},
        opa_url="http://127.0.0.1:8181",
        key_encryption_key=bytes(range(32)),
        log_level="warning",
    )


def test_the_database_lies_in_the_state_directory_unless_it_is_named():
    assert parse(STATE_DIR="/srv/state").database == "sqlite:////srv/state/causeway.db"


@pytest.mark.parametrize(
    "name", ["PUBLIC_ULR", "SOURCE_TAX_SECRET", "SOURCE_URL", "MODE_FILE_FILE", "", "mode"]
)
def test_a_name_that_is_no_setting_stops_the_start(name):
    with pytest.raises(BadSettings, match=f"GATEWAY_{name} is not a setting"):
        parse(**{name: "x"})


def test_a_setting_may_be_read_from_a_mounted_file(tmp_path):
    file = tmp_path / "key"
    file.write_text(f" {KEY}\n")
    assert parse(KEY_ENCRYPTION_KEY_FILE=str(file)).key_encryption_key == bytes(range(32))


def test_a_setting_and_its_file_may_not_both_be_set(tmp_path):
    with pytest.raises(BadSettings, match="GATEWAY_MODE or GATEWAY_MODE_FILE, not both"):
        parse(MODE="demo", MODE_FILE=str(tmp_path / "mode"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named_by_its_setting_alone(tmp_path, content):
    file = tmp_path / "secret-name"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSettings, match="GATEWAY_MODE_FILE names a file") as refused:
        parse(MODE_FILE=str(file))
    assert "secret-name" not in str(refused.value)


def test_a_path_that_no_file_can_have_is_refused_alike():
    with pytest.raises(BadSettings, match="cannot be read"):
        parse(MODE_FILE="a\0b")


def test_a_file_is_never_read_by_half(tmp_path):
    file = tmp_path / "large"
    file.write_text("demo" + " " * MAX_FILE)
    with pytest.raises(BadSettings, match="more than 65536 bytes"):
        parse(MODE_FILE=str(file))


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.gov",
        "https://gateway.gov:8443",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "http://localhost",
    ],
)
def test_https_anywhere_and_plain_http_on_loopback_serve(url):
    assert parse(PUBLIC_URL=url).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.gov",
        "http://10.0.0.7:8080",
        "http://0.0.0.0:8080",
        "http://127.0.0.1.gateway.gov",
        "http://localhost.gateway.gov",
        "http://[fe80::1]:8080",
    ],
)
def test_plain_http_beyond_loopback_stops_the_start(url):
    with pytest.raises(BadSettings, match="GATEWAY_PUBLIC_URL is https, except on"):
        parse(PUBLIC_URL=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gateway.gov",
        "ftp://gateway.gov",
        "https://",
        "https://:8443",
        "https://gateway.gov/v1",
        "https://gateway.gov:port",
        "https://gateway.gov:99999",
        "https://[::1",
    ],
)
def test_a_public_url_is_a_scheme_and_a_host(url):
    with pytest.raises(BadSettings, match="GATEWAY_PUBLIC_URL is a scheme and a host"):
        parse(PUBLIC_URL=url)


@pytest.mark.parametrize("more", ["?a=1", "#top"])
def test_a_public_url_has_no_query_or_fragment(more):
    with pytest.raises(BadSettings, match="no user, query or fragment"):
        parse(PUBLIC_URL=f"https://gateway.gov{more}")


def test_a_public_url_has_no_user_and_the_text_repeats_no_password():
    with pytest.raises(BadSettings, match="no user") as refused:
        parse(PUBLIC_URL="https://root:hunter2@gateway.gov")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("MODE", "staging", "`demo` or `production`"),
        ("DATABASE_URL", "sqlite:///", "is sqlite:///PATH"),
        ("DATABASE_URL", "causeway.db", "is sqlite:///PATH"),
        ("KEY_ENCRYPTION_KEY", "abcd", "32 bytes in base64url"),
        ("KEY_ENCRYPTION_KEY", "é", "32 bytes in base64url"),
        ("KEY_ENCRYPTION_KEY", "AAAAA", "32 bytes in base64url"),
        ("LOG_LEVEL", "trace", "debug, info, warning or error"),
        ("LOG_LEVEL", "INFO", "debug, info, warning or error"),
    ],
)
def test_a_wrong_value_stops_the_start_and_is_not_repeated(name, value, why):
    with pytest.raises(BadSettings, match=why) as refused:
        parse(**{name: value})
    assert str(refused.value).startswith(f"GATEWAY_{name} is")
    assert f" {value}" not in str(refused.value).replace("sqlite:///PATH", "PATH")


def test_sources_stand_under_the_names_of_the_catalogue(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    settings = parse(
        SOURCE_TAX_URL="http://127.0.0.1:9000",
        SOURCE_TAX_SECRET_FILE=str(secret),
        SOURCE_TAX_TIMEOUT="0.5",
        SOURCE_CIVIL_REGISTER_URL="sqlite:////srv/register.db",
    )
    assert list(settings.sources) == ["civil-register", "tax"]
    tax, register = settings.sources["tax"], settings.sources["civil-register"]
    assert (tax.url, tax.secret, tax.timeout) == ("http://127.0.0.1:9000", "s3cret", 0.5)
    assert (register.url, register.secret, register.timeout) == (
        "sqlite:////srv/register.db",
        None,
        3.0,
    )


def test_the_address_of_a_source_may_come_from_a_file_too(tmp_path):
    file = tmp_path / "url"
    file.write_text("https://tax.gov\n")
    assert parse(SOURCE_TAX_URL_FILE=str(file)).sources["tax"].url == "https://tax.gov"


@pytest.mark.parametrize("value", ["0", "-1", "61", "soon", "nan", "inf", ""])
def test_a_timeout_is_a_number_of_seconds_up_to_a_minute(value):
    with pytest.raises(BadSettings, match="GATEWAY_SOURCE_TAX_TIMEOUT is seconds, at most 60"):
        parse(SOURCE_TAX_URL="http://127.0.0.1:9000", SOURCE_TAX_TIMEOUT=value)


def test_secrets_are_shown_nowhere(tmp_path):
    settings = parse(
        SOURCE_TAX_URL="http://127.0.0.1:9000", SOURCE_TAX_SECRET="s3cret", KEY_ENCRYPTION_KEY=KEY
    )
    assert "s3cret" not in repr(settings)
    assert repr(bytes(range(32))) not in repr(settings)


def test_the_process_is_asked_for_its_own_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(tmp_path))
    assert Settings.from_environ().state_dir == tmp_path


SIGNIN = {"OIDC_ISSUER": "https://login.example", "OIDC_CLIENT_ID": "gateway"}
TRY_OUT = {"OIDC_ISSUER": "http://127.0.0.1:8081", "OIDC_CLIENT_ID": "gateway"}


def test_without_an_issuer_nobody_signs_in():
    assert parse().signin.issuers == {}
    assert parse(OFFICER_OIDC_CLIENT_ID="officers").signin.issuers == {}


def test_residents_and_officers_sign_in_at_the_same_provider_unless_told_otherwise():
    signin = parse(**SIGNIN, OFFICER_OIDC_CLIENT_ID="officers").signin
    assert set(signin.issuers.values()) == {"https://login.example"}
    assert signin.client_ids == {"resident": "gateway", "officer": "officers"}
    other = parse(
        **SIGNIN, OFFICER_OIDC_CLIENT_ID="gateway", OFFICER_OIDC_ISSUER="https://staff.example"
    ).signin
    assert other.issuers["officer"] == "https://staff.example"


def test_without_a_client_of_their_own_officers_do_not_sign_in():
    assert set(parse(**SIGNIN).signin.issuers) == {"resident"}


def test_what_is_not_said_about_signing_in_has_a_careful_default():
    signin = parse(**SIGNIN).signin
    assert signin.person_claim == "sub"
    assert signin.officer_role == "privacy-officer"
    assert signin.algorithms == {"ES256", "PS256", "EdDSA"}


def test_rs256_is_allowed_by_name_alone():
    signin = parse(**SIGNIN, OIDC_ALGORITHMS="RS256 ES256").signin
    assert signin.algorithms == {"RS256", "ES256"}


@pytest.mark.parametrize("value", ["none", "HS256", "ES256 none", " "])
def test_an_algorithm_that_proves_nothing_is_refused(value):
    with pytest.raises(BadSettings, match="GATEWAY_OIDC_ALGORITHMS"):
        parse(**SIGNIN, OIDC_ALGORITHMS=value)


def test_an_issuer_needs_a_client_id():
    with pytest.raises(BadSettings, match="GATEWAY_OIDC_CLIENT_ID"):
        parse(OIDC_ISSUER="https://login.example")


def test_officers_are_not_the_residents_client():
    with pytest.raises(BadSettings, match="a client of its own"):
        parse(**SIGNIN, OFFICER_OIDC_CLIENT_ID="gateway")


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OFFICER_OIDC_ISSUER"])
@pytest.mark.parametrize("issuer", ["http://login.example", "login.example", "ftp://127.0.0.2"])
def test_an_issuer_in_the_open_is_refused(name, issuer):
    with pytest.raises(BadSettings, match="is https"):
        parse(**{**SIGNIN, "OFFICER_OIDC_CLIENT_ID": "officers", name: issuer})


def test_the_try_out_sign_in_serves_a_demo_on_this_machine():
    assert parse(**TRY_OUT).signin.issuers == {"resident": "http://127.0.0.1:8081"}


@pytest.mark.parametrize(
    "issuer",
    [
        "http://127.0.0.1:8081",
        "http://[::1]:8081",
        "http://localhost",
        "https://localhost",
        "https://127.0.0.2",
        "https://signin.localhost",
    ],
)
@pytest.mark.parametrize("more", [{"PUBLIC_URL": "https://gateway.gov"}])
def test_the_try_out_sign_in_serves_nobody_else(issuer, more):
    with pytest.raises(BadSettings, match="trying out"):
        parse(**{**TRY_OUT, "OIDC_ISSUER": issuer, **more})


def test_short_lived_state_is_in_files_unless_a_redis_is_named(tmp_path):
    assert parse().redis is None
    secret = tmp_path / "redis-url"
    secret.write_text("rediss+sentinel://name:canary@a,b:2/service/3\n", encoding="utf-8")
    redis = parse(REDIS_URL_FILE=str(secret)).redis
    assert redis is not None
    assert (redis.hosts, redis.service) == ((("a", 26379), ("b", 2)), "service")
    assert "canary" not in repr(parse(REDIS_URL_FILE=str(secret)))


@pytest.mark.parametrize(
    "url", ["canary", "http://canary", "redis://canary@host", "redis://h/canary"]
)
def test_a_redis_that_cannot_be_is_refused_without_repeating_it(url):
    with pytest.raises(BadSettings, match=r"^GATEWAY_REDIS_URL ") as refusal:
        parse(REDIS_URL=url)
    assert "canary" not in str(refusal.value)


def test_quotas_are_counts_in_seconds():
    assert (parse().rate_client, parse().rate_agreement) == (Limit(1000, 10), Limit(2000, 10))
    settings = parse(RATE_CLIENT="5/1", RATE_AGREEMENT="1000000/86400")
    assert (settings.rate_client, settings.rate_agreement) == (Limit(5, 1), Limit(10**6, 86400))


@pytest.mark.parametrize("name", ["RATE_CLIENT", "RATE_AGREEMENT"])
@pytest.mark.parametrize("value", ["", "0/1", "5", "5/0", "-5/1", "five/1", "5/86401"])
def test_a_quota_that_is_none_is_refused(name, value):
    with pytest.raises(BadSettings, match=rf"^GATEWAY_{name} is COUNT/SECONDS"):
        parse(**{name: value})


POSTGRES = "postgresql://writer:hunter2@db.gov:5433/causeway?sslmode=verify-full"


def test_who_comes_to_the_database_and_where_the_guard_is_are_urls(tmp_path):
    secret = tmp_path / "eraser"
    secret.write_text("postgresql://eraser:hunter2@db.gov/causeway\n", encoding="utf-8")
    settings = parse(
        DATABASE_URL=POSTGRES,
        MIGRATOR_URL="postgresql://migrator:hunter2@db.gov/causeway",
        ERASER_URL_FILE=str(secret),
        GUARD_URL="postgresql://guard:hunter2@other.gov/guard",
        GUARD_MIGRATOR_URL="postgresql://owner:hunter2@other.gov/guard",
    )
    assert settings.database == POSTGRES
    assert settings.eraser == "postgresql://eraser:hunter2@db.gov/causeway"
    assert settings.guard == "postgresql://guard:hunter2@other.gov/guard"
    assert "hunter2" not in repr(settings)
    assert parse(GUARD_URL="file:///mnt/guard").guard == "file:///mnt/guard"


@pytest.mark.parametrize(
    ("ledger", "guard"),
    [
        ("postgresql://w@db.gov/causeway", "postgresql://g@DB.gov:5432/causeway"),
        ("postgresql://w@127.0.0.1/causeway", "postgresql://g@localhost/causeway"),
        ("postgresql://w@a,b/causeway", "postgresql://g@b,c/causeway"),
        ("postgresql://w@/causeway?host=/run/postgresql", "postgresql://g@[::1]/causeway"),
    ],
)
def test_a_guard_in_the_ledgers_own_database_is_refused(ledger, guard):
    with pytest.raises(BadSettings, match="Give the guard another server"):
        parse(DATABASE_URL=ledger, GUARD_URL=guard)


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATOR_URL", "ERASER_URL", "GUARD_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "mysql://writer:hunter2@db/causeway",
        "postgresql://writer:hunter2@db",
        "postgresql://:hunter2@db/causeway",
        "postgresql:///causeway?password=hunter2&user=me",
        "postgresql://writer:hunter2%zz@db/causeway",
        "postgresql://writer:hunter2@db:port/causeway",
        "postgresql://writer:hunter2@db/causeway?no_such_option=1",
        "postgresql://writer:hunter2@" + ",".join("db" for _ in range(17)) + "/causeway",
        "postgresql://writer:hunter2@db/" + "c" * 5000,
        "sqlite://hunter2",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(name, url):
    with pytest.raises(BadSettings, match=f"GATEWAY_{name}") as refused:
        parse(**{name: url})
    assert "hunter2" not in str(refused.value)
