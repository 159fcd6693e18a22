"""How each part is taken away from the portal at work, for the time of a block."""

import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import time_machine

from portal import clock
from portal.mail.server import Server
from tests.resilience.portal_at_work import AtWork

NOBODY = "127.0.0.1:9"  # nothing listens there


@contextmanager
def configured(at: AtWork, **values: Any) -> Iterator[None]:
    before = {name: at.app.config[name] for name in values}
    at.app.config.update(values)
    yield
    at.app.config.update(before)


@contextmanager
def without_postgresql(at: AtWork) -> Iterator[None]:
    """It refuses every connection and ended those there were. Stopped, killed and frozen: tests/rules."""
    name = at.superuser.info.dbname
    at.superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    at.superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        [name],
    )
    yield
    at.superuser.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")


def without_redis(at: AtWork) -> AbstractContextManager[None]:
    """Nobody listens. Frozen, full, emptied: tests/web/test_limits.py."""
    return configured(at, REDIS_URL=f"redis://{NOBODY}/0")


@contextmanager
def without_worker(at: AtWork) -> Iterator[None]:
    yield  # nobody hears a bell here; the poller alone is at work


@contextmanager
def without_poller(at: AtWork) -> Iterator[None]:
    at.by = "worker"
    yield
    at.by = "poller"


@contextmanager
def without_scheduler(at: AtWork) -> Iterator[None]:
    """The run was made by nobody: it is only due."""
    at.by = "schedule"
    yield
    at.by = "poller"


@contextmanager
def without_autotask(at: AtWork) -> Iterator[None]:
    at.superuser.execute("UPDATE integration SET zone_url = %s", [f"http://{NOBODY}/ATServicesRest/"])
    with configured(at, AUTOTASK_DISCOVERY_URL=f"http://{NOBODY}/"):
        yield
    at.superuser.execute("UPDATE integration SET zone_url = %s", [at.autotask.api_url])


@contextmanager
def without_mail(at: AtWork) -> Iterator[None]:
    """What support's visit wrote to the owners waits, and is not lost."""
    with configured(at, MAIL=Server("127.0.0.1", 9, "portal@example.com", start_tls=False, seconds=1.0)):
        yield
        at.go_round("mails")
        states = {
            state for (state,) in at.superuser.execute("SELECT state FROM mail WHERE answer LIKE '%refused%'")
        }
    assert states == {"waiting"}


@contextmanager
def without_storage(at: AtWork) -> Iterator[None]:
    import pytest

    with pytest.MonkeyPatch.context() as patch, configured(at, STORAGE_URL="s3://portal-files/pdfs"):
        for name, value in {
            "AWS_ACCESS_KEY_ID": "portal", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": f"http://{NOBODY}", "AWS_ALLOW_HTTP": "true",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        yield
    at.app.extensions.pop("storage", None)


@contextmanager
def without_clock(at: AtWork) -> Iterator[None]:
    """This machine's is ten minutes ahead."""
    at.skew = 600.0
    with time_machine.travel(clock.now() + timedelta(seconds=at.skew)):
        yield
    at.skew = 0.0


@contextmanager
def without_disk(at: AtWork) -> Iterator[None]:
    at.meanwhile = no_byte_is_written
    yield
    at.meanwhile = nullcontext


@contextmanager
def no_byte_is_written() -> Iterator[None]:
    """To no file: this process's own limit, so that what the tests tell has to wait."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WITHOUT = {
    "PostgreSQL": without_postgresql, "Redis": without_redis, "worker": without_worker, "poller": without_poller,
    "scheduler": without_scheduler, "Autotask": without_autotask, "mail": without_mail, "storage": without_storage,
    "clock": without_clock, "disk": without_disk,
}  # fmt: skip
