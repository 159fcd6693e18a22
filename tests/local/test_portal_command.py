"""bin/portal: standard output is the command's alone, and two commands at once share the servers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local import shared
from local.places import reachable_folder
from local.shared import keeper_lives

PASSWORD = "a long enough password"


@pytest.fixture
def local(kept_folder: Path) -> dict[str, str]:
    """The environment of a person who set nothing, with `.local` in a folder of the tests."""
    ours = (
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "ENCRYPTION_KEYS",
        "AUDIT_KEYS",
        "AUTOTASK_",
        "INSECURE_",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PORTAL_LOCAL": str(kept_folder), "PYTHONPATH": str(Path(__file__).parents[2])}


def portal(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "local.portal_command", *words]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, env=environment, cwd="/", text=True, **pipes)


def lines(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.in_turn(3)
def test_commands_at_once_share_the_servers_and_print_nothing_but_their_own(local, kept_folder) -> None:
    both = [portal(local, "partners", "create", slug, "--slug", slug) for slug in ("one", "two")]
    for running in both:
        output, said = running.communicate()
        assert running.returncode == 0, said
        assert lines(output)[0]["slug"] in ("one", "two")
    assert not keeper_lives(kept_folder / "demo")


LIFTING = (
    "TRUNCATE audit_event",
    "DROP POLICY own_rows ON invoice",
    "UPDATE alembic_version SET version_num = '1'",
)


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("made_with", ["two roles", "one role"])
def test_the_embedded_server_has_an_owner_and_a_role_that_serves_and_lifts_no_wall(
    local, kept_folder, made_with
) -> None:
    demo = kept_folder / "demo"
    if made_with == "one role":
        forget_the_serving_role(demo)
    command = portal(local, "partners", "list")
    command.communicate()
    assert command.returncode == 0
    with shared.servers(demo) as told, psycopg.connect(told["DATABASE_URL"], autocommit=True) as serving:
        assert serving.execute("SELECT count(*) FROM tenant").fetchone() is not None
        for statement in LIFTING:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                serving.execute(statement)


def forget_the_serving_role(demo: Path) -> None:
    """As a cluster was before there were two."""
    with shared.servers(demo):
        superuser = postgres_url(demo)
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("DROP OWNED BY portal_serving")
            connection.execute("DROP ROLE portal_serving")
    home = reachable_folder(demo / "postgres")
    held = json.loads((home / "passwords.json").read_text())
    del held["portal_serving"]
    (home / "passwords.json").write_text(json.dumps(held))
    (home / "two-roles").unlink()
    (demo / "migrated").unlink(missing_ok=True)


def postgres_url(demo: Path) -> str:
    port = json.loads((demo / "ports.json").read_text())["postgres"]
    held = json.loads((reachable_folder(demo / "postgres") / "passwords.json").read_text())
    return f"postgresql://postgres:{held['postgres']}@127.0.0.1:{port}/portal"


def test_a_password_comes_from_standard_input(local) -> None:
    words = ("users", "create", "ada@portal.example", "--staff")
    output, said = portal(local, *words).communicate(f"{PASSWORD}\n")
    assert lines(output)[0]["email"] == "ada@portal.example", said


def test_a_refused_command_says_why_on_standard_error_and_exits_non_zero(local) -> None:
    running = portal(local, "customers", "list", "nobody", "--json")
    output, said = running.communicate()
    assert (running.returncode, output) == (1, "")
    assert "There is no partner with the slug 'nobody'." in said


@pytest.mark.in_turn(3)
def test_given_servers_are_used_and_none_is_started(environment, local, folder) -> None:
    given = {name: environment[name] for name in ("DATABASE_URL", "REDIS_URL")}
    running = portal(local | given | {"PORTAL_LOCAL": str(folder)}, "partners", "list")
    output, said = running.communicate()
    assert (running.returncode, output) == (0, ""), said
    assert not (folder / "demo").exists()
