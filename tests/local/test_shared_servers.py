"""bin/portal and bin/demo share one pair of servers: the first starts them, the last stops them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import shared
from local.keeper import try_lock
from local.servers import ServerFailed
from tests.local.processes import gone, linux_only

MEMBER = """
import sys
from pathlib import Path
from local import shared
with shared.servers(Path(sys.argv[1])) as told:
    print(told["DATABASE_URL"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def join(kept_folder: Path) -> Iterator:
    members: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", MEMBER, str(kept_folder)]
        members.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return members[-1]

    yield start
    for member in members:
        member.kill()
        member.communicate()


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


@linux_only
def test_members_that_come_at_once_share_the_servers_and_the_last_one_stops_them(join, kept_folder) -> None:
    first, second = join(), join()
    assert first.stdout.readline() == second.stdout.readline()
    server = server_pid(kept_folder)
    first.communicate("")
    assert not gone([server], seconds=0.5)
    second.communicate("")
    assert gone([server], seconds=0.1)
    assert not shared.keeper_lives(kept_folder)


@linux_only
@pytest.mark.faults
def test_a_killed_member_leaves_no_server(join, kept_folder) -> None:
    member = join()
    assert member.stdout.readline()
    server = server_pid(kept_folder)
    member.kill()
    assert gone([server])


@linux_only
@pytest.mark.faults
def test_a_killed_server_comes_back_at_the_same_address(join, kept_folder) -> None:
    member = join()
    address = member.stdout.readline().strip()
    killed = server_pid(kept_folder)
    os.kill(killed, 9)
    assert gone([killed])
    with shared.servers(kept_folder) as told:
        assert told["DATABASE_URL"] == address


def test_the_data_is_there_at_the_next_start(kept_folder) -> None:
    with shared.servers(kept_folder) as first:
        pass
    with shared.servers(kept_folder) as second:
        assert second["DATABASE_URL"] == first["DATABASE_URL"]


def test_addresses_with_passwords_are_readable_for_the_owner_only(kept_folder) -> None:
    with shared.servers(kept_folder):
        assert (kept_folder / "servers.json").stat().st_mode & 0o077 == 0
        told = json.loads((kept_folder / "servers.json").read_text())
        assert told.keys() == {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"}


def test_a_lock_is_free_again_when_its_file_is_closed(tmp_path) -> None:
    import fcntl

    with (tmp_path / "lock").open("w") as first:
        assert try_lock(first, fcntl.LOCK_EX)
        with (tmp_path / "lock").open("w") as second:
            assert not try_lock(second, fcntl.LOCK_EX)
    with (tmp_path / "lock").open("w") as third:
        assert try_lock(third, fcntl.LOCK_EX)


def test_a_broken_data_folder_is_told_in_words(folder) -> None:
    with shared.servers(folder):
        pass
    (folder / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerFailed, match="did not start"), shared.servers(folder):
        pass
