"""docs/operating.md: every command in it is run, and whatever it names is there.

What belongs to a platform (systemctl, heroku, git) is answered by a stand-in that notes it; `heroku run` runs.
"""

import os
import re
import socket
import subprocess
import sys
import threading
from configparser import RawConfigParser
from http.server import ThreadingHTTPServer
from pathlib import Path
from wsgiref.simple_server import WSGIServer, make_server

import psycopg
import pytest

from local import redis as local_redis
from portal import config, create_app
from portal.extensions import db
from portal.operating import metrics, ready
from tests import factories
from tests.fixtures.servers import ROOT, settings
from tests.fixtures.warm_python import write_program

PAGE = (ROOT / "docs" / "operating.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PLATFORM = ("systemctl", "journalctl", "heroku", "git", "ln", "redis-cli")
UNITS = sorted((ROOT / "deploy").glob("portal-*.service"))
# Ends with 1 where something is wrong, and in a test nobody works.
MAY_FAIL = ("flask doctor", "flask sync run")  # nothing was ever read there: no Autotask


def commands() -> list[str]:
    return [line for block in BLOCKS for line in block.splitlines() if line.strip()]


@pytest.fixture
def flask(tmp_path, python):
    """The program, among stand-ins for those of the platform."""
    program = stand_ins(tmp_path) / "flask"
    write_program(program, f'"{python}" -m flask')
    return program


@pytest.fixture
def place(servers, cloned_database, flask, tmp_path, worker_name):
    """A portal of its own with two roles, a partner, a web process, its own Redis."""
    serving, password = f"runbook_{worker_name}", "first-password"
    name = cloned_database.rpartition("/")[2]
    admin = servers.database(name, "postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        for role in (serving, "portal_serving_2"):
            connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {serving} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{password}'")
    host = f"127.0.0.1:{servers.postgres_port}/{name}"
    own_redis = local_redis.start(tmp_path / "redis")
    environment = settings(f"postgresql://{serving}:{password}@{host}", f"redis://127.0.0.1:{own_redis.port}/0") | {
        "DATABASE_OWNER_URL": cloned_database, "OPERATIONS_TOKEN": "t" * 40, "FLASK_APP": "wsgi",
    }  # fmt: skip
    subprocess.run([flask, "db", "upgrade"], env=os.environ | environment, check=True, capture_output=True)
    app = create_app(config.load(environment))
    with app.app_context():
        with factories.inside(factories.tenant("northwind")):
            factories.payment((factories.invoice(factories.customer(factories.integration(app))), "100.00"))
            db.session.commit()
        db.session.remove()
    second = f"{name}_second"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {second} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {second} OWNER portal")
    web = make_server("127.0.0.1", 0, app, server_class=_Threading)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield tmp_path, environment | {
        "SLUG": "northwind", "RELEASE": "2", "RELEASE_BEFORE": "1", "NEW_PASSWORD": "second-password",
        "OLD_PASSWORD": "old", "OLD_ROLE": serving, "ADMIN_URL": admin, "WEB": f"127.0.0.1:{web.server_port}",
        "NEW_URL": f"postgresql://portal_serving_2:second-password@{host}",
        "NEW_REDIS_URL": environment["REDIS_URL"], "EMPTY_URL": cloned_database.replace(name, second),
    }  # fmt: skip
    web.shutdown()
    web.server_close()
    own_redis.stop()
    with app.app_context():
        db.engine.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {second} WITH (FORCE)")
        for role in (serving, "portal_serving_2"):
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None:
                connection.execute(f"DROP OWNED BY {role}")
                connection.execute(f"DROP ROLE {role}")


class _Threading(ThreadingHTTPServer, WSGIServer):
    daemon_threads = True


def stand_ins(folder: Path) -> Path:
    """`heroku run … -- COMMAND` runs the command; the others only note what they were told. `flask` is added."""
    bin_ = folder / "bin"
    bin_.mkdir()
    python = f'exec "{sys.executable}" "$@"\n'
    noted = f'echo "$(basename "$0") $*" >> "{folder}/noted"\n'
    run = 'if [ "$1" = run ]; then while [ "$1" != -- ]; do shift; done; shift; exec "$@"; fi\n'
    scripts = dict.fromkeys(PLATFORM, noted) | {"heroku": noted + run, "python": python}
    for name, script in scripts.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{script}")
        (bin_ / name).chmod(0o755)
    return bin_


def told_by_now(admin: str) -> None:
    """Autotask was told of all: in a test there is none."""
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("UPDATE delivery SET state = 'confirmed', next_try_at = NULL")


@pytest.mark.in_turn(3)
@pytest.mark.faults
def test_every_command_of_the_page_is_run(place, flask):
    folder, environment = place
    assert subprocess.run([flask, "keys", "forget"], env=environment, capture_output=True).returncode == 2
    assert run_all(folder, environment, flask.parent) == []
    assert (folder / "northwind.zip").exists()
    noted = (folder / "noted").read_text()
    assert "heroku rollback" in noted
    assert "systemctl restart portal-worker portal-scheduler portal-web" in noted


def run_all(folder: Path, environment: dict[str, str], bin_: Path) -> list[str]:
    """In the order of the page. Those that failed, with what they said."""
    variables = os.environ | environment | {"PATH": f"{bin_}:{os.environ['PATH']}"}
    failed = []
    for line in commands():
        if "partners erase" in line:
            told_by_now(environment["ADMIN_URL"])
        # Files are written into the test's own folder, the web process has a port of its own.
        command = re.sub(r"(?<!\S)(\S+\.(?:backup|zip))\b", rf"{folder}/\1", line).replace(
            "127.0.0.1:8000", environment["WEB"]
        )
        done = subprocess.run(
            ["sh", "-euc", command], env=variables, cwd=folder, capture_output=True, text=True, timeout=900
        )
        if done.returncode and not any(allowed in line for allowed in MAY_FAIL):
            failed.append(f"{line}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
        if "NOLOGIN" in line:
            variables["DATABASE_URL"] = environment["NEW_URL"]
        assert "Traceback" not in done.stderr, f"{line}\n{done.stderr}"
        assert "No such command" not in done.stderr, line
    return failed


def test_every_command_is_one_that_is_known():
    known = {*PLATFORM, "flask", "curl", "psql", "python"}
    first = {re.sub(r"^(?:[A-Z_]+=\S* )*", "", line).split()[0] for line in commands()}
    assert first <= known


def test_every_promise_metric_and_line_of_trouble_stands_on_the_page():
    said = set(re.findall(r"`([a-z_.]+)`", PAGE))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics.names()}
    assert families - said == set()
    assert {check.name for check in ready.READY} - said == set()
    assert events() - said == set()


def events() -> set[str]:
    """Of log calls at warning and above."""
    calls = re.compile(r"log\.(?:warning|error|critical|exception)\(\s*\"([a-z_]+\.[a-z_]+)\"")
    sources = [path.read_text() for folder in ("portal", "jobs") for path in (ROOT / folder).rglob("*.py")]
    found = {event for source in sources for event in calls.findall(source)}
    assert len(found) > 20
    return found | {
        "database.away",
        "database.busy",
        "database.read_only",
        "database.wall_is_down",
        "database.one_role",
    }


def test_the_promises_on_the_page_are_those_of_the_checks():
    told = dict(re.findall(r"^\| `(\w+)` \| .*?(\d+)(?: seconds| more)", PAGE, re.MULTILINE))
    assert told == {
        "deliveries": str(ready.DELIVERY_TAKEN_UP), "syncs": str(ready.SYNC_TAKEN_UP), "mails": str(ready.MAIL_TAKEN_UP),
        "webhooks": str(ready.WEBHOOK_TAKEN_UP), "connections": str(ready.FEWEST_FREE),
    }  # fmt: skip
    assert f"heard of within {ready.HEARD_OF} seconds" in PAGE


def test_every_link_of_the_page_leads_somewhere():
    titles = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _, heading = target.partition("#")
        assert not path or (ROOT / "docs" / path).exists(), target
        assert path or heading in titles, target


def unit(path: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


def test_the_units_start_what_the_procfile_starts():
    procfile = (ROOT / "Procfile").read_text()
    for name in ("web", "worker", "scheduler"):
        started = unit(ROOT / "deploy" / f"portal-{name}.service")["Service"]["ExecStart"]
        (module,) = re.findall(rf"^{name}: .*?python -m (\S+)", procfile, re.MULTILINE)
        assert f"-m {module}" in started
        seconds = int(unit(ROOT / "deploy" / f"portal-{name}.service")["Service"]["TimeoutStopSec"])
        assert seconds > 20


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_runs_as_nobody_special(path):
    service = unit(path)["Service"]
    assert service["User"] == "portal"
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")


def test_the_units_named_on_the_page_are_there():
    named = set(re.findall(r"\b(portal-[a-z]+(?:\.socket|\.timer)?)\b", " ".join(commands())))
    assert named
    for name in named:
        path = ROOT / "deploy" / (name if "." in name else f"{name}.service")
        assert path.exists(), name


def test_the_web_process_takes_the_socket_that_systemd_holds(environment, tmp_path):
    """As systemd hands it over: number 3, with the environment that says so."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        starting = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            "sys.argv = ['jobs.serve']; from jobs import serve; serve.main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", starting, str(held.fileno())], env=os.environ | environment | {"WEB_CONCURRENCY": "1"},
            cwd=ROOT, pass_fds=[held.fileno()], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with socket.create_connection(("127.0.0.1", port), 240) as asking:
                asking.settimeout(240)
                asking.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                assert b"200 OK" in asking.recv(1000)
        finally:
            process.terminate()
            process.wait(120)
