"""Servers for one benchmark: PostgreSQL and Redis of its own, and a sandbox Autotask, all ended with the process."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local import postgres, redis

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Places:
    """Addresses. `environment` is what a portal process needs; the raw limit has a portal's database of its own.

    `peer_url` is an empty database; `folder` is gone afterwards. `admin_url` is the portal's database as its superuser sees it.
    """

    sandbox_url: str
    limit_url: str
    environment: dict[str, str]
    peer_url: str
    folder: Path
    admin_url: str

    @property
    def limit_environment(self) -> dict[str, str]:
        return self.environment | {"DATABASE_URL": self.limit_url}


@contextmanager
def places(customers: int, invoices: int, pace: float, version: int | None = None) -> Iterator[Places]:
    """Starts everything, and takes it down afterwards. `version` is PostgreSQL's, None for the embedded one."""
    with ExitStack() as opened:
        folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
        opened.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        server = postgres.start(folder / "postgres", throwaway=True, version=version)
        opened.callback(server.stop)
        bell = redis.start(folder / "redis")
        opened.callback(bell.stop)
        base = (
            f"postgresql://{postgres.APP_ROLE}:{server.passwords[postgres.APP_ROLE]}@127.0.0.1:{server.port}"
        )
        admin = f"postgresql://postgres:{server.passwords['postgres']}@127.0.0.1:{server.port}/postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in ("bench", "bench_limit", "bench_peer"):
                connection.execute(f"CREATE DATABASE {name} OWNER {postgres.APP_ROLE}")
        sandbox = opened.enter_context(sandbox_at(customers, invoices, pace))
        portal = environment(f"{base}/bench", bell.port, sandbox)
        whole = admin.removesuffix("postgres") + "bench"
        yield Places(sandbox, f"{base}/bench_limit", portal, f"{base}/bench_peer", folder, whole)


@contextmanager
def sandbox_at(customers: int, invoices: int, pace: float) -> Iterator[str]:
    """A sandbox in a process of its own; its address."""
    options = ["--port", "0", "--customers", str(customers), "--invoices", str(invoices), "--pace", str(pace)]
    command = [sys.executable, "-m", "sandbox", "--guard-stdin", *options, "--switch", "threshold=1000000"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().rsplit(" ", 1)[1].strip()
    finally:
        process.terminate()
        process.wait(20)


def environment(database_url: str, redis_port: int, sandbox_url: str) -> dict[str, str]:
    """Settings of the portal under test."""
    return os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "SECRET_KEY": "for-benchmarks-only-for-benchmarks-only",
        "AUDIT_KEYS": "for-benchmarks-only-for-benchmarks-only",
        "ENCRYPTION_KEYS": "b1:" + "YmVuY2gta2V5LWJlbmNoLWtleS1iZW5jaC1rZXktYmU=",
        "AUTOTASK_DISCOVERY_URL": f"{sandbox_url}/ATServicesRest/V1.0/zoneInformation",
        "AUTOTASK_TRUSTED_HOSTS": "127.0.0.1",
        "AUTOTASK_INTEGRATION_CODE": "BENCH",
        "LOG_FORMAT": "json",
        "INSECURE_COOKIES": "1",
        "FLASK_APP": "wsgi",
    }
