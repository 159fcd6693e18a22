"""All that a deployed portal consists of, as real processes on this machine, each started again when it died."""

from __future__ import annotations

import base64
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local import postgres, redis
from local.demo_run import answers
from local.environment import PROJECT
from local.servers import Guarded, free_port
from sandbox.embed import INTEGRATION_CODE
from storm import processes
from storm.autotask import Autotask
from storm.processes import Process

PYTHON = [sys.executable, "-P", "-m"]
# A killed web worker is forked anew by its master in milliseconds instead of importing for two seconds.
WEB = ["jobs.serve", "--preload", "--workers", "2", "--log-level", "warning"]
READY_SECONDS = 60


@dataclass
class Part:
    """One process with what belongs to it. `begin` starts it where it was before, not sooner than `due`."""

    begin: Callable[[], Guarded]
    guarded: Guarded
    due: float = 0.0

    def processes(self) -> list[Process]:
        """Its processes without our guards."""
        found = processes.below(self.guarded.process.pid)
        return [one for one in found if "jobs/guard.py" not in one.command]

    def alive(self) -> bool:
        return self.guarded.alive()

    def again(self) -> None:
        self.guarded.stop()
        self.guarded = self.begin()

    def stop(self) -> None:
        self.guarded.stop()


class Site:
    """`start()`, then `mend()` again and again: what has died is started as a platform would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[str, Part] = {}
        self.web_port, self.autotask = free_port(), Autotask(free_port())
        self.environment: dict[str, str] = {}
        self.superuser_url = ""

    def start_servers(self, version: int | None = None) -> None:
        """Database, Redis and the sandbox; `version` is PostgreSQL's, None for the embedded one. Raises ServerFailed."""
        database = postgres.start(self.folder / "postgres", version=version)
        bell = redis.start(self.folder / "redis")
        self.superuser_url = database.superuser_url()
        self.environment = self._environment(database.addresses(), bell.url())
        at, port = self.folder, str(self.autotask.port)
        self.parts["postgres"] = Part(
            lambda: postgres.start(at / "postgres", port=database.port, version=version).guarded,
            database.guarded,
        )
        self.parts["redis"] = Part(lambda: redis.start(at / "redis", port=bell.port).guarded, bell.guarded)
        self._run("sandbox", ["sandbox", "--port", port, "--customers", "0", "--invoices", "0"])

    def start_portal(self, name: str = "", port: int = 0) -> None:
        """The Procfile's processes; a second set has a name and a port of its own."""
        self._run(f"web{name}", [*WEB, "--bind", f"127.0.0.1:{port or self.web_port}"])
        self._run(f"worker{name}", ["jobs.work", "--grace", "3"])
        self._run(f"scheduler{name}", ["jobs.tick"])

    def wait_for(self, *ports: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        waiting = set(ports)
        while waiting and time.monotonic() < deadline:
            waiting = {port for port in waiting if not answers(f"http://127.0.0.1:{port}")}
            time.sleep(0.05)
        if waiting:
            raise RuntimeError(f"No answer within {READY_SECONDS} s; the logs are in {self.folder}.")

    def mend(self) -> None:
        """Starts again what has been down for its time."""
        for part in self.parts.values():
            if not part.alive() and part.due <= time.monotonic():
                part.again()

    def stop(self) -> None:
        for part in self.parts.values():
            part.guarded.let_go()
        for part in reversed(self.parts.values()):
            part.stop()

    def _run(self, name: str, words: list[str]) -> None:
        def begin() -> Guarded:
            log = self.folder / f"{name}.log"
            return Guarded([*PYTHON, *words], log=log, grace=4, environment=self.environment)

        self.parts[name] = Part(begin, begin())

    def _environment(self, database: dict[str, str], redis_url: str) -> dict[str, str]:
        """Nothing of the caller's own portal comes in."""
        return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            **database,
            "REDIS_URL": redis_url,
            "SECRET_KEY": secrets.token_urlsafe(32),
            "AUDIT_KEYS": secrets.token_urlsafe(32),
            "ENCRYPTION_KEYS": "storm:" + base64.b64encode(os.urandom(32)).decode(),
            "AUTOTASK_DISCOVERY_URL": self.autotask.discovery_url,
            "AUTOTASK_TRUSTED_HOSTS": f"127.0.0.1:{self.autotask.port}",
            "AUTOTASK_INTEGRATION_CODE": INTEGRATION_CODE,
            "INSECURE_COOKIES": "1",
            "LOG_FORMAT": "text",
            "TZ": "UTC",
            "PYTHONPATH": str(PROJECT),
        }
