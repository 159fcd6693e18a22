"""Every variable that the portal reads: a value that cannot work stops the start and is named, and all are documented."""

import base64
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from portal import config
from portal.config import ConfigError
from tests.rules.test_imports import ROOT

KEY = base64.b64encode(bytes(range(32))).decode()
GOOD = {
    "SECRET_KEY": "x" * 40,
    "ENCRYPTION_KEYS": f"1:{KEY}",
    "AUDIT_KEYS": "k" * 32,
    "DATABASE_URL": "postgres://portal:s@db.example/portal",
    "REDIS_URL": "rediss://redis.example:6380/0",
}
HOSTILE = [
    "many", "x", "-1", "1.5", "1e3", "０", "٣", "99999999999999999999", "0x10", "1_000", "true", "yes", "None",
    "two\nlines", "\x1b[31m", "http://", "://", "//host", "http://[::1", "https://host:port/", "ftp://host/",
    "redis://:0:0:0/x", "postgres://", "postgres://host:port/name", "postgres://h/n?sslmode=maybe",
    "postgres://h/n?no_such_option=1", "a b", "host:99999", "*", ",;,", "=", "1:", ":" + KEY, "é" * 50,
    "smtp://:x", "s3://", "\u202e", "verify ", "VERIFY",
]  # fmt: skip
# Any printable text is a value of these; the second goes into a header.
TEXTS = {"SECRET_KEY", "SECRET_KEY_BEFORE", "AUTOTASK_INTEGRATION_CODE"}
# Set by flask itself for its commands.
NOT_OURS = {"FLASK_RUN_FROM_CLI"}


class Noted(Mapping[str, str]):
    """An environment that notes who asks for what."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_, self.read = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def settings_read() -> set[str]:
    noted = Noted(GOOD)
    config.load(noted)
    return noted.read - NOT_OURS


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_a_value_that_cannot_work_stops_the_start_with_the_name_of_the_variable(name):
    """Whatever it is, no other error comes out, and most of these values are refused."""
    refused = {value for value in HOSTILE if (said := refusal(name, value)) and name in said}
    assert {value for value in HOSTILE if refusal(name, value)} == refused
    assert "two\nlines" in refused
    assert name in TEXTS or len(refused) > len(HOSTILE) * 0.6, set(HOSTILE) - refused


def refusal(name: str, value: str) -> str:
    """What the start says to it; empty where it is taken."""
    try:
        config.load({**GOOD, name: value})
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "MAIL_URL", "STORAGE_URL"])
def test_a_refused_address_does_not_put_its_password_into_the_log(name):
    with pytest.raises(ConfigError) as refused:
        config.load({**GOOD, name: "ftp://portal:hunter2@host:port/x"})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["x", "0", "1.5"])
def test_the_web_process_says_it_in_these_words_before_gunicorn_does_in_its_own(value):
    """gunicorn reads WEB_CONCURRENCY while it loads, before any file of the portal."""
    values = {**GOOD, "WEB_CONCURRENCY": value}
    command = [sys.executable, "-m", "jobs.serve", "--check-config"]
    done = subprocess.run(command, env=values, cwd=ROOT, capture_output=True, text=True, timeout=60)
    said = f"WEB_CONCURRENCY must be a whole number from 1 to 100, not {value!r}."
    assert (done.returncode, done.stdout + done.stderr) == (1, f"{said}\n")


def test_every_setting_is_documented():
    example, readme = (ROOT / ".env.example").read_text(), (ROOT / "README.md").read_text()
    documented = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    assert settings_read() <= documented
    assert {name for name in settings_read() if f"`{name}`" not in readme} == set()
