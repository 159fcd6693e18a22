"""Settings come from the environment; what is missing or wrong stops the start and is named."""

import base64

import pytest

from portal import config, crypto
from portal.config import ConfigError

KEY = base64.b64encode(bytes(range(32))).decode()
GOOD = {
    "SECRET_KEY": "x" * 40,
    "ENCRYPTION_KEYS": f"1:{KEY}",
    "AUDIT_KEYS": "k" * 32,
    "DATABASE_URL": "postgres://portal@db.example/portal",
    "REDIS_URL": "rediss://redis.example:6380/0",
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", ["", "   "])
def test_a_missing_setting_stops_the_start_and_is_named(name, value):
    with pytest.raises(ConfigError, match=name):
        config.load({**GOOD, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("ENCRYPTION_KEYS", "1:not-base64"),
        ("ENCRYPTION_KEYS", KEY),
        ("ENCRYPTION_KEYS", "1:" + base64.b64encode(b"too short").decode()),
        ("AUDIT_KEYS", "1:too-short"),
        ("AUDIT_KEYS", "1:" + "k" * 32 + "," + "2:too-short"),
        ("AUDIT_KEYS", ":" + "k" * 32),
        ("DATABASE_URL", "sqlite:///portal.db"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start_and_is_named(name, value):
    with pytest.raises(ConfigError, match=name):
        config.load({**GOOD, name: value})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_a_postgresql_address_is_understood(scheme):
    settings = config.load(
        {**GOOD, "DATABASE_URL": f"{scheme}://portal:s@db.example:5432/portal?sslmode=require"}
    )
    assert (
        settings["SQLALCHEMY_DATABASE_URI"]
        == "postgresql+psycopg://portal:s@db.example:5432/portal?sslmode=require"
    )


def test_autotask_is_the_vendors_unless_said_otherwise():
    settings = config.load(GOOD)
    assert settings["AUTOTASK_DISCOVERY_URL"].startswith("https://webservices.autotask.net/")
    assert settings["AUTOTASK_TRUSTED_HOSTS"] == []


def test_cookies_are_for_https_unless_a_demo_says_otherwise():
    assert config.load(GOOD)["SESSION_COOKIE_NAME"] == "__Host-portal"
    assert config.load(GOOD)["SESSION_COOKIE_SECURE"]
    assert not config.load({**GOOD, "INSECURE_COOKIES": "1"})["SESSION_COOKIE_SECURE"]


def test_a_secret_opens_only_in_its_own_place():
    """Rule 1.4: a value copied to another partner, table, column or row does not decrypt."""
    keys = config.encryption_keys(f"1:{KEY}")
    sealed = crypto.encrypt(keys, crypto.place(1, "integration", "secret", 1), "hush")
    assert b"hush" not in sealed
    assert crypto.decrypt(keys, crypto.place(1, "integration", "secret", 1), sealed) == "hush"
    for elsewhere in (
        (2, "integration", "secret", 1),
        (1, "integration", "secret", 2),
        (1, "api_key", "secret", 1),
    ):
        with pytest.raises(crypto.DecryptionError):
            crypto.decrypt(keys, crypto.place(*elsewhere), sealed)


def test_a_new_key_encrypts_while_the_old_one_still_opens():
    other = base64.b64encode(bytes(32)).decode()
    old, both = config.encryption_keys(f"1:{KEY}"), config.encryption_keys(f"2:{other},1:{KEY}")
    where = crypto.place(1, "integration", "secret", 1)
    assert crypto.decrypt(both, where, crypto.encrypt(old, where, "hush")) == "hush"
    with pytest.raises(crypto.DecryptionError, match="2"):
        crypto.decrypt(old, where, crypto.encrypt(both, where, "hush"))


def test_an_audit_key_without_a_version_is_the_first_and_the_newest_stands_first():
    a, b = "a" * 32, "b" * 32
    assert config.audit_keys(a) == {"1": a.encode()}
    assert list(config.audit_keys(f"2:{b},1:{a}")) == ["2", "1"]
