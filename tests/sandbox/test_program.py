"""`python -m sandbox`: starts, says where it is, remembers, stops; and stands alone."""

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import sandbox
from sandbox import Sandbox, state
from sandbox.cli import main
from tests.sandbox.conftest import EVERYTHING

HOME = Path(sandbox.__file__).parent
START = [sys.executable, "-m", "sandbox", "--port", "0", "--customers", "3", "--invoices", "8"]
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts the program from its parent folder; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*more: str, **kw: Any) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*START, *more], cwd=HOME.parent, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **kw
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Sandbox Autotask ready at http://127.0.0.1:"), line
    return line.split()[-1]


def test_it_says_where_it_is_and_stops_when_told(run: Run) -> None:
    process = run()
    url = address(process)
    found = requests.get(
        f"{url}/ATServicesRest/V1.0/zoneInformation", params={"user": "api@demo-msp.example"}, timeout=5
    )
    assert found.json()["url"] == f"{url}/ATServicesRest/"

    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0


def test_ctrl_c_stops_it_without_a_traceback(run: Run) -> None:
    process = run()
    address(process)
    process.send_signal(signal.SIGINT)

    assert process.wait(10) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_guarded_it_stops_with_its_parent(run: Run) -> None:
    process = run("--guard-stdin")
    address(process)
    assert process.stdin is not None
    process.stdin.close()

    assert process.wait(10) == 0


def test_its_credentials_and_switches_come_from_the_command_line(run: Run) -> None:
    process = run(
        "--username", "me@msp.example", "--switch", "missing=404", "--pace", "0.01",
        env={**os.environ, "SANDBOX_SECRET": "from-the-environment"},
    )  # fmt: skip
    url = address(process)
    headers = {"ApiIntegrationCode": "x", "UserName": "me@msp.example", "Secret": "from-the-environment"}

    assert (
        requests.get(f"{url}/ATServicesRest/V1.0/Invoices/1", headers=headers, timeout=5).status_code == 404
    )


def test_it_remembers_what_was_changed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    headers = {"ApiIntegrationCode": "x", "UserName": "api@demo-msp.example", "Secret": "demo-secret-1234"}

    process = run("--state", str(path))
    url = address(process)
    api = f"{url}/ATServicesRest/V1.0"
    first, second, *_ = requests.post(
        f"{api}/Invoices/query", json=EVERYTHING, headers=headers, timeout=5
    ).json()["items"]
    requests.patch(
        f"{api}/Invoices", json={"id": first["id"], "paidDate": "2026-11-18"}, headers=headers, timeout=5
    )
    requests.post(f"{url}/_sandbox/remove_invoice", json={"id": second["id"]}, timeout=5)
    fields = {"companyName": "Later", "userDefinedFields": {"SLA": "Gold"}}
    company = requests.post(f"{url}/_sandbox/add_company", json=fields, timeout=5).json()["id"]
    requests.post(
        f"{url}/_sandbox/set_invoice_settings", json={"id": company, "otherEmails": "a@b.example"}, timeout=5
    )
    gone = requests.post(f"{url}/_sandbox/add_company", json={}, timeout=5).json()["id"]
    requests.post(f"{url}/_sandbox/remove_company", json={"id": gone}, timeout=5)
    requests.post(f"{url}/_sandbox/switches", json={"totals": "with_tax"}, timeout=5)
    requests.post(f"{url}/_sandbox/lock_user", timeout=5)
    requests.post(f"{url}/_sandbox/move_zone", timeout=5)
    everything = requests.get(f"{url}/_sandbox/rows?entity=Invoices", timeout=5).json()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0

    url = address(run("--state", str(path)))
    assert requests.get(f"{url}/_sandbox/rows?entity=Invoices", timeout=5).json() == everything
    found = requests.get(f"{url}/_sandbox/company?id={company}", timeout=5).json()["item"]
    assert (found["companyName"], found["userDefinedFields"]) == ("Later", [{"name": "SLA", "value": "Gold"}])
    assert requests.get(f"{url}/_sandbox/user", timeout=5).json()["locked"] is True
    assert requests.get(f"{url}/_sandbox", timeout=5).json()["api_url"] == f"{url}/zone6/ATServicesRest/"
    assert requests.post(f"{url}/_sandbox/add_company", json={}, timeout=5).json()["id"] == gone + 1
    assert "demo-secret" not in path.read_text()


def test_a_state_with_a_switch_of_another_version_still_starts() -> None:
    world = Sandbox(7, 1, 1).world
    held = state.snapshot(world, {})
    held["switches"] |= {"gone_since": "x", "totals": "with_tax"}
    state.restore(world, held)
    assert world.switches.totals == "with_tax"


def test_the_state_of_other_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.json"
    made = {"seed": 7, "customers": 3, "invoices": 8, "today": "2026-11-20"}
    path.write_text(json.dumps({"made": made}))

    assert main(["--state", str(path), "--seed", "99", "--customers", "3", "--invoices", "8"]) == 2
    assert "belongs to other data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "0.0.0.0"], "loopback"),
        (["--switch", "totals"], "NAME=VALUE"),
        (["--switch", "totals=x"], "totals can be"),
        (["--customers", "0"], "invoices need customers"),
    ],
)
def test_a_start_that_cannot_be_says_why(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", "0", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_a_taken_port_is_told(sb: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--customers", "0", "--invoices", "0", "--port", str(sb.port)]) == 2
    assert "in use" in capsys.readouterr().err


def test_help_works_where_there_is_no_portal_and_no_package(tmp_path: Path) -> None:
    (tmp_path / "sandbox").symlink_to(HOME)
    found = subprocess.run(
        [sys.executable, "-S", "-P", "-c", "import sys; sys.path.insert(0, '.'); from sandbox.cli import main; main(['--help'])"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert found.returncode == 0, found.stderr
    assert "--guard-stdin" in found.stdout


ALLOWED = {"sandbox", "fpdf", "jinja2", "cryptography"}


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0] if not node.level else "a relative import")
    return found


def test_the_sandbox_imports_nothing_of_the_portal() -> None:
    used: dict[str, set[str]] = {}
    for path in HOME.rglob("*.py"):
        for name in imports(path) - ALLOWED - set(sys.stdlib_module_names):
            used.setdefault(name, set()).add(path.name)

    assert used == {}


def test_the_readme_names_every_switch_fault_action_and_option() -> None:
    text = (HOME / "README.md").read_text(encoding="utf-8")
    from sandbox.control import ACTIONS, READS
    from sandbox.faults.kinds import all_kinds
    from sandbox.switches import SAYS, Switches

    wanted = {f"`{name}`" for name in [*Switches().as_dict(), *ACTIONS, *(one for one in READS if one)]}
    wanted |= {f"`{kind.name}`" for kind in all_kinds()}

    assert set(SAYS) == set(Switches().as_dict())
    assert sorted(one for one in wanted if one not in text) == []
    assert json.loads((HOME / "schema" / "fields.json").read_text())
